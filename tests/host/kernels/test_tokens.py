"""Token sampling in integers against softmax in real numbers."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import philox, tokens
from kernels.reference import sampling


def test_power_of_two_at_every_step() -> None:
    """All 2^20 fractions: within 6e-9 of the power of two, rising, and continuous at the ends."""
    steps = np.arange(2**tokens.EXPONENT_BITS)
    # One row: the largest, and all exponents down to -1.
    logits = -np.concatenate([[0], steps[::-1] + 1]).astype(np.float32) * np.float32(2.0**-20)
    weight = tokens.weights(logits[None], 1 / np.log(2))[0].astype(np.float64)
    exact = 2.0 ** (30 + logits.astype(np.float64))
    assert np.abs(weight / exact - 1).max() < 2e-6
    assert (np.diff(weight[1:]) >= 0).all()
    assert weight[0] == 2**30


@pytest.mark.parametrize(
    ("temperature", "top_k"),
    [(1.0, None), (0.3, None), (2.5, 4), (0.0, None)],
    ids=["plain", "cold", "hot top 4", "greedy"],
)
def test_probabilities(temperature: float, top_k: int | None) -> None:
    logits = np.random.default_rng(0).standard_normal((20, 30)).astype(np.float32) * 3
    weight = tokens.weights(logits, temperature, top_k).astype(np.float64)
    expected = sampling.probabilities(logits, temperature, top_k)
    # fp32 rounding of the difference and the product, steps of 2^-20, and rounding down.
    np.testing.assert_allclose(
        weight / weight.sum(1, keepdims=True), expected, rtol=2.0**-17, atol=2.0**-28
    )


def test_ties_with_the_last_of_the_top_stay_in() -> None:
    logits = np.array([[1.0, 3.0, 2.0, 2.0, 2.0, 0.0]])
    assert (tokens.weights(logits, 1.0, 2)[0] > 0).tolist() == [
        False,
        True,
        True,
        True,
        True,
        False,
    ]


def test_distribution() -> None:
    """Chi-squared of 20,000 draws with 9 degrees of freedom: 27.9 is exceeded once in 1000."""
    logits = np.log(np.arange(1, 11) / 55)
    drawn = tokens.draw(np.tile(logits, (20000, 1)), seed=5, step=3)
    expected = 20000 * np.arange(1, 11) / 55
    counts = np.bincount(drawn, minlength=10)
    assert ((counts - expected) ** 2 / expected).sum() < 27.9


def test_the_word_of_a_step() -> None:
    """Two equal tokens: the higher half of the words of element `step` takes the second."""
    for step in (0, 3, 4, 9):
        word = philox.words(8, 2**32 - 4, 50, step + 1, tokens.STREAM)[:, step]
        drawn = tokens.draw(np.zeros((50, 2)), seed=8, start=2**32 - 4, step=step)
        assert drawn.tolist() == (word >= 2**31).astype(int).tolist()


def test_greedy_takes_the_first_of_the_largest() -> None:
    logits = np.array([[0.0, 2.0, 2.0], [1.0, 0.0, 1.0]])
    assert tokens.draw(logits, seed=0, temperature=0).tolist() == [1, 0]


def test_rows_without_a_token() -> None:
    nan, inf = float("nan"), float("inf")
    logits = np.array([[0, nan, 1], [-inf, -inf, -inf], [0, inf, 0], [-inf, 0, -inf]])
    assert tokens.draw(logits, seed=0).tolist() == [-1, -1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": -0.5}, "temperature=-0.5"),
        ({"top_k": 4}, "top_k=4 must be between 1 and the 3 tokens"),
        ({"step": 2**31}, "step=2147483648"),
        ({"logits": np.zeros(3)}, r"logits \(3,\)"),
    ],
    ids=["temperature", "top k", "step", "shape"],
)
def test_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tokens.draw(**{"logits": np.zeros((2, 3)), "seed": 0} | changes)
