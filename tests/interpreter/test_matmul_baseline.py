from __future__ import annotations

import pytest
import torch

from kernels.conv_transpose.design import Tile
from kernels.matmul_baseline import launch

TILE = Tile(rows=16, columns=16, depth=16, warps=1, stages=2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["fp16", "bf16"])
@pytest.mark.parametrize("sizes", [(16, 16, 16), (40, 24, 56), (1, 3, 17)], ids=str)
def test_product(sizes: tuple[int, int, int], dtype: torch.dtype) -> None:
    m, n, k = sizes
    torch.manual_seed(0)
    a, b = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)
    buffer = torch.full((m * n + 64,), float("nan"), dtype=dtype)
    buffer[:32] = buffer[-32:] = 77
    c = buffer[32:-32].view(m, n)
    launch(TILE, a, b, c).run()
    expected = a.double() @ b.double()
    # One rounding of the result (the interpreter cuts bf16 off), and sums of k terms in fp32.
    rounding = 2.0**-11 if dtype is torch.float16 else 2.0**-7
    allowed = expected.abs() * rounding + a.double().abs() @ b.double().abs() * (k + 1) * 2.0**-24
    assert bool(((c.double() - expected).abs() <= allowed).all())
    assert bool((buffer[:32] == 77).all())
    assert bool((buffer[-32:] == 77).all())


def test_shapes_that_do_not_fit() -> None:
    a, b, c = (torch.zeros(shape) for shape in ((4, 5), (6, 7), (4, 7)))
    with pytest.raises(ValueError, match="do not fit"):
        launch(TILE, a, b, c)
