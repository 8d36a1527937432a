"""Bytes counted access by access at a reduced size, beside what a design's formula says.

Each case runs in the PTX simulator with tracing on. Fill is what x and w were asked for; compulsory
is their distinct bytes and those of the output, in sectors of 32 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernels.compile import compile_launch
from kernels.configurations import Layer, layer_launch
from kernels.conv_transpose.design import Tile
from kernels.conv_transpose.designs import load_design
from kernels.conv_transpose.problem import Problem
from kernels.geometry import Geometry
from kernels.ptxsim import simulate

_INPUTS = ("x_ptr", "w_ptr", "x_desc", "w_desc")
_OUTPUTS = ("out_ptr", "out_desc")


@dataclass(frozen=True, slots=True)
class Count:
    """Bytes of one launch: traced, and by `Design.work`."""

    traced_fill: int
    formula_fill: int
    traced_compulsory: int
    formula_compulsory: int


# The one that all designs run on.
TRACED_ARCHITECTURE = 90


def _layer(design: str, problem: Problem, batch: int, tile: Tile) -> Layer:
    return Layer(problem, batch, load_design(design), tile, problem.in_channels)


def reduced(architecture: int = TRACED_ARCHITECTURE) -> Mapping[str, Layer]:
    """Small layers of every design that an architecture can run, some ragged, by name."""
    up = Problem(Geometry.transposed((2, 2), (4, 4), 2, 1), 32, 32)
    down = Problem(Geometry.forward((5, 6), (3, 3), 2, 1), 32, 32)
    # Wide enough for a row to use every packed weight: the formula counts them all.
    row = Geometry.transposed((1, 8), (4, 4), 2, 1)
    image = Problem(row, 16, 3, activation="tanh", output="uint8")
    layers = {
        "position_major": _layer("position_major", up, 20, Tile(16, 32, 16, 1, 3)),
        "position_major, two columns": _layer("position_major", up, 16, Tile(16, 16, 32, 1, 2)),
        "position_rows": _layer("position_rows", down, 3, Tile(16, 32, 16, 1, 3)),
        "shifted_grid": _layer("shifted_grid", up, 2, Tile(16, 32, 16, 1, 3)),
        "grouped_columns": _layer("grouped_columns", image, 6, Tile(16, 32, 16, 1, 2, 1024)),
        "descriptors": _layer("descriptors", up, 20, Tile(64, 32, 32, 4, 2)),
    }
    return {
        name: layer
        for name, layer in layers.items()
        if layer.design.refuses(layer.problem, architecture) is None
    }


def count(layer: Layer, architecture: int) -> Count:
    """Run a layer of zeros in the simulator and count. Raises the simulator's errors."""
    launch = layer_launch(layer, "cpu")
    traffic = simulate(
        compile_launch(launch, architecture), schedule="lockstep", trace=True
    ).traffic
    assert traffic is not None
    work = layer.design.work(layer.problem, layer.tile, layer.batch)
    read, written = traffic.read_buffers, traffic.written_buffers
    reads = [each for name, each in read.items() if name in _INPUTS]
    writes = [each for name, each in written.items() if name in _OUTPUTS]
    return Count(
        traced_fill=sum(each.requested for each in reads),
        formula_fill=work.fill_bytes,
        traced_compulsory=sum(each.compulsory for each in (*reads, *writes)),
        formula_compulsory=work.compulsory_bytes,
    )
