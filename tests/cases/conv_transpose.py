"""Hand-picked layers that every tier runs: tensors, float64 reference, allowed error, canaries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.bounds import FORMATS, exceeds, tolerance
from kernels.conv_transpose.design import Design, Packed, Tile
from kernels.conv_transpose.packing import TORCH_TYPES
from kernels.conv_transpose.problem import Problem
from kernels.geometry import Geometry
from kernels.launch import interpreting
from kernels.reference.activation import activation
from kernels.reference.convolution import convolution
from kernels.reference.image import to_uint8

Array = NDArray[np.float64]

SMALL = Tile(rows=16, columns=16, depth=16, warps=1, stages=2)
WIDE = Tile(rows=128, columns=256, depth=16, warps=8, stages=2)
CANARY_ELEMENTS = 256
CANARY = 77


@dataclass(frozen=True)
class Case:
    """One layer at one batch. `tile` suits designs whose rows are samples."""

    name: str
    problem: Problem
    batch: int
    tile: Tile = SMALL
    seed: int = 0

    @property
    def id(self) -> str:
        return self.name


def transposed(
    size: tuple[int, ...], kernel: tuple[int, ...], **more: Any
) -> Callable[..., Problem]:
    geometry = Geometry.transposed(size, kernel, **more)
    return lambda cin, cout, **rest: Problem(geometry, cin, cout, **rest)


def forward(size: tuple[int, ...], kernel: tuple[int, ...], **more: Any) -> Callable[..., Problem]:
    geometry = Geometry.forward(size, kernel, **more)
    return lambda cin, cout, **rest: Problem(geometry, cin, cout, **rest)


POINT = Geometry("forward", (), (), (), (), (), ())
FIRST = transposed((1, 1), (4, 4))
UP = transposed((2, 2), (4, 4), stride=2, padding=1)
UP_3X2 = transposed((3, 2), (4, 4), stride=2, padding=1)

# Layers of a DCGAN for 64x64 with fewer channels.
DCGAN = (
    Case(
        "dcgan-first",
        FIRST(100, 32, activation="relu"),
        3,
        Tile(rows=16, columns=32, depth=64, warps=1, stages=2),
    ),
    Case(
        "dcgan-up",
        UP(32, 24, activation="relu"),
        17,
        Tile(rows=16, columns=32, depth=16, warps=1, stages=3),
    ),
    Case("dcgan-image", UP(16, 3, activation="tanh", output="uint8"), 5),
)

GEOMETRIES = (
    Case("smallest", FIRST(1, 1), 1),
    Case("linear", Problem(POINT, 24, 20), 18),
    Case("odd-kernel", transposed((3, 2), (5, 3), stride=(3, 2), padding=(2, 1))(8, 8), 2),
    Case("kernel-below-stride", transposed((2, 3), (1, 2), stride=(2, 3))(8, 8), 2),
    Case(
        "output-padding",
        transposed((2, 2), (3, 3), stride=2, padding=1, output_padding=1)(8, 8),
        2,
    ),
    Case("1d", transposed((5,), (4,), stride=2, padding=1)(16, 16), 3),
    Case("1d-vocoder", transposed((4,), (16,), stride=8, padding=4)(16, 8), 2),
    Case("3d", transposed((1, 2, 2), (4, 2, 2), stride=2, padding=(1, 0, 0))(8, 8), 2),
    Case("transposed-dilated", transposed((2, 3), (3, 2), stride=2, dilation=(2, 3))(8, 8), 2),
    Case("forward-1x1", forward((2, 3), (1, 1))(16, 16), 3),
    Case("forward-3x3", forward((3, 3), (3, 3), padding=1)(16, 16), 2),
    Case("forward-7-stride-2", forward((7,), (7,), stride=2, padding=3)(8, 16), 2),
    Case("forward-dilated", forward((9,), (3,), padding=4, dilation=3)(16, 16), 2),
    Case("forward-3d", forward((2, 2, 3), (2, 1, 3), padding=(0, 0, 1))(8, 8), 2),
    # One plane of outputs, of a stride that has phases before and after it.
    Case(
        "3d-cropped-to-a-plane",
        transposed((1, 1, 1), (3, 2, 2), stride=(3, 2, 2), padding=(1, 0, 0))(16, 8),
        2,
    ),
    # No tap meets the outputs that dilation and stride, both even, leave out.
    Case("no-tap", transposed((2, 2), (2, 2), stride=2, dilation=2)(8, 8, activation="sigmoid"), 2),
)

CHANNELS = (
    Case("channels-odd", UP(7, 5), 3),
    Case("channels-two-steps", transposed((2,), (4,), stride=2, padding=1)(40, 36), 2),
    Case("rows-three-tiles", Problem(POINT, 8, 8), 33),
    # So many columns that the epilogue takes them in parts.
    Case("wide-tile", Problem(POINT, 16, 250), 3, WIDE),
    Case("wide-tile-fp32", Problem(POINT, 16, 256, output="fp32"), 3, WIDE),
    Case("empty", UP(8, 8), 0),
)

EPILOGUES = (
    *(
        Case(f"{kind}-{output}", FIRST(8, 8, activation=kind, output=output), 3)
        for kind, output in (
            ("none", "fp32"),
            ("relu", "bf16"),
            ("leaky_relu", "fp32"),
            ("tanh", "fp16"),
            ("tanh", "uint8"),
            ("sigmoid", "fp32"),
        )
    ),
    Case(
        "sigmoid-uint8",
        FIRST(8, 3, activation="sigmoid", output="uint8", value_range=(0.0, 1.0)),
        3,
    ),
)

OPERANDS = (
    Case("bf16", UP(16, 16, operand="bf16", output="bf16", activation="leaky_relu"), 3),
    Case("fp32", UP(16, 16, operand="fp32", output="fp32"), 3),
    Case("fp32-unaligned", UP(10, 6, operand="fp32", output="fp32", activation="tanh"), 3),
)

# The general design has neither depth nor stages.
WIDE_ROWS = Tile(rows=64, columns=16, depth=1, warps=1, stages=1)
GENERAL = (
    Case("groups", UP_3X2(8, 12, groups=2), 2, WIDE_ROWS),
    Case(
        "groups-fp32",
        forward((5,), (3,), stride=2)(6, 4, groups=2, operand="fp32", output="fp32"),
        3,
        WIDE_ROWS,
    ),
    Case("depthwise", forward((4, 3), (3, 3), padding=1)(6, 6, groups=6), 2, WIDE_ROWS),
    Case("one-channel", UP_3X2(1, 3, activation="tanh", output="uint8"), 2, WIDE_ROWS),
    Case("general-3d", transposed((2, 1, 2), (2, 3, 2), stride=(2, 1, 3))(2, 17), 1, WIDE_ROWS),
    Case("general-dilated", transposed((3,), (3,), stride=2, dilation=4)(4, 4), 3, WIDE_ROWS),
    Case("general-empty", UP(4, 4, operand="bf16", output="bf16"), 0, WIDE_ROWS),
)

# What designs with samples as rows run.
CASES = DCGAN + GEOMETRIES + CHANNELS + EPILOGUES + OPERANDS

# What designs with positions as rows run beyond CASES: tiles over several samples and phases.
ROWS = (
    *(
        replace(case, tile=replace(case.tile, rows=max(64, case.tile.rows)))
        for case in (*DCGAN, *GEOMETRIES, *CHANNELS, *OPERANDS)
    ),
    Case("rows-7x7", forward((6, 5), (7, 7), stride=2, padding=3)(8, 16), 2),
    Case("rows-2d-stride-3", forward((7, 8), (3, 2), stride=(3, 2), padding=1)(16, 8), 3),
    Case("rows-cut", forward((9,), (2,), stride=3, dilation=2)(8, 8, activation="tanh"), 1),
)


@dataclass
class Data:
    """Tensors of a case. `out` lies inside `buffer`, between canaries, and starts as NaN (255)."""

    x: torch.Tensor
    weight: torch.Tensor
    scale: torch.Tensor
    shift: torch.Tensor
    out: torch.Tensor
    buffer: torch.Tensor
    expected: Array
    allowed: Array


def make(case: Case, device: str = "cpu", algorithm: str | None = None) -> Data:
    """Random tensors of a case with what a kernel must make of them, and how far it may be off.

    algorithm is a name of `kernels.bounds`; fp32 runs as tf32x3 unless it is said.
    """
    problem, geometry = case.problem, case.problem.geometry
    random = np.random.default_rng(case.seed)
    depth = problem.in_channels // problem.groups
    meeting = max(1.0, geometry.useful_products() / max(1, geometry.positions_out))
    operand = TORCH_TYPES[problem.operand]
    x = torch.from_numpy(
        random.standard_normal((case.batch, *geometry.input_size, problem.in_channels))
    ).to(operand)
    weight = torch.from_numpy(
        random.standard_normal((*geometry.kernel, depth, problem.out_channels))
        / np.sqrt(depth * meeting)
    ).to(operand)
    scale = torch.from_numpy(random.uniform(0.5, 1.5, problem.out_channels)).float()
    shift = torch.from_numpy(random.uniform(-0.3, 0.3, problem.out_channels)).float()
    shape = (case.batch, *geometry.output_size, problem.out_channels)
    count = int(np.prod(shape))
    output = TORCH_TYPES[problem.output]
    buffer = torch.full((count + 2 * CANARY_ELEMENTS,), CANARY, dtype=output)
    buffer[CANARY_ELEMENTS : CANARY_ELEMENTS + count] = (
        255 if output is torch.uint8 else float("nan")
    )
    buffer = buffer.to(device)
    out = buffer[CANARY_ELEMENTS : CANARY_ELEMENTS + count].view(shape)
    if problem.operand == "fp32":
        algorithm = algorithm or "tf32x3"
    expected, allowed = _expected(
        problem, algorithm, *(t.double().numpy() for t in (x, weight, scale, shift))
    )
    inputs = (t.to(device) for t in (x, weight.float(), scale, shift))
    return Data(*inputs, out, buffer, expected, allowed)


def check(case: Case, data: Data) -> None:
    """Assert that every output is within its allowed error and that the canaries live."""
    buffer = data.buffer.cpu()
    for name, border in (
        ("before", buffer[:CANARY_ELEMENTS]),
        ("after", buffer[-CANARY_ELEMENTS:]),
    ):
        assert bool((border == CANARY).all()), f"{case.name}: canary {name} the output overwritten"
    fault = exceeds(data.out.cpu().double().numpy(), data.expected, data.allowed)
    assert fault is None, f"{case.name}: {fault}"


def pack(design: Design, case: Case, data: Data) -> Packed:
    """The case's weights, packed for its tile."""
    return design.pack(case.problem, case.tile, data.weight, data.scale, data.shift)


def with_batch(case: Case, batch: int) -> Case:
    return replace(case, batch=batch)


def _expected(
    problem: Problem, algorithm: str | None, x: Array, weight: Array, scale: Array, shift: Array
) -> tuple[Array, Array]:
    """Output in float64, and the error allowed by the table of bounds."""
    geometry, groups = problem.geometry, problem.groups
    linear = convolution(x, weight, geometry, groups) * scale + shift
    size = convolution(np.abs(x), np.abs(weight), geometry, groups) * np.abs(scale) + np.abs(shift)
    value = activation(linear, problem.activation, problem.slope)
    allowed = tolerance(
        value,
        size,
        problem.operand,
        problem.output,
        depth=problem.in_channels // groups * geometry.taps,
        activation=problem.activation,
        slope=problem.slope,
        algorithm=algorithm,
        value_range=problem.value_range,
    )
    if problem.output == "uint8":
        return to_uint8(value, problem.value_range).astype(np.float64), allowed
    if problem.output == "bf16" and interpreting():
        # Compilers round to nearest; Triton's interpreter cuts off, which errs twice as far.
        allowed = allowed + FORMATS["bf16"].unit * (np.abs(value) + allowed)
    return value, allowed
