"""Convolutions on bfloat16 rows, to rows and to images of the caller, with their error bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.bounds import exceeds, tolerance
from kernels.native.network import Form, Item, Network, Space, Value
from kernels.reference.image import to_uint8
from tests.cases.convolutions_native import Layer, bands
from tests.cases.native import Arena, check_canaries, convert, guarded, sizes

Array = NDArray[Any]

# The instruction sets that multiply bfloat16.
SETS = ("avx512_bf16", "amx")


def rounded(x: Array) -> Array:
    """float32 rounded to the nearest bfloat16; NaN must be quiet."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    nearest = ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32)
    return np.where(np.isfinite(x), nearest, x).astype(np.float32)


def inputs(layer: Layer, images: int) -> Array:
    """bfloat16 numbers as float32 [images, *input_shape]."""
    return rounded(layer.inputs(images))


def run_rows(
    layer: Layer,
    x: Array,
    instruction_set: str,
    *,
    out: Form = Form.ROWS,
    limits: tuple[float, float] = (-1.0, 1.0),
    capacity: int = 32,
    banded: bool = False,
    threads: int = 1,
    team: bool = False,
    seen_channels: int = 0,
) -> tuple[Array, Array]:
    """x [images, *input_shape] through the layer; gives the output, and whether images are finite.

    Absent images hold NaN. `out` ROWS is converted back to float32; IMAGES, PLANES ([images,
    channels, positions]) and PLAIN come from `rows_images`. With `seen_channels` that many channels
    of ROWS are read back, so also the padded ones.
    """
    arena = Arena(capacity)
    source = Value(Form.PLAIN, Space.INPUT, 0, *sizes(layer.input_shape))
    inside = arena.value(Form.ROWS, layer.input_shape)
    positions, channels = sizes(layer.output_shape)
    straight = out != Form.ROWS
    form = out if straight else Form.PLAIN
    seen = seen_channels or channels
    result = Value(form, Space.OUTPUT, 0, positions, seen)
    outside = result if straight else arena.value(Form.ROWS, layer.output_shape)
    shape = (seen, positions) if out == Form.PLANES else (*layer.output_shape[:-1], seen)
    dtype = np.uint8 if out == Form.IMAGES else np.float32
    with Network(
        capacity, arena.bytes, threads=threads, team=team, instruction_set=instruction_set
    ) as network:
        items = [Item(convert(network, source, inside), 0, 1)]
        number = network.add(
            "rows_images" if straight else "rows_convolution",
            [inside],
            [outside],
            integers=layer.integers,
            numbers=[layer.alpha, *(limits if straight else ())],
            arrays=layer.arrays(),
        )
        step = network.granularity(number) if banded else max(1, layer.rows)
        items += [Item(number, begin, end) for begin, end in bands(layer.rows, step)]
        if not straight:
            padded = replace(outside, channels=seen)
            items.append(Item(convert(network, padded, result), 0, 1))
        network.schedule(items)
        garbage = np.full((capacity, *layer.input_shape), np.nan, np.float32)
        network.run(capacity, [garbage], [np.empty((capacity, *shape), dtype)])
        y, memory = guarded((len(x), *shape), dtype)
        finite = network.run(len(x), [x], [y])
    check_canaries(memory)
    return y, finite


def check(
    layer: Layer,
    x: Array,
    y: Array,
    output: str = "bf16",
    limits: tuple[float, float] = (-1.0, 1.0),
) -> None:
    """Assert that y, of the type `output` of kernels.bounds, is the layer's result for x.

    Operands are rounded as the kernels round them. Products of bfloat16 are exact and sums are in
    float32, in an order that AMX and AVX512_BF16 choose differently; both flush subnormal numbers.
    """
    weight, shift = layer.arrays()
    assert weight is not None
    expected, magnitude = layer.reference(x, rounded(weight), shift)
    allowed = tolerance(
        expected,
        magnitude,
        "bf16",
        output,
        depth=layer.depth,
        activation=layer.activation,
        slope=layer.alpha,
        value_range=limits,
    )
    if output == "uint8":
        expected = to_uint8(expected, limits).astype(np.float64)
    fault = exceeds(y.astype(np.float64), expected, allowed)
    assert fault is None, fault
