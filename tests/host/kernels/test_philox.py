"""Philox against Random123's known answers; uniforms and normals against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import philox
from tests.cases.philox import KNOWN_ANSWERS


@pytest.mark.parametrize("case", KNOWN_ANSWERS.values(), ids=KNOWN_ANSWERS)
def test_known_answers(case: tuple[list[int], tuple[int, int], list[int]]) -> None:
    counter, key, expected = case
    assert philox.philox4x32(np.array(counter, np.uint32), key).tolist() == expected


def test_counter_layout() -> None:
    """Element 4b + j of sample i is word j of counter (b, i low, i high, stream)."""
    seed, sample, stream = 0x1_0000_0002, 2**32 + 5, 0x102
    words = philox.words(seed, sample, 1, 11, stream)[0]
    for block in range(3):
        counter = np.array([block, 5, 1, stream], np.uint32)
        expected = philox.philox4x32(counter, (2, 1))
        assert words[4 * block : 4 * block + 4].tolist() == expected.tolist()[: 11 - 4 * block]


@given(
    start=st.integers(0, 2**40),
    count=st.integers(0, 9),
    size=st.integers(1, 13),
    seed=st.integers(0, 2**64 - 1),
)
def test_samples_do_not_depend_on_the_range(start: int, count: int, size: int, seed: int) -> None:
    together = philox.normal(seed, start, count, size)
    alone = [philox.normal(seed, start + i, 1, size)[0] for i in range(count)]
    assert together.shape == (count, size)
    assert all((a == b).all() for a, b in zip(together, alone, strict=True))


def test_longer_samples_begin_alike() -> None:
    assert (philox.words(3, 0, 5, 100)[:, :10] == philox.words(3, 0, 5, 10)).all()


def test_chunks_leave_no_seam() -> None:
    """More counters than one chunk holds: the same as sample by sample."""
    rows = philox.words(1, 0, 3000, 40)
    for row in (0, 1637, 1638, 1639, 2999):
        assert (rows[row] == philox.words(1, row, 1, 40)[0]).all()


def test_uniform_ends() -> None:
    words = np.array([0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000], np.uint32)
    assert philox.to_uniform(words).tolist() == [0.0, 0.0, 1.0 - 2.0**-24, 1.0 - 2.0**-24]


def test_normals_are_box_muller_of_the_uniforms() -> None:
    uniforms = philox.uniform(5, 0, 50, 8).astype(np.float64)
    radius = np.sqrt(-2 * np.log(np.maximum(uniforms[:, 0::2], 1e-7)))
    normals = philox.normal(5, 0, 50, 8)
    # The angle is rounded to float32 as in the Triton kernel: 2^-24 of 2 pi, times the radius.
    np.testing.assert_allclose(
        normals[:, 0::2], radius * np.cos(2 * math.pi * uniforms[:, 1::2]), atol=2.5e-6
    )
    np.testing.assert_allclose(
        normals[:, 1::2], radius * np.sin(2 * math.pi * uniforms[:, 1::2]), atol=2.5e-6
    )


def test_normal_distribution() -> None:
    """Kolmogorov-Smirnov distance below its 0.1 % bound, and no correlation of neighbours."""
    values = np.sort(philox.normal(0, 0, 2000, 50).ravel().astype(np.float64))
    cdf = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in values])
    distance = np.abs(cdf - (np.arange(len(values)) + 0.5) / len(values)).max()
    assert distance < 1.95 / math.sqrt(len(values))
    pairs = philox.normal(0, 0, 20000, 2)
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 4 / math.sqrt(len(pairs))


def test_integers_cover_their_range_evenly() -> None:
    counts = np.bincount(philox.integers(0, 0, 30000, 10, stream=1), minlength=10)
    assert counts.shape == (10,)
    # Chi-squared with 9 degrees of freedom: 27.9 is exceeded once in 1000.
    assert ((counts - 3000) ** 2 / 3000).sum() < 27.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 0, 1, 1), "seed=-1"),
        ((2**64, 0, 1, 1), "seed="),
        ((0, -1, 1, 1), "samples -1"),
        ((0, 0, 1, 1, 2**32), "stream="),
    ],
    ids=["negative seed", "large seed", "negative sample", "large stream"],
)
def test_out_of_range(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        philox.words(*arguments)
