"""Sums over the taps of a kernel are the grouped convolutions that they stand for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from export.per_sample import PerSample, _convolution, _transposed

GEOMETRIES: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "one tap": ((1, 1), {}),
    "padded": ((3, 3), {"padding": 1}),
    "odd": ((3, 2), {"padding": (1, 0), "stride": (2, 1)}),
    "strided": ((4, 4), {"padding": 1, "stride": 2}),
    "dilated": ((3, 3), {"padding": 2, "dilation": (2, 1)}),
    "apart": ((2, 2), {"stride": 3}),
}


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("extra", [0, 1])
def test_geometries(name: str, extra: int) -> None:
    (height, width), how = GEOMETRIES[name]
    x = torch.randn(1, 3 * 2, 7, 6, dtype=torch.float64)
    weight = torch.randn(3 * 4, 2, height, width, dtype=torch.float64)
    bias = torch.randn(3 * 4, dtype=torch.float64)
    expected = functional.conv2d(x, weight, bias, groups=3, **how)
    assert torch.allclose(_convolution(x, weight, bias, groups=3, **how), expected)
    stride = how.get("stride", 1)
    if extra and stride != 1 and how.get("stride") != (2, 1):
        how = {**how, "output_padding": 1}
    weight = torch.randn(3 * 2, 4, height, width, dtype=torch.float64)
    expected = functional.conv_transpose2d(x, weight, bias, groups=3, **how)
    assert torch.allclose(_transposed(x, weight, bias, groups=3, **how), expected)


def test_fixed_groups_stay_what_they_are() -> None:
    x, weight = torch.randn(2, 6, 5, 5), torch.randn(6, 2, 3, 3)
    with PerSample():
        made = functional.conv2d(x, weight, None, 1, 1, 1, 3)
    assert torch.equal(made, functional.conv2d(x, weight, padding=1, groups=3))
