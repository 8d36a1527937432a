from __future__ import annotations

import math

import pytest

from engine.core.errors import TrainingError
from training.watch import WON_STEPS, Watch

WON = {"d_loss": 1e-5, "g_loss": 12.0, "d_real": 0.99999, "d_fake": 0.00001}
HEALTHY = {"d_loss": 0.9, "g_loss": 1.2, "d_real": 0.7, "d_fake": 0.3}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_stops_the_run(value):
    with pytest.raises(
        TrainingError, match=rf"step 7: loss is {value}; start anew with a lower --lr"
    ):
        Watch().check(7, {"loss": value}, None)


def test_a_discriminator_that_wins_for_long_stops_the_run():
    watch = Watch()
    for step in range(WON_STEPS - 1):
        watch.check(step, WON, None)
    with pytest.raises(TrainingError, match=r"discriminator has won for 300 steps.*--augment"):
        watch.check(WON_STEPS, WON, None)


def test_one_healthy_step_starts_the_count_again():
    watch = Watch()
    for step in range(WON_STEPS - 1):
        watch.check(step, WON, None)
    watch.check(WON_STEPS, HEALTHY, None)
    watch.check(WON_STEPS + 1, WON, None)
    assert watch.won == 1


def test_the_count_goes_on_after_a_resume():
    watch = Watch(won=WON_STEPS - 1)
    with pytest.raises(TrainingError, match="has won"):
        watch.check(0, WON, None)


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        pytest.param(None, "No checkpoint was written yet", id="none"),
        pytest.param(1, "The last checkpoint, after 1 step, is untouched", id="first"),
        pytest.param(500, "The last checkpoint, after 500 steps, is untouched", id="later"),
    ],
)
def test_a_stop_says_which_checkpoint_is_left(saved, message):
    with pytest.raises(TrainingError, match=message):
        Watch().check(500, {"loss": math.nan}, saved)
    with pytest.raises(TrainingError, match=message):
        Watch(won=WON_STEPS - 1).check(500, WON, saved)
