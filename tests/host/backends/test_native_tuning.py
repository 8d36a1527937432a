"""The optional measurement: what it takes, what it tells, and what happens where it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine import Engine
from engine.backends._native import candidates, duel, tuning
from engine.backends._native.choices import Choices, default_choices
from engine.backends._native.duel import Gain
from engine.backends._native.session import Session
from engine.core.errors import OptionError
from engine.program import gen
from kernels.native import library
from tests.cases.small_programs import dcgan

DIGEST = "0" * 64
BATCH = 64


@pytest.fixture
def choices() -> Choices:
    why = library.unavailable()
    if why is not None:
        pytest.skip(why)
    return default_choices(BATCH, 1, False, library.instruction_sets()[-1])


def gains(monkeypatch: pytest.MonkeyPatch, *found: float | None, low: float = 1.0) -> None:
    """Let duels end with such medians, in turn; the last one goes on."""
    left = list(found)

    def gain(default: duel.Run, challenger: duel.Run, deadline_s: float) -> Gain | None:
        assert default() > 0
        assert challenger() > 0
        median = left.pop(0) if len(left) > 1 else left[0]
        return None if median is None else Gain(median, low)

    monkeypatch.setattr(duel, "gain", gain)


def tuned(choices: Choices, folder: Path, digest: str = DIGEST) -> Choices:
    return tuning.tuned(dcgan(), digest, choices, BATCH, folder)


def test_what_was_measured_is_found_again(choices: Choices, tmp_path: Path) -> None:
    first = tuned(choices, tmp_path)
    assert first.decided_by == "measured"
    assert first.measured
    again = tuned(choices, tmp_path)
    assert again == replace(first, decided_by="measured before")
    assert len(list(tmp_path.iterdir())) == 1
    assert tuned(choices, tmp_path, "1" * 64).decided_by == "measured"


def test_the_default_stays_unless_something_is_clearly_faster(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gains(monkeypatch, 1.029)
    found = tuned(choices, tmp_path)
    assert (found.capacity, found.bands, found.algorithms) == (choices.capacity, False, {})
    assert found.recorded() == "defaults"
    assert any("1.03 times as fast" in line for line in found.measured)


def test_the_default_stays_where_rounds_disagree(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gains(monkeypatch, 1.5, low=0.99)
    found = tuned(choices, tmp_path)
    assert (found.capacity, found.bands, found.algorithms) == (choices.capacity, False, {})


def test_a_layer_gets_the_algorithm_that_is_faster(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three micro-batches; then Winograd and direct of u and of images; then the whole decoder.
    gains(monkeypatch, 0.9, 0.9, 0.9, 1.2, 1.3, 1.1, 0.8, 1.05)
    found = tuned(choices, tmp_path)
    assert found.algorithms == {"u": 1, "images": 2}
    assert found.recorded() == "measured: images Winograd, u direct"
    assert "u direct alone 1.30 times as fast (lower quartile 1.00)" in found.measured
    assert tuned(choices, tmp_path).algorithms == found.algorithms
    session = Session(dcgan(), found)
    steps = candidates.layers(session.plan("decoder", True))
    assert (steps["u"].integers[-1], steps["images"].integers[-1]) == (1, 2)
    session.close()


def test_layers_that_do_not_pay_together_stay(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gains(monkeypatch, 0.9, 0.9, 0.9, 1.2, 1.3, 1.1, 0.8, 1.0)
    assert tuned(choices, tmp_path).algorithms == {}


def test_what_there_was_no_time_for_is_told(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "BUDGET_S", -1.0)
    found = tuned(choices, tmp_path)
    assert found.capacity == choices.capacity
    (line,) = found.measured
    assert line.startswith("no time in -1 s for micro-batches of ")
    assert line.endswith(
        "u Winograd alone, u direct alone, images Winograd alone, images direct alone"
    )
    monkeypatch.setattr(tuning, "BUDGET_S", 60.0)
    gains(monkeypatch, None)
    found = tuned(choices, tmp_path, "1" * 64)
    assert found.measured[0].startswith("no time in 60 s for micro-batches of ")


def test_a_duel_is_about_neighbouring_runs() -> None:
    never = duel.time.monotonic() + 60
    # The first run of each packs; then one round in four finds the challenger interrupted.
    slow = iter([9.0, *[2.0, 4.0, 6.0, 8.0] * 3])
    fast = iter([9.0, *[1.0, 2.0, 3.0, 16.0] * 3])
    found = duel.gain(lambda: next(slow), lambda: next(fast), never)
    assert found == (2.0, 2.0)
    assert found.wins
    calls: list[float] = []
    even = duel.gain(lambda: 1.0, lambda: calls.append(0) or 1.0, never)
    assert even == (1.0, 1.0)
    assert not even.wins
    # After three rounds there is no hope.
    assert len(calls) == 4
    # Nor is there after four in which it was slower, whatever the others were.
    turns = iter([1.0, *[1.0, 3.0] * 4])
    lost = duel.gain(lambda: 2.0, lambda: next(turns), never)
    assert next(turns, None) is None
    assert not lost.wins
    assert duel.gain(lambda: 1.0, lambda: 1.0, never - 120) is None


def test_work_is_enlarged_until_it_can_be_timed(
    choices: Choices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_TIMED_S", 1e9)
    with candidates.Decoder(dcgan(), choices, 4 * choices.capacity) as decoder:
        first = decoder.seconds()
        assert first > 0
        assert decoder._size == 4 * choices.capacity
        assert decoder.seconds() > 0


@pytest.mark.parametrize("error", [OptionError("2 GB are free"), MemoryError("no")], ids=str)
def test_a_candidate_that_does_not_fit_is_passed(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    original = candidates.Decoder.__init__

    def fails(self: candidates.Decoder, of: gen.Gen, chosen: Choices, batch_size: int) -> None:
        if chosen.capacity != choices.capacity:
            raise error
        original(self, of, chosen, batch_size)

    monkeypatch.setattr(candidates.Decoder, "__init__", fails)
    gains(monkeypatch, 2.0)
    found = tuned(choices, tmp_path)
    assert found.capacity == choices.capacity
    assert f"micro-batches of 16 was not tried: {error}" in found.measured
    assert found.algorithms
    # Another time there may be room.
    assert found.decided_by.startswith("measured, and not kept: the machine was short")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OptionError("2 GB are free"), MemoryError("no")], ids=str)
def test_a_shortage_leaves_the_defaults(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(candidates.Decoder, "__init__", fails)
    found = tuned(choices, tmp_path)
    assert found.decided_by == f"defaults, as measuring failed: {error}"
    assert found.capacity == choices.capacity
    assert not list(tmp_path.iterdir())


def test_at_most_two_decoders_are_open(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_now, most = 0, 0

    def counted(method: Callable[..., object], by: int) -> Callable[..., object]:
        def call(self: candidates.Decoder, *arguments: object) -> object:
            nonlocal open_now, most
            open_now += by
            most = max(most, open_now)
            return method(self, *arguments)

        return call

    for name, by in (("__enter__", 1), ("__exit__", -1)):
        method = getattr(candidates.Decoder, name)
        monkeypatch.setattr(candidates.Decoder, name, counted(method, by))
    gains(monkeypatch, 1.1)
    tuned(choices, tmp_path)
    assert (open_now, most) == (0, 2)


def test_batches_of_few_images_have_nothing_to_measure(tmp_path: Path, choices: Choices) -> None:
    few = default_choices(8, 1, False, choices.instruction_set)
    found = tuning.tuned(dcgan(), DIGEST, few, 8, tmp_path)
    assert found.measured == ("nothing: the path of few images has one way to run",)
    assert replace(found, measured=()) == few


def test_engines_ask_for_it_by_the_environment(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gains(monkeypatch, 1.1)
    given = {"backend": "native", "precision": "bf16", "batch_size": 32, "threads": 1}
    if not library.instruction_sets()[-1].startswith("a"):
        given["precision"] = "fp32"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(tuning.VARIABLE, "1")
    with Engine("vae-digits", tune=False, **given) as plain:
        assert "tuning:" not in plain.explain()
        wanted = plain.generate(20)
    with Engine("vae-digits", **given) as engine:
        assert "(measured)" in engine.explain()
        if engine.precision == "bf16":
            assert (engine.generate(20) == wanted).all()


def test_engines_ask_for_it_by_name(
    choices: Choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gains(monkeypatch, 0.9)
    given = {"backend": "native", "precision": "fp32", "batch_size": 32, "threads": 1}
    for decided in ("measured", "measured before"):
        with Engine("vae-digits", tune=True, **given) as engine:
            assert f"({decided})" in engine.explain()
            assert "tuning: micro-batches of 16 0.90 times as fast" in engine.explain()
            assert engine.versions["native plan"] == "defaults"


def test_backends_that_do_not_tune_say_so(tmp_path: Path) -> None:
    with Engine("vae-digits", backend="numpy", tune=True) as engine:
        assert "tuning: backend numpy does not tune" in engine.notes
        assert "note       tuning: backend numpy does not tune" in engine.explain()
    with Engine("vae-digits", backend="numpy") as engine:
        assert "tun" not in engine.explain().replace("without any tuning", "")
    with pytest.raises(OptionError, match="tune='yes' must be True, False or None"):
        Engine("vae-digits", tune="yes")
