"""Tokens: the distribution against torch, and the inverse of its cumulative sum."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import philox
from kernels.reference.sampling import probabilities, sample

torch = pytest.importorskip("torch")


def logits(batch: int = 4, tokens: int = 9) -> np.ndarray:
    return np.random.default_rng(6).standard_normal((batch, tokens)) * 2


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [None, 1, 4, 9])
def test_probabilities(temperature: float, top_k: int | None) -> None:
    scaled = torch.from_numpy(logits()) / temperature
    if top_k is not None:
        least = torch.topk(scaled, top_k).values[:, -1:]
        scaled = scaled.masked_fill(scaled < least, -torch.inf)
    expected = torch.softmax(scaled, dim=1)
    ours = probabilities(logits(), temperature, top_k)
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-15)


def test_ties_at_the_edge_all_stay() -> None:
    ours = probabilities([[3.0, 1.0, 1.0, 0.0]], top_k=2)
    assert (ours > 0).tolist() == [[True, True, True, False]]


def test_temperature_zero_takes_the_first_of_the_largest() -> None:
    assert sample([[0.0, 2.0, 2.0]], [0.999], temperature=0).tolist() == [1]


def test_intervals() -> None:
    """Token j is drawn where u lies between the sums before it and up to it."""
    row = np.log([0.25, 0.5, 0.25])
    uniform = np.array([0.0, 0.249, 0.251, 0.749, 0.751, 1 - 2.0**-24])
    assert sample(np.tile(row, (6, 1)), uniform).tolist() == [0, 0, 1, 1, 2, 2]


def test_a_token_without_weight_is_never_drawn() -> None:
    rows = np.tile([-np.inf, 0.0, -np.inf, 0.0, -np.inf], (3, 1))
    assert sample(rows, [0.0, 0.5, 1 - 2.0**-24]).tolist() == [1, 3, 3]


def test_frequencies() -> None:
    count = 20000
    uniform = philox.uniform(7, 0, count, 1, stream=4)[:, 0]
    row = logits(1)
    found = np.bincount(sample(np.tile(row, (count, 1)), uniform, 1.5, 6), minlength=9) / count
    expected = probabilities(row, 1.5, 6)[0]
    # Five standard deviations of a frequency.
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / count)).all()


def test_empty_batch() -> None:
    assert sample(np.empty((0, 3)), np.empty(0)).shape == (0,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"temperature": -1.0}, "temperature=-1.0", id="negative"),
        pytest.param({"temperature": float("nan")}, "temperature=nan", id="nan"),
        pytest.param({"top_k": 0}, "top_k=0", id="no_tokens"),
        pytest.param({"top_k": 10}, "top_k=10", id="too_many_tokens"),
    ],
)
def test_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(logits(), np.zeros(4), **options)


def test_wrong_shapes_refused() -> None:
    with pytest.raises(ValueError, match=r"logits \(3,\)"):
        sample(np.ones(3), np.zeros(3))
    with pytest.raises(ValueError, match=r"uniform \(3,\)"):
        sample(logits(), np.zeros(3))
    with pytest.raises(ValueError, match=r"in \[0, 1\)"):
        sample(logits(), np.ones(4))
