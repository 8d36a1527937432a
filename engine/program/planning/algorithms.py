"""The algorithm of every operation, with its tile and the reason.

Layers are chosen by whoever knows the kernels, behind `Chooser`; the rest is told by its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from engine.core.errors import BackendUnavailableError, OptionError
from engine.program import graph
from engine.program.graph import Convolution, Linear, Operation, Program, Recurrent
from engine.program.planning.layers import layer_problem, rows_per_sample
from engine.program.planning.types import ElementType, Precision
from kernels.conv_transpose.problem import Problem


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How an operation runs: a name, its tile ('' where there is none), and why.

    `detail` is the record of whoever chose, for whoever packs the weights.
    """

    name: str
    tile: str
    reason: str
    detail: Any = None


# Problem, rows of its batch, compute capability -> algorithm.
Chooser = Callable[[Problem, int, int], Algorithm]

_MAP = Algorithm("pointwise", "", "one pass over the elements, bound by memory")
_MOVE = Algorithm("move", "", "elements copied once, by their strides")
_ROWS = Algorithm("reduction", "", "a row is what is reduced, read once where it fits a program")
_RECURRENT = Algorithm("recurrent_step", "", "rows are samples; steps follow one another")
# What is no layer has one algorithm each, whatever its shape.
FIXED: Mapping[type[Operation], Algorithm] = {
    graph.Elementwise: _MAP,
    graph.Affine: _MAP,
    graph.PRelu: _MAP,
    graph.Add: _MAP,
    graph.Binary: _MAP,
    graph.Concat: _MOVE,
    graph.Permute: _MOVE,
    graph.Slice: _MOVE,
    graph.Pad: _MOVE,
    graph.Upsample: _MOVE,
    graph.Softmax: _ROWS,
    graph.Reduce: _ROWS,
    graph.InstanceNorm: _ROWS,
    graph.LayerNorm: _ROWS,
    graph.Pool: Algorithm("pool", "", "each output gathers its window"),
    graph.Resample: Algorithm("resample", "", "each output gathers the taps of its row, by axis"),
    graph.Embedding: Algorithm("gather", "", "rows of the table by index"),
    graph.Constant: Algorithm("copy", "", "the same bytes for every sample"),
    graph.Reshape: Algorithm("view", "", "the same bytes in another shape"),
    graph.MatMul: Algorithm("torch", "", "both factors are data: cuBLAS"),
}


def choose_kernels(problem: Problem, rows: int, architecture: int) -> Algorithm:
    """The choice of the convolution kernels' own planner.

    Raises BackendUnavailableError without Triton and PyTorch, in which the designs are written,
    and OptionError for an architecture that the kernels do not support.
    """
    missing = [name for name in ("triton", "torch") if find_spec(name) is None]
    if missing:
        raise BackendUnavailableError(
            f"planning asks the Triton kernels, and {' and '.join(missing)} is not installed; "
            "pip install 'generator-engine[triton]'"
        )
    from kernels.conv_transpose.planner import plan

    try:
        choice = plan(problem, rows, architecture)
    except ValueError as error:
        raise OptionError(f"sm{architecture}: {error}") from error
    tile = choice.tile
    shape = f"{tile.rows}x{tile.columns}x{tile.depth}, {tile.warps} warps, {tile.stages} stages"
    return Algorithm(choice.design, shape, choice.reason, choice)


def algorithm(
    operation: Operation,
    program: Program,
    types: Mapping[str, ElementType],
    precision: Precision,
    batch: int,
    architecture: int,
    chooser: Chooser,
) -> Algorithm:
    """The algorithm of one operation at a batch on a compute capability (80, 90, ...)."""
    if isinstance(operation, (Convolution, Linear)):
        problem = layer_problem(operation, program, types, precision)
        return chooser(problem, batch * rows_per_sample(operation, program), architecture)
    if isinstance(operation, Recurrent):
        if operation.cell == "gru" and not operation.linear_before_reset:
            return Algorithm("torch", "", "the fused step is PyTorch's GRU, linear before reset")
        return _RECURRENT
    return FIXED[type(operation)]
