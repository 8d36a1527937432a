"""A positions_convolution in a network of its own: float32 straight from the caller and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.geometry import Geometry
from kernels.native.network import ACTIVATIONS, Form, Network, Space, Value, geometry_integers
from kernels.reference import convolution as reference
from kernels.reference.activation import sigmoid
from tests.cases.native import check_canaries, guarded

Array = NDArray[Any]
ALPHA = 0.2
# Products of float32 one after the other; tanh and sigmoid are within 3 units.
FLOAT_BOUND = 3e-6


def rounded(x: Array) -> Array:
    """Float32 rounded to bfloat16, ties to even."""
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


@dataclass(frozen=True)
class Layer:
    """Sizes of a layer; weights follow from them."""

    geometry: Geometry
    in_channels: int
    out_channels: int
    groups: int = 1
    activation: str = "none"
    shifted: bool = True
    bfloat16: bool = False
    form: Form = Form.PLAIN
    value_range: tuple[float, float] = (-1.0, 1.0)
    halves: bool = False  # weights that float16 holds, some of them below its normal range

    def weights(self) -> tuple[Array, Array | None]:
        """Of a size that keeps outputs near 1: weight [*kernel, in / groups, out], shift [out]."""
        random = np.random.default_rng(self.in_channels * 1000 + self.out_channels)
        depth = self.in_channels // self.groups
        weight = random.standard_normal((*self.geometry.kernel, depth, self.out_channels))
        weight /= math.sqrt(depth * self.geometry.taps)
        if self.halves:
            weight.flat[::7] *= 1e-4
            weight = weight.astype(np.float16)
        shift = random.standard_normal(self.out_channels) if self.shifted else None
        return weight.astype(np.float32), None if shift is None else shift.astype(np.float32)

    def inputs(self, images: int) -> Array:
        """Numbers [images, *input_size, in_channels]; an image does not depend on how many."""
        random = np.random.default_rng(7)
        shape = (images, *self.geometry.input_size, self.in_channels)
        return random.standard_normal(shape).astype(np.float32)

    def expected(self, x: Array) -> tuple[Array, float]:
        """Float64 outputs, and the scale that errors are measured with."""
        return self.compute(x, *self.weights())

    def expected_bfloat16(self, x: Array) -> tuple[Array, float]:
        """The same of inputs and weights rounded to bfloat16."""
        weight, shift = self.weights()
        return self.compute(rounded(x), rounded(weight), shift)

    def compute(self, x: Array, weight: Array, shift: Array | None) -> tuple[Array, float]:
        """As `expected`, with other weights."""
        sums = reference.convolution(x, weight, self.geometry, self.groups)
        sums = sums if shift is None else sums + shift.astype(np.float64)
        scale = max(1.0, float(np.abs(sums).max(initial=0.0)))
        functions: dict[str, Any] = {
            "none": lambda s: s,
            "relu": lambda s: np.maximum(s, 0.0),
            "leaky_relu": lambda s: np.where(s < 0, s * ALPHA, s),
            "tanh": np.tanh,
            "sigmoid": sigmoid,
        }
        return functions[self.activation](sums), scale

    def build(
        self, instruction_set: str, *, capacity: int = 4, team: bool = True, **options: Any
    ) -> Network:
        """Its network: bfloat16 layers convert float32 from and to the caller in the arena."""
        positions = self.geometry.positions_in, self.geometry.positions_out
        source = Value(Form.PLAIN, Space.INPUT, 0, positions[0], self.in_channels)
        target = Value(self.form, Space.OUTPUT, 0, positions[1], self.out_channels)
        arena = 0
        inner, result = source, target
        if self.bfloat16:
            inner = replace(source, form=Form.PLAIN16, space=Space.ARENA)
            arena = -(-inner.bytes(capacity) // 64) * 64
            if self.form == Form.PLAIN16:
                target = replace(target, form=Form.PLAIN)
                result = replace(target, form=Form.PLAIN16, space=Space.ARENA, offset=arena)
                arena += result.bytes(capacity)
        options.setdefault("threads", 1)
        network = Network(capacity, arena, team=team, instruction_set=instruction_set, **options)
        if inner is not source:
            network.add("convert", [source], [inner], integers=[1])
        network.add(
            "positions_convolution",
            [inner],
            [result],
            integers=[
                *geometry_integers(self.geometry),
                self.in_channels,
                self.out_channels,
                self.groups,
                ACTIVATIONS.index(self.activation),
            ],
            numbers=[ALPHA, *self.value_range],
            arrays=self.weights(),
        )
        if result is not target:
            network.add("convert", [result], [target], integers=[1])
        return network

    def run(self, x: Array, instruction_set: str, **options: int) -> tuple[Array, Array]:
        """Outputs as the form has them, between canaries, and which images were finite."""
        with self.build(instruction_set, **options) as network:
            positions, channels = self.geometry.output_size, self.out_channels
            shape: tuple[int, ...] = (len(x), *positions, channels)
            if self.form == Form.PLANES:
                shape = (len(x), channels, *positions)
            dtype = np.uint8 if self.form == Form.IMAGES else np.float32
            out, memory = guarded(shape, dtype)
            finite = network.run(len(x), [x], [out])
            check_canaries(memory)
        return out, finite
