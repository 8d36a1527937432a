"""Layers of a Program: by the reference executor, or by a backend that runs parts of it.

A part is the Program cut off after a layer: a `.gen` file whose samples are the layer's values.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.backends.base import ENCODER_INPUT
from engine.core.errors import NumericalError
from engine.core.spec import GeneratorSpec, Noise, Output
from engine.latents import tried
from engine.layerwise.feeds import feed
from engine.layerwise.layers import Array, Layer, Reading, Samples, Step, grouped
from engine.program import gen, graph
from engine.program.entry_points import to_program
from engine.program.execute import execute
from engine.program.gen import Gen
from engine.program.graph import Operation, Program, Value

if TYPE_CHECKING:
    from engine.api import Engine

_PRODUCTS = (graph.Convolution, graph.Linear, graph.MatMul, graph.Recurrent)
# The same numbers, elsewhere.
_MOVES = (graph.Reshape, graph.Permute, graph.Constant)
_ARRANGED = (*_MOVES, graph.Concat, graph.Slice)


@dataclass(frozen=True, slots=True)
class _End:
    """Where a layer is read: `name` in the ONNX graph, `value` in the Program; '' for nowhere."""

    layer: Step | None
    name: str
    value: str


class NumpyLayers:
    """The Program in float64, run once."""

    most = None

    def __init__(self, program: Program, spec: GeneratorSpec, entry_point: str) -> None:
        self._program, self._spec, self._entry_point = program, spec, entry_point
        self._ends = _ends(program)

    def read(self, samples: Samples) -> list[Layer]:
        """All layers of one run."""
        inputs = feed(self._spec, self._entry_point, samples)
        fed = {value.name: to_program(inputs[value.name], value) for value in self._program.inputs}
        wanted = {end.value for end in self._ends}
        made: dict[str, Array] = {}

        def keep(_: Operation, values: Mapping[str, Array]) -> None:
            made.update({name: array for name, array in values.items() if name in wanted})

        execute(self._program, fed, observe=keep)
        return [
            _layer(end, np.moveaxis(made[end.value], -1, 1) if end.value else None)
            for end in self._ends
        ]


class CutLayers:
    """The Program cut off after each layer, on the backend, device and precision of an engine."""

    most = None

    def __init__(
        self, program: Program, spec: GeneratorSpec, entry_point: str, engine: Engine
    ) -> None:
        self._program, self._spec, self._entry_point = program, spec, entry_point
        self._engine = engine
        self._ends = _ends(program)

    def read(self, samples: Samples) -> list[Layer]:
        """Layer by layer; where a number is NaN or infinite, a layer is NaN as a whole."""
        with tempfile.TemporaryDirectory(prefix="generator-engine-") as folder:
            return [
                _layer(
                    end,
                    self._run(end, samples, Path(folder) / f"{number}.gen") if end.value else None,
                )
                for number, end in enumerate(self._ends)
            ]

    def _run(self, end: _End, samples: Samples, path: Path) -> Array:
        from engine.api import Engine

        value = self._program.values[end.value]
        shape = (*value.shape[-1:], *value.shape[:-1])
        encoding = self._entry_point == "encoder"
        spec = self._spec.replace(
            entry_points=("decoder",),
            modality="tensor",
            output=Output(shape, layout="", name=value.name),
            precisions=(),
            further=(),
        )
        if encoding:
            spec = spec.replace(latent=Noise(self._spec.output.shape, name=ENCODER_INPUT), noise=())
        gen.write(path, Gen(spec, {"decoder": _cut(self._program, value)}))
        of = self._engine
        # Encoders stay in float32 on this backend.
        plain = encoding and of.backend == "native"
        with Engine(
            path,
            backend=of.backend,
            device=of.device,
            precision="fp32" if plain else of.precision,
            batch_size=of.batch_size,
        ) as engine:
            z = samples.images if encoding else samples.z
            assert z is not None
            rows = []
            for row, number in enumerate(samples.numbers):
                labels = None if samples.labels is None else samples.labels[row : row + 1]
                try:
                    one = z[row : row + 1].reshape(1, *spec.latent.shape)
                    made = engine.decode(
                        tried(spec, one, samples.seed, number),
                        labels,
                        seed=samples.seed,
                        start=number,
                    )
                except NumericalError:
                    made = np.full((1, *shape), np.nan, np.float32)
                rows.append(made)
        path.unlink()
        return np.concatenate(rows)


def _layer(end: _End, array: Array | None) -> Layer:
    readings = () if array is None else (Reading(end.name, array, loose=True),)
    if end.layer is None:
        return Layer("inputs", "", "", readings)
    return Layer(end.layer.name, end.layer.operator, "", readings)


def _ends(program: Program) -> list[_End]:
    """The last value of each layer that is more than moved."""
    made_by = {name: op for op in program.operations for name in op.outputs if name}
    mixed = _mixed(program)
    groups = grouped(map(_step, program.operations), [value.name for value in program.inputs])
    ends = []
    for group in groups:
        makes = [str(key) for key in group.makes]
        own = [name for name in makes if name not in mixed and _is_end(name, made_by[name])]
        changed = [name for name in makes if not isinstance(made_by[name], _ARRANGED)]
        # Of what is computed in a mixed order there is no value to compare.
        if mixed.intersection(changed):
            ends.append(_End(group.product, "", ""))
        elif own and program.values[own[-1]].shape:
            ends.append(_End(group.product, own[-1], _spread(program, own[-1])))
    return ends


def _mixed(program: Program) -> set[str]:
    """Flat values of a map, and what is made of them up to the next product.

    Their numbers stand channels last, those of the ONNX tensor channels first.
    """
    mixed: set[str] = set()
    for operation in program.operations:
        flat = isinstance(operation, graph.Reshape) and len(
            program.values[operation.inputs[0]].shape
        ) > len(operation.shape)
        if flat or (not isinstance(operation, _PRODUCTS) and mixed.intersection(operation.inputs)):
            mixed.update(filter(None, operation.outputs))
    return mixed


def _is_end(name: str, maker: Operation) -> bool:
    # The states after all steps are those of the last step again.
    again = isinstance(maker, graph.Recurrent) and name != maker.outputs[0]
    return not isinstance(maker, _MOVES) and not again


def _step(operation: Operation) -> Step:
    return Step(
        operation.name,
        operation.kind,
        isinstance(operation, _PRODUCTS),
        tuple(filter(None, operation.inputs)),
        tuple(filter(None, operation.outputs)),
    )


def _spread(program: Program, name: str) -> str:
    """The value in which a flat one is laid out as a map, where it is read as that alone.

    The numbers of a flat value lie channels last, unlike those of the ONNX tensor.
    """
    flat = len(program.values[name].shape) == 1
    readers = [operation for operation in program.operations if name in operation.inputs]
    if flat and len(readers) == 1 and isinstance(readers[0], graph.Reshape):
        (made,) = readers[0].outputs
        if len(program.values[made].shape) > len(program.values[name].shape):
            return made
    return name


def _cut(program: Program, value: Value) -> Program:
    """What a value depends on, with the value as the one output."""
    wanted = {value.name}
    kept: list[Operation] = []
    for operation in reversed(program.operations):
        if wanted & set(operation.outputs):
            kept.append(operation)
            wanted.update(operation.inputs)
    operations = tuple(reversed(kept))
    named = {name for operation in operations for name in (*operation.inputs, *operation.outputs)}
    names = named | {item.name for item in program.inputs}
    values: dict[str, Any] = {name: item for name, item in program.values.items() if name in names}
    return replace(program, outputs=(value,), operations=operations, values=values)
