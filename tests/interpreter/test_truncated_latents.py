"""Truncated latents made in a kernel against those of numpy, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kernels.truncated_latents import fill_truncated
from kernels.truncated_normal import truncated_normal


@pytest.mark.parametrize("truncation", [0.01, 0.7, 2.0, 8.0])
def test_the_same_numbers_as_numpy(truncation: float) -> None:
    """All three regions of the inverse, samples that carry, padding."""
    out = torch.full((40, 104), float("nan"))
    fill_truncated(out, truncation, 101, seed=2**63 + 1, start=2**32 - 5, stream=0x100)
    expected = truncated_normal(2**63 + 1, 2**32 - 5, 40, 101, truncation, 0x100)
    np.testing.assert_allclose(out[:, :101].numpy(), expected, rtol=2.0**-23, atol=0)
    assert (out[:, 101:] == 0).all()
    assert out.abs().max() <= truncation


def test_empty_batch() -> None:
    assert fill_truncated(torch.empty(0, 7), 1.0, seed=0).shape == (0, 7)


@pytest.mark.parametrize("truncation", [0.0, -1.0, float("nan"), float("inf")])
def test_refused_truncation(truncation: float) -> None:
    with pytest.raises(ValueError, match="truncation="):
        fill_truncated(torch.empty(2, 4), truncation, seed=0)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (torch.empty(4, 2).t(), "contiguous"),
        (torch.empty(2, 4, dtype=torch.int32), "int32"),
    ],
    ids=["not contiguous", "dtype"],
)
def test_refused_tensors(out: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fill_truncated(out, 1.0, seed=0)
