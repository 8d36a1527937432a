"""Values of a native network before they have a place: form, sizes, and the buffer they lie in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from engine.program.graph import Shape
from kernels.native.network import CHANNEL_BLOCK, Form, Space, Value

_BLOCKED = (Form.ROWS, Form.PLAIN16)


class Sizes(NamedTuple):
    """Positions (all axes but the last) and channels (the last) of a value of one image."""

    positions: int
    channels: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value in one form. Tensors of one buffer are the same bytes."""

    buffer: int
    form: Form
    sizes: Sizes

    def bytes(self, capacity: int) -> int:
        """Bytes of a micro-batch of `capacity` images."""
        return self.at(Space.ARENA, 0).bytes(capacity)

    def at(self, space: Space, offset: int) -> Value:
        """The value that it is once its buffer has a place."""
        return Value(self.form, space, offset, *self.sizes)


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes of a micro-batch: in the arena, or argument `number` of the caller."""

    space: Space
    number: int = 0


def sizes_of(shape: Shape) -> Sizes:
    """Sizes of a Program's value; a number without axes is one position of one channel."""
    return Sizes(math.prod(shape[:-1]), shape[-1]) if shape else Sizes(1, 1)


def same_bytes(form: Form, old: Sizes, new: Sizes) -> bool:
    """Whether a value of `old` sizes is also its reshape to `new` ones, without a copy."""
    if old == new:
        return True
    if math.prod(old) != math.prod(new):
        return False
    if form in _BLOCKED:
        # Padded channels would have to move.
        return old.channels % CHANNEL_BLOCK == 0 and new.channels % CHANNEL_BLOCK == 0
    if form == Form.PLANES:
        return 1 in old and 1 in new
    return True
