from __future__ import annotations

from training.saving import SaveSchedule


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_the_first_step_is_saved_then_every_so_many():
    schedule = SaveSchedule(5, 1e9, None, Clock())
    saved = []
    for step in range(1, 12):
        if schedule.due(step):
            schedule.note(step)
            saved.append(step)
    assert saved == [1, 5, 10]


def test_time_makes_a_save_due_only_after_a_new_step():
    clock = Clock()
    schedule = SaveSchedule(1000, 10.0, 7, clock)
    assert not schedule.due(8)
    clock.now += 10.0
    assert not schedule.due(7)
    assert schedule.due(8)


def test_the_clock_starts_when_a_save_has_ended():
    clock = Clock()
    schedule = SaveSchedule(1000, 10.0, 7, clock)
    clock.now += 60.0
    schedule.note(8)
    clock.now += 9.9
    assert not schedule.due(9)
    clock.now += 0.1
    assert schedule.due(9)


def test_a_resumed_run_has_its_first_save_already():
    assert not SaveSchedule(1000, 10.0, 3, Clock()).due(4)
