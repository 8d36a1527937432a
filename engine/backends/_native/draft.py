"""The steps of a Program as they are found, with the forms that each of its values has so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.backends._native.forms import Buffer, Sizes, Tensor, same_bytes, sizes_of
from engine.backends._native.steps import Reads, Step, row_by_row
from engine.core.errors import UnsupportedError
from engine.program.graph import Floats, Operation, Program, Shape
from kernels.native.network import CHANNEL_BLOCK, Form, Space


class Draft:
    """Steps in order; values are converted to a form when the first step needs them so.

    few: so few images (1 to 15) that they are no vector lanes; all threads share each step.
    narrow: the form of bfloat16 values, or None for float32 alone.
    value_range: what uint8 images span.
    """

    def __init__(
        self,
        program: Program,
        *,
        few: bool,
        bf16: bool,
        value_range: tuple[float, float],
        algorithms: Mapping[str, int] | None = None,
    ) -> None:
        self.program = program
        self.few = few
        self.wide = Form.PLAIN if few else Form.LANES
        self.narrow = (Form.PLAIN16 if few else Form.ROWS) if bf16 else None
        self.value_range = value_range
        # Algorithms of lanes_convolution by the layer's name; 0, the kind's own choice, otherwise.
        self.algorithms: Mapping[str, int] = algorithms or {}
        # Where the values that become outputs, and nothing else, go.
        self.ends: dict[str, Tensor] = {}
        self.written: set[int] = set()
        self.steps: list[Step] = []
        self.buffers: list[Buffer] = []
        self._forms: dict[str, list[Tensor]] = {}
        self._shapes: dict[str, Shape] = {}

    def shape(self, name: str) -> Shape:
        """A value's shape, without the batch."""
        return self._shapes[name] if name in self._shapes else self.program.values[name].shape

    def sizes(self, name: str) -> Sizes:
        """Positions and channels of a value; whole numbers have positions alone."""
        shape = self.shape(name)
        return sizes_of((*shape, 1) if self._is_whole(name) else shape)

    def temporary(self, name: str, shape: Shape) -> bool:
        """Name a value that the Program does not have; False if it is there already."""
        new = name not in self._shapes
        self._shapes[name] = shape
        return new

    def bind(self, name: str, form: Form, space: Space, number: int) -> Tensor:
        """A value as the caller's argument; an output has still to be written."""
        self.buffers.append(Buffer(space, number))
        tensor = Tensor(len(self.buffers) - 1, form, self.sizes(name))
        if space == Space.INPUT:
            self._forms[name] = [tensor]
        return tensor

    def new(self, sizes: Sizes, form: Form) -> Tensor:
        """A place in the arena."""
        self.buffers.append(Buffer(Space.ARENA))
        return Tensor(len(self.buffers) - 1, form, sizes)

    def make(self, name: str, form: Form) -> Tensor:
        """A place in the arena for a value that the next step writes."""
        tensor = self.new(self.sizes(name), form)
        self._forms.setdefault(name, []).append(tensor)
        return tensor

    def form_for(self, names: tuple[str, ...], narrow: bool) -> Form:
        """The form in which a step that is no layer takes these values.

        narrow: whether it can take bfloat16. It does where that saves conversions.
        """
        if narrow and self.narrow and all(self._only_narrow(name) for name in names):
            return self.narrow
        return self.wide

    def need(self, name: str, form: Form) -> Tensor:
        """A value in a form, converted if it is not there yet."""
        known = self._forms[name]
        found = next((tensor for tensor in known if tensor.form == form), None)
        if found is None:
            if self._is_whole(name):
                raise UnsupportedError(
                    f"native kernels read whole numbers as labels alone, and {name!r} is computed "
                    "with"
                )
            found = self.new(known[0].sizes, form)
            self.convert(name, self._best_source(known), found)
            known.append(found)
        return found

    def convert(self, name: str, source: Tensor, target: Tensor) -> None:
        """Write a value in another form or place."""
        rows = outer(self.shape(name))
        numbers = self.value_range if target.form == Form.IMAGES else ()
        self.steps.append(
            Step(
                "convert",
                name,
                (source,),
                (target,),
                numbers=numbers,
                rows=rows,
                input_rows=rows,
                rows_first=True,
            )
        )

    def step(
        self,
        operation: Operation,
        kind: str,
        form: Form,
        *,
        inputs: Sequence[str] | None = None,
        made: Sequence[str] | None = None,
        integers: Sequence[int] = (),
        numbers: Sequence[float] = (),
        arrays: Sequence[Floats | None] = (),
        input_rows: int | None = None,
        reads: Reads | None = row_by_row,
    ) -> None:
        """A step with an operation's inputs and outputs, or those named, all in one form.

        input_rows: those of the output, unless told.
        reads: None for a kind that cannot run in bands, and is not told how many rows there are.
        """
        given = operation.inputs if inputs is None else inputs
        sources = tuple(self.need(name, form) for name in given if name)
        names = operation.outputs if made is None else made
        outputs = tuple(self.make(name, form) for name in names if name)
        rows = 1 if reads is None else outer(self.shape(names[0]))
        self.steps.append(
            Step(
                kind,
                operation.name,
                sources,
                outputs,
                tuple(integers),
                tuple(numbers),
                tuple(arrays),
                rows=rows,
                input_rows=rows if input_rows is None else input_rows,
                rows_first=reads is not None,
                reads=reads or row_by_row,
            )
        )

    def end(self, name: str) -> Tensor | None:
        """The caller's output as a step that makes this value can write it, and then has."""
        target = self.ends.get(name)
        if target is None or not same_bytes(target.form, self.sizes(name), target.sizes):
            return None
        self.written.add(target.buffer)
        return Tensor(target.buffer, target.form, self.sizes(name))

    def finish(self, name: str, target: Tensor) -> None:
        """Write a value to the caller's output, unless its layer did."""
        if target.buffer in self.written:
            return
        self.convert(name, self._best_source(self._forms[name]), target)

    def alias(self, old: str, new: str) -> None:
        """`new` is `old` with other sizes; forms in which that moves channels are left behind."""
        if old not in self._forms:
            # A layer wrote it straight to the caller, and nothing else reads it.
            return
        sizes = self.sizes(new)
        kept = self._reshaped(old, sizes)
        if not kept:
            # Channels that change go through float32.
            self.need(old, self.wide)
            kept = self._reshaped(old, sizes)
        self._forms[new] = kept

    def _is_whole(self, name: str) -> bool:
        return name not in self._shapes and self.program.values[name].dtype == "int64"

    def _only_narrow(self, name: str) -> bool:
        return all(tensor.form == self.narrow for tensor in self._forms[name])

    def _reshaped(self, name: str, sizes: Sizes) -> list[Tensor]:
        return [
            Tensor(tensor.buffer, tensor.form, sizes)
            for tensor in self._forms[name]
            if same_bytes(tensor.form, tensor.sizes, sizes)
        ]

    def _best_source(self, known: list[Tensor]) -> Tensor:
        """float32 where it is there, so that nothing is rounded twice."""
        return next((tensor for tensor in known if tensor.form == self.wide), known[0])


def outer(shape: Shape) -> int:
    """Rows of a value: its outermost axis, if that is not the channels."""
    return shape[0] if len(shape) > 1 else 1


def whole_blocks(channels: int) -> bool:
    """Whether no block of bfloat16 channels is padded."""
    return channels % CHANNEL_BLOCK == 0


def refusal(operation: Operation, why: str) -> UnsupportedError:
    """The error for an operation that native networks do not have."""
    return UnsupportedError(f"native kernels cannot run {operation.kind} {operation.name!r}: {why}")
