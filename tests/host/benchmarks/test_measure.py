"""Measuring with rigged contestants: who is let in, at which batch size, with which record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import PRESETS
from benchmarks.contestants.base import Entry, dividing
from benchmarks.image_cost import KidJudge
from benchmarks.measure import SLOW, WRONG, measure
from benchmarks.network import Array, Network, Work
from benchmarks.parity import Reference, WrongResultError, check
from benchmarks.results import Role, SweepPoint
from benchmarks.sweep import best_size, sweep_over
from engine.images import to_uint8

pytest.importorskip("torch", reason="torch is not installed; pip install '.[torch]'")

PRESET = PRESETS["default"]


@pytest.fixture(autouse=True)
def quick_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some product: the real one takes long on a busy machine."""
    monkeypatch.setattr("benchmarks.matmul.matmul", lambda *settings: lambda: sum(range(100)))


def network(value_range: tuple[float, float] | None = (-1.0, 1.0)) -> Network:
    def module() -> None:
        raise AssertionError("the reference is given")

    nowhere = Path("nowhere")
    return Network(
        name="rigged",
        source="this test",
        gen=nowhere,
        onnx=nowhere,
        images=nowhere,
        module=module,
        inputs=("z",),
        input_shape=(5,),
        output_shape=(3, 4, 4),
        value_range=value_range,
        bounded=True,
        flop_per_sample=100,
        weights=10,
    )


def work(**changes: object) -> Work:
    latents = np.random.default_rng(0).standard_normal((8, 5), np.float32)
    fields = {"precision": "fp32", "output": "uint8", "threads": 1, "folder": Path("nowhere")}
    return Work(**({"network": network(), "inputs": (latents,)} | fields | changes))


def truth(seed: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, (8, 3, 4, 4)).astype(np.float32)


def reference() -> Reference:
    return Reference(truth(), to_uint8(truth(), (-1.0, 1.0)))


class Rigged:
    """A contestant that does what the test says."""

    role: Role = "peer"

    def __init__(
        self,
        name: str,
        run: Callable[[], Array],
        *,
        reason: str | None = None,
        slow: bool = False,
    ) -> None:
        self.name = name
        self.slow_to_open = slow
        self.opened: list[int] = []
        self.closed: list[int] = []
        self._run = run
        self._reason = reason

    def unavailable(self, work: Work) -> str | None:
        return self._reason

    def batch_sizes(self, work: Work) -> tuple[int, ...]:
        return (4, 8)

    def open(self, work: Work, batch_size: int) -> Entry:
        self.opened.append(batch_size)
        return Entry("rigged", self._run, lambda: self.closed.append(batch_size))


def right() -> Array:
    return to_uint8(truth(), (-1.0, 1.0))


def test_a_right_contestant_is_timed_beside_the_matrix_product() -> None:
    rigged = Rigged("right", right)
    (record,), product = measure(work(), reference(), [rigged], PRESET, lambda text: None)
    assert len(record.seconds) == PRESET.rounds
    assert product is not None
    assert len(product.seconds) == PRESET.rounds
    assert record.error == 0.0
    assert record.image_cost is not None
    assert record.image_cost.uint8_difference == 0.0
    assert {point.batch_size for point in record.sweep} == {4, 8}
    assert record.batch_size in (4, 8)
    assert rigged.opened == [4, 8]
    assert sorted(rigged.closed) == [4, 8]


def test_a_wrong_contestant_is_refused_and_the_others_are_timed() -> None:
    wrong = Rigged("wrong", lambda: to_uint8(truth(seed=2), (-1.0, 1.0)))
    records, _ = measure(
        work(), reference(), [wrong, Rigged("right", right)], PRESET, lambda text: None
    )
    assert records[0].seconds == ()
    assert str(records[0].not_measured).startswith(WRONG)
    assert len(records[1].seconds) == PRESET.rounds
    assert wrong.closed == [4]


def test_reasons_stand_in_the_records() -> None:
    def fails() -> Array:
        raise RuntimeError("no such kernel\nand a long story")

    contestants = [
        Rigged("missing", right, reason="rigged is not installed"),
        Rigged("failing", fails),
        Rigged("slow", right, slow=True),
    ]
    records, product = measure(work(), reference(), contestants, PRESET, lambda text: None)
    assert [record.not_measured for record in records] == [
        "rigged is not installed",
        "RuntimeError: no such kernel",
        SLOW,
    ]
    assert product is None
    assert contestants[0].opened == contestants[2].opened == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda images: images[:4], "made uint8"),
        (lambda images: images.astype(np.float32), "made float32"),
        (lambda images: np.roll(images, 1, axis=2), "from the reference"),
        (lambda images: images ^ 2, "2 from the reference; 1 is allowed"),
    ],
    ids=["fewer", "floats", "shifted", "two-steps"],
)
def test_fp32_images_must_be_right_to_one_step(
    spoil: Callable[[Array], Array], message: str
) -> None:
    with pytest.raises(WrongResultError, match=message):
        check(spoil(right()), work(), reference())


def test_one_step_of_fp32_is_allowed_and_counted() -> None:
    verdict = check(right() ^ 1, work(), reference())
    assert verdict.error == pytest.approx(1 / right().max())
    assert verdict.cost is not None
    assert verdict.cost.uint8_difference == 1.0
    assert verdict.cost.psnr_mean_db == pytest.approx(48.13, abs=0.01)


def near() -> Array:
    """The right images, one byte in five a step off."""
    images = right().reshape(-1)
    images[::5] ^= 1
    return images.reshape(right().shape)


def test_bf16_images_are_held_to_the_image_budget() -> None:
    check(near(), work(precision="bf16"), reference())
    with pytest.raises(WrongResultError, match=r"PSNR 48.1 dB, .* 1.000 steps of uint8"):
        check(right() ^ 1, work(precision="bf16"), reference())
    with pytest.raises(WrongResultError, match="PSNR 42"):
        check(right() ^ 2, work(precision="bf16"), reference())


def test_one_bad_sample_is_enough_for_bf16() -> None:
    images = right()
    images[3] ^= 4
    with pytest.raises(WrongResultError, match="worst 36"):
        check(images, work(precision="bf16"), reference())


def test_floats_are_compared_as_floats() -> None:
    floats = work(output="float32")
    moved = truth() + np.float32(5e-4)
    cost = check(moved, floats, reference()).cost
    assert cost is not None
    # 20 log10(2 / 5e-4)
    assert cost.psnr_mean_db == pytest.approx(72.04, abs=0.05)
    with pytest.raises(WrongResultError, match=r"0.00[12]\d* from the reference; 0.001"):
        check(truth() + np.float32(2e-3), floats, reference())


def test_nan_is_never_right() -> None:
    spoiled = truth()
    spoiled[0, 0, 0, 0] = np.nan
    for precision in ("fp32", "bf16"):
        with pytest.raises(WrongResultError, match="NaN"):
            check(spoiled, work(output="float32", precision=precision), reference())


def test_layers_have_an_error_and_no_image_cost() -> None:
    layer = work(network=network(None), output="float32", precision="bf16")
    right_floats = Reference(truth(), None)
    verdict = check(truth() * np.float32(1.01), layer, right_floats)
    assert verdict.cost is None
    assert verdict.error == pytest.approx(0.01, rel=0.01)
    with pytest.raises(WrongResultError, match="of the largest value"):
        check(truth() * np.float32(1.03), layer, right_floats)


def test_kid_is_that_of_the_winner() -> None:
    pytest.importorskip("training.evaluation.measures", reason="training is not at hand")

    def features(images: Array) -> Array:
        return images.reshape(len(images), -1).astype(np.float64) / 255.0

    judge = KidJudge(features, to_uint8(truth(seed=3), (-1.0, 1.0)))
    judged = dataclasses.replace(reference(), judge=judge)
    (record,), _ = measure(work(precision="bf16"), judged, [Rigged("near", near)], PRESET, print)
    assert record.image_cost is not None
    assert record.image_cost.kid_change == pytest.approx(judge.kid(near()) - judge.kid(right()))
    assert record.image_cost.kid_reason is None


def test_the_best_batch_size_is_the_fastest_and_the_smaller_of_equals() -> None:
    sweep = [SweepPoint(16, 10.0), SweepPoint(64, 30.0), SweepPoint(32, 30.0)]
    assert best_size(sweep) == 32


def test_one_batch_size_is_not_swept() -> None:
    assert sweep_over({8: right}, 8) == ()


def test_batch_sizes_divide_n() -> None:
    assert dividing(64, (16, 24, 64, 256)) == (16, 64)
    assert dividing(1, (16, 64)) == (1,)
    assert dividing(100, (25, 64)) == (25, 100)
