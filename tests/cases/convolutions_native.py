"""Convolutions for the native kernels: a layer with its float64 result and what may be missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.geometry import Geometry
from kernels.native.network import (
    ACTIVATIONS,
    Form,
    Item,
    Network,
    Space,
    Value,
    geometry_integers,
)
from kernels.reference.activation import activation as activate
from kernels.reference.convolution import convolution
from tests.cases.native import Arena, check_canaries, convert, guarded, sizes

Array = NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """A layer with random weights; `alpha` is the slope of leaky_relu."""

    geometry: Geometry
    in_channels: int
    out_channels: int
    groups: int = 1
    activation: str = "none"
    shift: bool = True
    alpha: float = 0.2
    # Positions of a linear layer (rank 0), each of which is a row.
    positions: tuple[int, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Without the batch."""
        return (*self.positions, *self.geometry.input_size, self.in_channels)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Without the batch."""
        return (*self.positions, *self.geometry.output_size, self.out_channels)

    @property
    def rows(self) -> int:
        """Positions of the outermost axis of the output; all positions of a linear layer."""
        return self.geometry.output_size[0] if self.geometry.rank else math.prod(self.positions)

    @property
    def integers(self) -> list[int]:
        """What every convolution kind begins with."""
        return [
            *geometry_integers(self.geometry),
            self.in_channels,
            self.out_channels,
            self.groups,
            ACTIVATIONS.index(self.activation),
        ]

    @property
    def depth(self) -> int:
        """The most products in a sum."""
        return self.geometry.taps * self.in_channels // self.groups

    def arrays(self) -> list[Array | None]:
        """Weight [*kernel, in / groups, out] and shift [out] or none, float32."""
        numbers = np.random.default_rng(1)
        shape = (*self.geometry.kernel, self.in_channels // self.groups, self.out_channels)
        weight = numbers.standard_normal(shape).astype(np.float32)
        shift = numbers.standard_normal(self.out_channels).astype(np.float32)
        return [weight, shift if self.shift else None]

    def inputs(self, images: int) -> Array:
        """float32 [images, *input_shape]."""
        numbers = np.random.default_rng(images)
        return numbers.standard_normal((images, *self.input_shape)).astype(np.float32)

    def reference(self, x: Array, weight: Array, shift: Array | None) -> tuple[Array, Array]:
        """The float64 result [images, *output_shape], and the magnitude of its sums (bounds.py)."""
        sums = self._sum(x, weight) + (0.0 if shift is None else shift.astype(np.float64))
        size = self._sum(np.abs(x), np.abs(weight)) + (0.0 if shift is None else np.abs(shift))
        result = activate(sums, self.activation, self.alpha)
        return np.asarray(result, np.float64), np.broadcast_to(size, sums.shape)

    def _sum(self, x: Array, weight: Array) -> Array:
        lead = x.shape[: 1 + len(self.positions)]
        rows = x.reshape(-1, *x.shape[len(lead) :])
        out = convolution(rows, weight, self.geometry, self.groups)
        return out.reshape(*lead, *out.shape[1:])


def bands(rows: int, granularity: int) -> Sequence[tuple[int, int]]:
    """The smallest bands that an operation can run, last one first."""
    return [(row, min(row + granularity, rows)) for row in reversed(range(0, rows, granularity))]


def run_lanes(
    layer: Layer,
    x: Array,
    *,
    capacity: int = 32,
    instruction_set: str,
    algorithm: int = 0,
    banded: bool = False,
    pieces: Sequence[tuple[int, int]] = (),
    threads: int = 1,
    team: bool = False,
) -> Array:
    """`lanes_convolution` on x [images, *input_shape], with NaN in the lanes of absent images.

    banded: in the smallest bands, last first. pieces: in these bands.
    """
    arena = Arena(capacity)
    source = Value(Form.PLAIN, Space.INPUT, 0, *sizes(layer.input_shape))
    result = Value(Form.PLAIN, Space.OUTPUT, 0, *sizes(layer.output_shape))
    inside = arena.value(Form.LANES, layer.input_shape)
    outside = arena.value(Form.LANES, layer.output_shape)
    with Network(
        capacity, arena.bytes, threads=threads, team=team, instruction_set=instruction_set
    ) as network:
        into = convert(network, source, inside)
        number = network.add(
            "lanes_convolution",
            [inside],
            [outside],
            integers=[*layer.integers, algorithm],
            numbers=[layer.alpha],
            arrays=layer.arrays(),
        )
        back = convert(network, outside, result)
        if banded:
            pieces = bands(layer.rows, network.granularity(number))
        if pieces:
            items = [Item(number, begin, end) for begin, end in pieces]
            network.schedule([Item(into, 0, 1), *items, Item(back, 0, 1)])
        garbage = np.full((capacity, *layer.input_shape), np.nan, np.float32)
        network.run(capacity, [garbage], [np.empty((capacity, *layer.output_shape), np.float32)])
        y, memory = guarded((len(x), *layer.output_shape), np.float32)
        network.run(len(x), [x], [y])
    check_canaries(memory)
    return y
