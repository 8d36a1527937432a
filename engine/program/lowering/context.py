"""What the rules work with: known tensors, views by ONNX name, and a draft to write into."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from engine.program.graph import Operation, Permute, Reshape
from engine.program.lowering.constants import Const
from engine.program.lowering.draft import Draft
from engine.program.lowering.errors import Refusal
from engine.program.lowering.views import Atom, Dim, View, dim_of, size_of, without_batch
from engine.program.values import DType, Shape

Tensor = View | Const
_Op = TypeVar("_Op", bound=Operation)


class Context:
    """The state of one lowering. `batch` is the size that stands for the batch."""

    def __init__(self, batch: int, opsets: dict[str, int]) -> None:
        self.batch = Atom(batch, batch=True)
        self.opsets = opsets
        self.draft = Draft()
        self.tensors: dict[str, Tensor] = {}
        # Name and output name of the node at hand.
        self.node = ""
        self.output = ""
        self._arranged: dict[tuple[str, Dim, Shape], str] = {}

    def emit(
        self,
        kind: type[Operation],
        inputs: Sequence[str],
        shape: Shape,
        dtype: DType = "float32",
        /,
        **fields: Any,
    ) -> str:
        """Append an operation with one output; gives the output's name."""
        return self.emit_many(kind, inputs, [shape], dtype, **fields)[0]

    def _emit_move(self, kind: type[Operation], source: str, shape: Shape, /, **fields: Any) -> str:
        """Append an operation that only moves numbers; what it makes is called like its source."""
        base = source.partition("@")[0]
        name = self.draft.add_value(f"{base}@{self.node}", shape, self.draft.values[source].dtype)
        operation = kind(name=self.node, inputs=(source,), outputs=(name,), **fields)
        self.draft.operations.append(operation)
        return name

    def emit_many(
        self,
        kind: type[Operation],
        inputs: Sequence[str],
        made: Iterable[Shape],
        dtype: DType = "float32",
        /,
        **fields: Any,
    ) -> list[str]:
        """Append an operation; gives its outputs' names."""
        names = [self.draft.add_value(self.output, shape, dtype) for shape in made]
        operation = kind(name=self.node, inputs=tuple(inputs), outputs=tuple(names), **fields)
        self.draft.operations.append(operation)
        return names

    def arrange(self, view: View, dims: Sequence[int | Dim], shape: Shape | None = None) -> str:
        """The value with the view's dimensions (or given atoms) in this order in memory.

        Its shape is one axis for each of `dims` unless `shape` says otherwise. Costs nothing where
        the order already is so, a Reshape where only the shape differs, a Permute otherwise.
        """
        groups = [without_batch(view.dims[d] if isinstance(d, int) else d) for d in dims]
        wanted: Dim = tuple(atom for group in groups for atom in group)
        if set(wanted) != set(view.order):
            raise Refusal("its axes cannot be told apart from the batch")
        shape = tuple(size_of(group) for group in groups) if shape is None else shape
        key = (view.value, wanted, shape)
        if key not in self._arranged:
            self._arranged[key] = self._move(view, groups, shape)
        return self._arranged[key]

    def _move(self, view: View, groups: Sequence[Dim], shape: Shape) -> str:
        wanted = tuple(atom for group in groups for atom in group)
        if wanted == view.order:
            return self.reshaped(view.value, shape)
        runs = _runs(view.order, groups)
        name = self.reshaped(view.value, tuple(size_of(run) for run in runs))
        position = {run[0]: index for index, run in enumerate(runs)}
        axes = tuple(position[atom] for atom in wanted if atom in position)
        made = tuple(size_of(runs[axis]) for axis in axes)
        return self.reshaped(self._emit_move(Permute, name, made, axes=axes), shape)

    def reshaped(self, name: str, shape: Shape) -> str:
        """The value in another shape."""
        if self.draft.shape(name) == shape:
            return name
        return self._emit_move(Reshape, name, shape, shape=shape)

    def fresh(
        self,
        value: str,
        order: Sequence[int],
        sizes: Sequence[int],
        like: View,
        dtype: DType = "float32",
    ) -> View:
        """A view of a new value whose axes are the dimensions `order` (without the batch).

        `sizes` are those of the ONNX tensor; the batch stands where it stands in `like`.
        """
        at = like.batch_axis
        dims = [(self.batch,) if axis == at else dim_of(size) for axis, size in enumerate(sizes)]
        return View(
            value, tuple(a for axis in order for a in without_batch(dims[axis])), tuple(dims), dtype
        )

    def channels_last(self, view: View) -> list[int]:
        """Dimensions of [batch, channels, *spatial] in the Program's order."""
        view.need_batch_first()
        if view.rank < 3:
            raise Refusal(f"a tensor of rank {view.rank} has no spatial axes")
        return [*range(2, view.rank), 1]

    def natural_order(self, view: View, batch_axis: int | None = None) -> list[int]:
        """An order of the dimensions but the batch's, as close to memory as can be.

        That of memory if each dimension lies in one piece, else channels last for [batch, C, *S].
        `batch_axis` is that of a tensor that this one meets, if it has no batch itself.
        """
        at = view.batch_axis if view.batch_axis is not None else batch_axis
        rest = [axis for axis in range(view.rank) if axis != at]
        place = {atom: index for index, atom in enumerate(view.order)}
        empty = [axis for axis in rest if not view.dims[axis]]
        full = [axis for axis in rest if view.dims[axis]]
        full.sort(key=lambda axis: min(place.get(a, 0) for a in view.dims[axis]))
        whole = (
            tuple(atom for axis in full for atom in without_batch(view.dims[axis])) == view.order
        )
        spatial = at in (0, None) and view.rank >= 4
        last = [*rest[1:], *rest[:1]] if spatial else rest
        # What a linear layer makes as one vector can be made in any order: its columns follow.
        if not whole or (spatial and len(self.draft.shape(view.value)) == 1):
            return last
        # Axes of size 1 go where the usual order has them, if it is no other for the rest.
        if [axis for axis in last if axis in full] == full:
            return last
        if [axis for axis in rest if axis in full] == full:
            return rest
        return [*empty, *full]

    def common_order(self, views: Sequence[View], batch_axis: int | None) -> list[int]:
        """An order of the dimensions for tensors that meet: channels last where they disagree.

        A tensor with fewer elements follows the others.
        """
        largest = max(math.prod(view.shape) for view in views)
        orders = [
            self.natural_order(view, batch_axis)
            for view in views
            if math.prod(view.shape) == largest
        ]
        rank = views[0].rank
        if batch_axis in (0, None) and rank >= 4 and any(order != orders[0] for order in orders):
            return [*range(2, rank), 1]
        return orders[0]


def _runs(order: Dim, groups: Sequence[Dim]) -> list[Dim]:
    """The order cut where its neighbours are no neighbours within one of the wanted groups."""
    after = {first: second for group in groups for first, second in itertools.pairwise(group)}
    runs: list[Dim] = []
    for atom in order:
        if runs and after.get(runs[-1][-1]) is atom:
            runs[-1] = (*runs[-1], atom)
        else:
            runs.append((atom,))
    return runs
