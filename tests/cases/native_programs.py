"""Programs as native networks on plain arrays, beside what the executor says."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from engine.backends._native.arguments import Input, Output
from engine.backends._native.build import build
from engine.backends._native.choices import Choices
from engine.backends._native.plan import Plan, make_plan
from engine.core.errors import UnsupportedError as UnsupportedError
from engine.program import graph
from engine.program.execute import execute
from engine.program.graph import Activation, Program, Value
from kernels.geometry import Geometry
from kernels.native.network import Form
from tests.cases.small_programs import program, weights

Arrays = Mapping[str, np.ndarray[Any, Any]]


def choices(images: int, instruction_set: str, **changes: Any) -> Choices:
    """Those for a batch: the path for few images below 16, else micro-batches of 16."""
    few = images < 16
    given = {"bf16": False, "threads": 2, "capacity": images if few else 16}
    return Choices(few=few, instruction_set=instruction_set, **(given | changes))


def planned(made: Program, chosen: Choices, form: Form = Form.PLAIN) -> Plan:
    inputs = tuple(
        Input(value, Form.INDEX if value.dtype == "int64" else Form.PLAIN, straight=True)
        for value in made.inputs
    )
    outputs = tuple(Output(value, form, value.shape, straight=True) for value in made.outputs)
    return make_plan(made, chosen, inputs, outputs, (-1.0, 1.0))


def run(plan: Plan, feed: Arrays) -> dict[str, np.ndarray[Any, Any]]:
    """Outputs of a plan's network; they hold NaN, or 77, before it runs."""
    given = [source.prepared(feed[source.value.name]) for source in plan.inputs]
    filled = [output.empty(len(given[0]), None) for output in plan.outputs]
    for array in filled:
        array.fill(77 if array.dtype == np.uint8 else np.nan)
    with build(plan) as network:
        network.run(len(given[0]), given, filled)
    return {output.value.name: array for output, array in zip(plan.outputs, filled, strict=True)}


def expected(made: Program, feed: Arrays) -> dict[str, np.ndarray[Any, Any]]:
    return execute(made, feed)


def inputs_of(made: Program, images: int, seed: int = 5) -> dict[str, np.ndarray[Any, Any]]:
    """Normal numbers, or labels 0 to 2."""
    draw = np.random.default_rng(seed)
    return {
        value.name: draw.integers(0, 3, (images, *value.shape))
        if value.dtype == "int64"
        else draw.standard_normal((images, *value.shape)).astype(np.float32)
        for value in made.inputs
    }


def upsampler(size: int = 4, channels: tuple[int, ...] = (40, 33, 16, 3)) -> Program:
    """Transposed convolutions k4 s2 p1 from [size, size]: a chain that is worth bands."""
    operations: list[graph.Operation] = []
    name = "z"
    for step, (inside, out) in enumerate(pairwise(channels)):
        last = step == len(channels) - 2
        operations.append(
            graph.Convolution(
                name=f"up{step}",
                inputs=(name,),
                outputs=(f"h{step}",),
                geometry=Geometry.transposed((size, size), (4, 4), 2, 1),
                weight=weights(step, 4, 4, inside, out) * 2,
                shift=weights(step + 9, out),
                activation=Activation("tanh" if last else "relu"),
            )
        )
        name, size = f"h{step}", size * 2
    return program(
        "decoder", (Value("z", (size >> len(channels) - 1,) * 2 + channels[:1]),), *operations
    )


_POINTWISE = ("relu", "leaky_relu", "tanh", "silu", "gelu", "sigmoid")


def random_program(seed: int) -> Program:
    """A chain of eight operations on a map, with a value of the way added or joined again."""
    draw = np.random.default_rng(seed)
    shape = (int(draw.integers(2, 5)), int(draw.integers(2, 5)), int(draw.choice([3, 8, 32, 40])))
    start = Value("x", shape)
    operations: list[graph.Operation] = []
    name, kept = "x", ("x", shape)
    for step in range(8):
        made = f"v{step}"
        operation, shape = _next(draw, made, name, shape, kept)
        operations.append(operation)
        name = made
        if draw.random() < 0.4:
            kept = (name, shape)
    return program("random", (start,), *operations)


def _next(
    draw: np.random.Generator,
    made: str,
    name: str,
    shape: tuple[int, ...],
    kept: tuple[str, tuple[int, ...]],
) -> tuple[graph.Operation, tuple[int, ...]]:
    """One operation that fits, and the shape that it makes."""
    height, width, channels = shape
    base: dict[str, Any] = {"name": made, "inputs": (name,), "outputs": (made,)}
    out = int(draw.choice([3, 16, 32, 33]))
    seed = int(draw.integers(1 << 30))
    end = Activation(str(draw.choice(["none", "relu", "tanh"])))
    kind = str(
        draw.choice(
            ["forward", "transposed", "linear", "affine", "act", "join", "add", "norm", "up", "cut"]
        )
    )
    if height * width > 300 and kind in ("transposed", "up"):
        kind = "cut"
    if kind in ("join", "add") and kept[1][:2] != shape[:2]:
        kind = "affine"
    if kind == "add" and kept[1] != shape:
        kind = "join"
    match kind:
        case "forward":
            geometry = Geometry.forward((height, width), (3, 3), 1, 1)
            weight = weights(seed, 3, 3, channels, out)
            return (
                graph.Convolution(**base, geometry=geometry, weight=weight, activation=end),
                (height, width, out),
            )
        case "transposed":
            geometry = Geometry.transposed((height, width), (4, 4), 2, 1)
            weight = weights(seed, 4, 4, channels, out) * 2
            return (
                graph.Convolution(**base, geometry=geometry, weight=weight, activation=end),
                (2 * height, 2 * width, out),
            )
        case "linear":
            weight = weights(seed, channels, out)
            return graph.Linear(**base, weight=weight, activation=end), (height, width, out)
        case "affine":
            scale, shift = weights(seed, channels) + 1, weights(seed + 1, channels)
            return graph.Affine(**base, scale=scale, shift=shift, activation=end), shape
        case "act":
            function = Activation(str(draw.choice(_POINTWISE)), 0.2)
            return graph.Elementwise(**base, activation=function), shape
        case "join":
            base["inputs"] = (name, kept[0])
            return graph.Concat(**base), (height, width, channels + kept[1][-1])
        case "add":
            base["inputs"] = (name, kept[0])
            return graph.Add(**base, activation=end), shape
        case "norm":
            scale, shift = weights(seed, channels) + 1, weights(seed + 1, channels)
            return graph.InstanceNorm(**base, scale=scale, shift=shift, activation=end), shape
        case "up":
            return graph.Upsample(**base, scales=(2, 1)), (2 * height, width, channels)
    sizes = (max(1, height - 1), width, channels)
    begin = (height - sizes[0], 0, 0)
    return graph.Slice(**base, begin=begin, sizes=sizes, step=(1, 1, 1)), sizes
