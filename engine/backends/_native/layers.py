"""Convolutions and linear layers as steps."""

from __future__ import annotations

import math
from functools import partial

from engine.backends._native.draft import Draft
from engine.backends._native.rows import phases, rows_read
from engine.backends._native.steps import Step
from engine.program.graph import (
    Affine,
    Concat,
    Convolution,
    Elementwise,
    Embedding,
    Floats,
    Linear,
    Program,
    Reshape,
)
from kernels.geometry import Geometry
from kernels.native.network import ACTIVATIONS, Form, geometry_integers

# Below this many input channels of a group, most of a block of 32 would be padding: float32 lanes,
# which pad nothing, do less work.
_FEWEST_NARROW = 8
# What rows_images keeps in registers; more channels are written as rows and converted.
_MOST_IMAGE_CHANNELS = 16
# The phases of a stride, and what a dilation skips, are columns of the image kernels' products.
_MOST_IMAGE_COLUMNS = 1024
_MOST_AXES = 3
# Winograd F(4x4, 2x2) makes four rows of each of the `stride` phases at once; a block of AMX tiles
# makes two.
_GRAIN = {"lanes_convolution": 4, "rows_convolution": 2, "rows_images": 2}
# What fully connected networks have beside linear layers.
_BESIDE_LINEAR = (Affine, Concat, Elementwise, Embedding, Reshape)


def only_linear(program: Program) -> bool:
    """Whether all layers of a Program are linear ones, of one position."""
    layers = [op for op in program.operations if not isinstance(op, _BESIDE_LINEAR)]
    return bool(layers) and all(
        isinstance(op, Linear) and math.prod(program.values[op.inputs[0]].shape[:-1]) == 1
        for op in layers
    )


def convolution(operation: Convolution, draft: Draft) -> None:
    """A convolution of any direction."""
    _layer(operation, draft, operation.geometry, operation.weight, operation.groups)


def linear(operation: Linear, draft: Draft) -> None:
    """A linear layer: a convolution with kernels of one tap over its leading axes."""
    leading = draft.shape(operation.inputs[0])[:-1]
    if math.prod(leading) == 1:
        leading = ()
    elif len(leading) > _MOST_AXES:
        leading = (math.prod(leading),)
    geometry = Geometry.forward(leading, (1,) * len(leading))
    _layer(operation, draft, geometry, operation.weight, 1)


def _layer(
    operation: Convolution | Linear, draft: Draft, geometry: Geometry, weight: Floats, groups: int
) -> None:
    """Weight [*kernel, in / groups, out], or [in, out] of a linear layer."""
    inside, out = weight.shape[-2:]
    source, made = operation.inputs[0], operation.outputs[0]
    narrow = draft.narrow if inside >= _FEWEST_NARROW else None
    form = narrow or draft.wide
    end = draft.end(made) if _writes_images(draft, narrow, geometry, out) else None
    kind, integers, numbers = _kind(operation, draft, narrow, end is not None)
    activation = operation.activation
    rows, input_rows = (
        (geometry.output_size[0], geometry.input_size[0]) if geometry.rank else (1, 1)
    )
    draft.steps.append(
        Step(
            kind,
            operation.name,
            (draft.need(source, form),),
            (end or draft.make(made, form),),
            (
                *geometry_integers(geometry),
                inside * groups,
                out,
                groups,
                ACTIVATIONS.index(activation.kind),
                *integers,
            ),
            (activation.alpha, *numbers),
            (weight, operation.shift),
            rows=rows,
            input_rows=input_rows,
            reads=partial(rows_read, geometry),
            grain=_GRAIN.get(kind, 1) * phases(geometry),
            weight_bytes=weight.size * (2 if narrow else 4),
        )
    )


def _writes_images(draft: Draft, narrow: Form | None, geometry: Geometry, out: int) -> bool:
    """Whether the kind for these forms can write to the caller itself."""
    columns = out * math.prod(geometry.stride) * math.prod(geometry.dilation)
    few_columns = out <= _MOST_IMAGE_CHANNELS and columns <= _MOST_IMAGE_COLUMNS
    # What has one position needs no stage: any number of channels will do.
    narrow_end = few_columns or geometry.rank == 0
    return draft.few or (narrow is not None and narrow_end)


def _kind(
    operation: Convolution | Linear, draft: Draft, narrow: Form | None, ends: bool
) -> tuple[str, tuple[int, ...], tuple[float, ...]]:
    """The kind, and what it takes beyond the integers and numbers of all convolutions."""
    if draft.few:
        return "positions_convolution", (), draft.value_range
    if narrow is None:
        return "lanes_convolution", (draft.algorithms.get(operation.name, 0),), ()
    return ("rows_images", (), draft.value_range) if ends else ("rows_convolution", (), ())
