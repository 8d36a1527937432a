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


@dataclass(frozen=True, slots=True)
class Count:
    """Bytes of one launch: traced, and by `Design.work`."""

    traced_fill: int
    formula_fill: int
    traced_compulsory: int
    formula_compulsory: int


TRACED_ARCHITECTURE = 80


def _layer(design: str, problem: Problem, batch: int, tile: Tile) -> Layer:
    return Layer(problem, batch, load_design(design), tile, problem.in_channels)


def reduced() -> Mapping[str, Layer]:
    """One small layer a design, with full and ragged tiles, by name."""
    up = Problem(Geometry.transposed((2, 2), (4, 4), 2, 1), 32, 32)
    return {
        "position_major": _layer("position_major", up, 20, Tile(16, 32, 16, 1, 3)),
        "position_major, two columns": _layer("position_major", up, 16, Tile(16, 16, 32, 1, 2)),
        "shifted_grid": _layer("shifted_grid", up, 2, Tile(16, 32, 16, 1, 3)),
    }


def count(layer: Layer, architecture: int) -> Count:
    """Run a layer of zeros in the simulator and count. Raises the simulator's errors."""
    launch = layer_launch(layer, "cpu")
    traffic = simulate(
        compile_launch(launch, architecture), schedule="lockstep", trace=True
    ).traffic
    assert traffic is not None
    work = layer.design.work(layer.problem, layer.tile, layer.batch)
    reads = [traffic.read_buffers[name] for name in ("x_ptr", "w_ptr")]
    written = traffic.written_buffers["out_ptr"]
    return Count(
        traced_fill=sum(each.requested for each in reads),
        formula_fill=work.fill_bytes,
        traced_compulsory=sum(each.compulsory for each in reads) + written.compulsory,
        formula_compulsory=work.compulsory_bytes,
    )
