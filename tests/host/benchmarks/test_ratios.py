"""Derived figures on numbers that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import ratios
from benchmarks.results import Case, Contestant, Matmul

FAST = Contestant("native", "ours", "", (1.0, 2.0, 4.0))
SLOW = Contestant("eager", "peer", "", (3.0, 4.0, 16.0))
SLOWER = Contestant("onnxruntime", "peer", "", (2.0, 5.0, 17.0))
ABSENT = Contestant("openvino", "peer", "", not_measured="not installed")
CASE = Case(
    "model", "m", "", 10, "fp32", "uint8",
    flop_per_sample=3.0,
    weight_bytes=10.0,
    activation_bytes_per_sample=2.0,
    contestants=(FAST, SLOW, SLOWER, ABSENT),
    matmul=Matmul(60.0, (1.0, 1.0, 4.0)),
)  # fmt: skip


def test_speedup_is_paired_by_round() -> None:
    """The ratio of the medians would be 2 here; rounds give 3, 2 and 4."""
    assert ratios.speedup(FAST, SLOW) == ratios.Spread(2.5, 3.0, 3.5)


def test_rate_counts_the_batch() -> None:
    assert ratios.rate(CASE, FAST).median == 5.0


def test_matmul_share_is_of_the_same_round() -> None:
    """30 useful FLOP against 60: half the matmul's seconds over ours."""
    share = ratios.matmul_share(CASE, FAST)
    assert share is not None
    assert share.median == pytest.approx(0.5 * 1.0)
    assert ratios.matmul_share(CASE, ABSENT) is None
    assert ratios.matmul_rate(Matmul(60.0, (1.0, 1.0, 4.0))).median == 60.0


def test_intensity_counts_weights_once() -> None:
    assert ratios.intensity(CASE) == pytest.approx(30.0 / (10.0 + 20.0))


def test_best_is_by_median_and_never_unmeasured() -> None:
    assert ratios.best(CASE, "peer") is SLOW
    assert ratios.best(CASE, "yardstick") is None
    assert ratios.headline(CASE) == (FAST, SLOW, ratios.Spread(2.5, 3.0, 3.5))
    assert ratios.named(CASE, "openvino") is None


def test_a_wrapper_around_a_peer_never_stands_for_us() -> None:
    wrapper = Contestant("Engine onnxruntime", "ours", "", (0.5, 1.0, 2.0))
    case = replace(CASE, contestants=(FAST, wrapper, SLOW))
    assert ratios.best(case, "ours") is wrapper
    assert ratios.flagship(case) is FAST
    assert ratios.headline(case) == (FAST, SLOW, ratios.Spread(2.5, 3.0, 3.5))
    assert ratios.flagship(replace(CASE, contestants=(ABSENT, SLOW))) is None


def test_rounds_of_other_lengths_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="3 and 2 rounds"):
        ratios.speedup(Contestant("x", "ours", "", (1.0, 2.0)), SLOW)


def test_spread_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ratios.spread(())
