"""Arrays of the caller as a network's inputs and outputs: which form, and what is left to move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.core.alignment import empty_aligned
from engine.program.entry_points import channels_last, from_program, to_program
from engine.program.graph import Array, Shape, Value
from kernels.native.network import Form


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the spec [n, *shape]: `form` is PLANES where it is taken as it lies."""

    value: Value
    form: Form
    straight: bool

    @classmethod
    def of(cls, value: Value, shape: Shape) -> Input:
        """Channels first as they are, else the Program's own order."""
        if value.dtype == "int64":
            return cls(value, Form.INDEX, straight=True)
        if to_program(np.empty((2, *shape), np.bool_), value).flags.c_contiguous:
            return cls(value, Form.PLAIN, straight=True)
        planes = _is_planes(value, shape)
        return cls(value, Form.PLANES if planes else Form.PLAIN, straight=planes)

    def prepared(self, array: Array) -> Array:
        """A contiguous array of the form's type."""
        kind = np.int64 if self.form == Form.INDEX else np.float32
        return np.ascontiguousarray(array if self.straight else to_program(array, self.value), kind)


@dataclass(frozen=True, slots=True)
class Output:
    """An output of the spec [n, *shape], or images [n, H, W, C] of it.

    straight: whether the network writes it as it shall lie in the end.
    """

    value: Value
    form: Form
    shape: Shape
    straight: bool

    @classmethod
    def of(cls, value: Value, shape: Shape, images: bool) -> Output:
        """Channels first where the network can write so, else the Program's own order."""
        moved = from_program(np.empty((2, *value.shape), np.bool_), value, shape)
        if images:
            lies = moved.transpose(0, 2, 3, 1).flags.c_contiguous
            return cls(value, Form.IMAGES, (*shape[1:], shape[0]), lies)
        if moved.flags.c_contiguous:
            return cls(value, Form.PLAIN, shape, straight=True)
        planes = _is_planes(value, shape)
        return cls(value, Form.PLANES if planes else Form.PLAIN, shape, planes)

    def empty(self, images: int, out: Array | None) -> Array:
        """An array for the network to fill: the caller's, where it can write as that lies."""
        if self.straight and out is not None:
            return out
        kind: type[Any] = np.uint8 if self.form == Form.IMAGES else np.float32
        return empty_aligned((images, *(self.shape if self.straight else self.value.shape)), kind)

    def finished(self, array: Array, out: Array | None) -> Array:
        """What was filled, as the spec has it."""
        if self.straight:
            return array
        first = (self.shape[-1], *self.shape[:-1]) if self.form == Form.IMAGES else self.shape
        moved = from_program(array, self.value, first)
        moved = moved.transpose(0, 2, 3, 1) if self.form == Form.IMAGES else moved
        if out is None:
            return np.ascontiguousarray(moved)
        out[...] = moved
        return out


def _is_planes(value: Value, shape: Shape) -> bool:
    """Whether [C, *sizes] of the spec is [*sizes, C] of the Program, channel by channel."""
    layout = value.layout
    usual = layout is None or (
        layout.batch == 0 and layout.axes == (*range(2, len(layout.source)), 1)
    )
    return usual and len(shape) > 1 and value.shape == channels_last(shape)
