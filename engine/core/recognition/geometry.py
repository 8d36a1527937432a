"""Strides and paddings, which no state dict holds: the usual ones that lead to a usual size."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# (stride, padding, output_padding) of transposed convolutions by kernel, with how unusual they are.
_USUAL: dict[int, tuple[tuple[int, int, int, int], ...]] = {
    1: ((1, 0, 0, 0),),
    2: ((2, 0, 0, 0), (1, 0, 0, 3)),
    3: ((2, 1, 1, 0), (1, 1, 0, 1), (2, 0, 0, 3), (1, 0, 0, 3), (2, 1, 0, 3)),
    4: ((2, 1, 0, 0), (1, 0, 0, 3), (2, 0, 0, 3), (4, 0, 0, 5)),
    5: ((2, 2, 1, 0), (1, 2, 0, 1), (2, 0, 0, 3), (1, 0, 0, 3), (2, 1, 0, 3), (2, 2, 0, 3)),
    6: ((2, 2, 0, 0), (2, 0, 0, 3)),
    7: ((2, 3, 1, 0), (1, 3, 0, 1), (1, 0, 0, 3)),
    8: ((4, 2, 0, 0), (2, 3, 0, 1)),
    16: ((8, 4, 0, 0), (4, 6, 0, 1)),
    25: ((4, 11, 1, 0), (2, 12, 1, 1)),
}
_LARGEST = 4096
_TRIED = 20000
_NO_PADDING = 2.5


@dataclass(frozen=True, slots=True)
class Geometry:
    """Stride, padding and output padding of one convolution, alike in all dimensions."""

    stride: int
    padding: int
    output_padding: int = 0


@dataclass(frozen=True, slots=True)
class Sized:
    """One convolution of a chain: kernel, direction, and the upsampling in front of it."""

    kernel: int
    transposed: bool
    upsample: int = 1


def layouts(start: int, layers: Sequence[Sized]) -> list[tuple[Geometry, ...]]:
    """Geometries of a chain that starts with maps of side `start`, the most usual first."""
    options = []
    side: int | None = start
    for layer in layers:
        options.append(list(_options(layer, first=side == 1)))
        # Only the first layer can still meet maps of one position.
        side = None
    costed = []
    for combination in itertools.islice(itertools.product(*options), _TRIED):
        geometry = tuple(item for item, _ in combination)
        end = final_side(start, layers, geometry)
        if 0 < end <= _LARGEST:
            cost: float = sum(item_cost for _, item_cost in combination)
            if all(
                item.padding == item.output_padding == 0 and item.stride < 3 for item in geometry
            ):
                # One habit, PyTorch's default padding, is likelier than several exceptions.
                cost = min(cost, _NO_PADDING + cost / 100)
            costed.append((cost + unusual(end), geometry))
    costed.sort(key=lambda item: item[0])
    return [geometry for _, geometry in costed]


def final_side(start: int, layers: Sequence[Sized], geometry: Sequence[Geometry]) -> int:
    """Side of the maps behind the last layer, 0 if one would be empty."""
    side = start
    for layer, item in zip(layers, geometry, strict=True):
        side *= layer.upsample
        if layer.transposed:
            side = (side - 1) * item.stride - 2 * item.padding + layer.kernel + item.output_padding
        else:
            side = (side + 2 * item.padding - layer.kernel) // item.stride + 1
        if side < 1:
            return 0
    return side


def unusual(side: int) -> int:
    """How far a side is from what data sets have: powers of two, 28, then multiples of 16."""
    if side == 28 or (side >= 32 and side & (side - 1) == 0):
        return 0
    if side % 16 == 0:
        return 2 if side > 16 else 3
    return 8


def encoders(start: int, kernels: Sequence[int], end: int) -> list[tuple[Geometry, ...]]:
    """Geometries of strided convolutions from maps of side `start` to side `end`."""
    options = [
        [Geometry(2, (kernel - 1) // 2), Geometry(1, kernel // 2), Geometry(2, 0), Geometry(1, 0)]
        for kernel in kernels
    ]
    layers = [Sized(kernel, transposed=False) for kernel in kernels]
    tried = itertools.islice(itertools.product(*options), _TRIED)
    found = [geometry for geometry in tried if final_side(start, layers, geometry) == end]
    # One habit for all layers is likelier than several.
    return sorted(found, key=lambda geometry: len({(i.stride, i.padding > 0) for i in geometry}))


def _options(layer: Sized, *, first: bool) -> Iterator[tuple[Geometry, int]]:
    if not layer.transposed:
        yield Geometry(1, layer.kernel // 2), 0
        return
    if first:
        # From 1x1 the stride does not matter: the output is the kernel.
        yield Geometry(1, 0), 0
        return
    for stride, padding, output_padding, cost in _USUAL.get(layer.kernel, ()):
        yield Geometry(stride, padding, output_padding), cost
    if layer.kernel not in _USUAL:
        stride = max(1, layer.kernel // 2)
        yield Geometry(stride, (layer.kernel - stride) // 2, (layer.kernel - stride) % 2), 0
