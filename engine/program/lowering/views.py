"""How an ONNX tensor is seen in a value of the Program, whose axes lie in another order.

Both are cut into atoms: runs of indices that stay together. A view lists the atoms of each ONNX
dimension, and the order in which the same atoms lie in memory. Reshape, Transpose, Flatten and
their kin then only rewrite the view; data moves when an operation asks for another order.

Axes of size 1 have no atom. The batch is an atom of its own, which never splits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.program.lowering.errors import Refusal
from engine.program.values import DType


@dataclass(frozen=True, eq=False, slots=True)
class Atom:
    """A run of indices; two atoms are the same only if they are one object."""

    size: int
    batch: bool = False


Dim = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class View:
    """An ONNX tensor whose numbers are those of a value of the Program."""

    value: str
    order: Dim
    dims: tuple[Dim, ...]
    dtype: DType = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the ONNX tensor, with the stand-in for the batch."""
        return tuple(size_of(dim) for dim in self.dims)

    @property
    def rank(self) -> int:
        """Number of ONNX dimensions."""
        return len(self.dims)

    @property
    def batch_axis(self) -> int | None:
        """The dimension that holds the batch, or None if all samples share the tensor."""
        found = [i for i, dim in enumerate(self.dims) if any(atom.batch for atom in dim)]
        return found[0] if found else None

    def axis(self, axis: int, extra: int = 0) -> int:
        """A checked, non-negative axis; `extra` new axes may be counted."""
        rank = self.rank + extra
        if not -rank <= axis < rank:
            raise Refusal(f"axis {axis} does not exist in a tensor of rank {rank}")
        return axis % rank

    def sample_axis(self, axis: int) -> int:
        """A checked axis that is not the batch's."""
        axis = self.axis(axis)
        if any(atom.batch for atom in self.dims[axis]):
            raise Refusal(f"it works along axis {axis}, which is the batch: samples would mix")
        return axis

    def need_batch_first(self) -> None:
        """Raise Refusal unless the batch is dimension 0, alone (or absent, of size 1)."""
        first = self.dims[0] if self.dims else ()
        if self.batch_axis not in (0, None) or any(not atom.batch for atom in first):
            raise Refusal("its first axis is not the batch alone")

    def with_dims(self, dims: Sequence[Dim]) -> View:
        """The same data seen with other dimensions."""
        return View(self.value, self.order, tuple(dims), self.dtype)

    def transpose(self, axes: Sequence[int]) -> View:
        """ONNX Transpose."""
        return self.with_dims([self.dims[axis] for axis in axes])

    def squeeze(self, axes: Sequence[int] | None) -> View:
        """ONNX Squeeze."""
        sizes = self.shape
        if axes is None:
            chosen = {i for i, dim in enumerate(self.dims) if not dim}
        else:
            chosen = {self.axis(axis) for axis in axes}
        for axis in chosen:
            if sizes[axis] != 1:
                raise Refusal(f"axis {axis} has size {sizes[axis]}, not 1")
        kept: list[Dim] = []
        # A batch of size 1 that is squeezed away goes on with its neighbour.
        carried: Dim = ()
        for axis, dim in enumerate(self.dims):
            if axis in chosen:
                carried += dim
            else:
                kept.append(carried + dim)
                carried = ()
        if carried and kept:
            kept[-1] += carried
        elif carried:
            raise Refusal("it squeezes the batch away")
        return self.with_dims(kept)

    def unsqueeze(self, axes: Sequence[int]) -> View:
        """ONNX Unsqueeze."""
        chosen = {self.axis(axis, len(axes)) for axis in axes}
        rest = iter(self.dims)
        rank = self.rank + len(chosen)
        return self.with_dims([() if axis in chosen else next(rest) for axis in range(rank)])

    def reshape(self, shape: Sequence[int]) -> View:
        """The same elements in another shape; atoms are split where an edge falls inside one."""
        if math.prod(shape) != math.prod(self.shape):
            raise Refusal(f"{list(self.shape)} cannot be reshaped to {list(shape)}")
        pieces: dict[Atom, Dim] = {}
        flat = iter([atom for dim in self.dims for atom in dim])
        dims = list(_regroup(flat, shape, pieces))
        order = tuple(part for atom in self.order for part in _parts(atom, pieces))
        return View(self.value, order, tuple(dims), self.dtype)


def size_of(dim: Dim) -> int:
    """Number of indices of a dimension."""
    return math.prod(atom.size for atom in dim)


def without_batch(dim: Dim) -> Dim:
    """The atoms that lie in memory."""
    return tuple(atom for atom in dim if not atom.batch)


def dim_of(size: int) -> Dim:
    """A fresh dimension."""
    return (Atom(size),) if size != 1 else ()


def _parts(atom: Atom, pieces: dict[Atom, Dim]) -> Dim:
    if atom not in pieces:
        return (atom,)
    return tuple(part for piece in pieces[atom] for part in _parts(piece, pieces))


def _regroup(flat: Iterator[Atom], shape: Sequence[int], pieces: dict[Atom, Dim]) -> Iterator[Dim]:
    """Atoms in order, dealt out to dimensions of the given sizes."""
    current = next(flat, None)
    for position, size in enumerate(shape):
        dim: Dim = ()
        missing = size
        while current is not None:
            if missing % current.size == 0 and (missing > 1 or _free(current, missing)):
                dim += (current,)
                missing //= current.size
                current = next(flat, None)
            elif missing > 1:
                if current.batch or current.size % missing:
                    raise Refusal(_mixed(current, shape))
                left, right = Atom(missing), Atom(current.size // missing)
                pieces[current] = (left, right)
                dim += (left,)
                missing, current = 1, right
            if missing == 1:
                break
        if missing != 1:
            raise Refusal(_mixed(current, shape))
        if position == len(shape) - 1 and current is not None:
            # Only a batch of size 1 can be left.
            dim += (current,)
        yield dim


def _free(atom: Atom, missing: int) -> bool:
    return missing == 1 and atom.batch and atom.size == 1


def _mixed(atom: Atom | None, shape: Sequence[int]) -> str:
    what = "the batch" if atom is not None and atom.batch else "axes"
    return f"the reshape to {list(shape)} mixes {what} in a way that cannot be followed"
