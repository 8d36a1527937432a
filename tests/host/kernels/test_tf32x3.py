"""What fp32 convolutions cost in accuracy: tf32x3 emulated in numpy, held against its bound."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.bounds import ALGORITHMS, growth

Singles = NDArray[np.float32]
# Products that a tensor core adds at a time.
STEP = 8


def rounded(x: Singles) -> Singles:
    """To the 11 significant bits of tf32, nearest, ties away from zero (cvt.rna.tf32.f32)."""
    return ((x.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


def cut(x: Singles) -> Singles:
    return (x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def product(pairs: list[tuple[Singles, Singles]]) -> Singles:
    """The sum of several products, a step of all of them after the other, in fp32."""
    rows, depth = pairs[0][0].shape
    total = np.zeros((rows, pairs[0][1].shape[1]), np.float32)
    for first in range(0, depth, STEP):
        at = slice(first, first + STEP)
        for x, w in pairs:
            total += (x[:, at].astype(np.float64) @ w[at].astype(np.float64)).astype(np.float32)
    return total


@pytest.mark.parametrize("to_tf32", [rounded, cut])
@pytest.mark.parametrize("depth", [64, 2048])
def test_three_products_are_as_good_as_fp32(to_tf32, depth: int) -> None:
    random = np.random.default_rng(depth)
    x = random.standard_normal((32, depth)).astype(np.float32)
    w = random.standard_normal((depth, 32)).astype(np.float32)
    exact = x.astype(np.float64) @ w.astype(np.float64)
    magnitude = np.abs(x).astype(np.float64) @ np.abs(w).astype(np.float64)

    def error(result: Singles) -> float:
        return float((np.abs(result - exact) / magnitude).max())

    big_x, big_w = to_tf32(x), to_tf32(w)
    small_x, small_w = to_tf32(x - big_x), to_tf32(w - big_w)
    three = error(product([(small_x, big_w), (big_x, small_w), (big_x, big_w)]))
    one = error(product([(big_x, big_w)]))
    single = error(product([(x[:, k : k + 1], w[k : k + 1]) for k in range(depth)]))
    rule = ALGORITHMS["tf32x3"]
    assert three <= growth(depth) * rule.unit + rule.product
    assert three <= 2 * single
    assert one >= 100 * three
