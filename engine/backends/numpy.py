"""The float64 reference executor as a backend: runs every Program, everywhere, slowly.

It is what the other backends of a Program are held against, and the last resort where none of
them runs.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from engine.backends._programs import open_programs
from engine.backends.base import (
    Backend,
    BackendOptions,
    Batch,
    Capabilities,
    Inputs,
    choose_option,
)
from engine.core.artifacts import Artifact
from engine.program.entry_points import from_program, tensors, to_program
from engine.program.execute import execute

_BATCH_SIZE = 8
_NOTE = (
    "numpy runs the model in float64 and without any tuning: it is the reference and the last "
    "resort, not made for speed"
)


class NumpyBackend(Backend):
    """A Program for each entry point, run operation by operation in float64."""

    name = "numpy"
    capabilities = Capabilities(
        artifacts=("gen", "onnx", "checkpoint"),
        devices=("cpu",),
        precisions=("fp64",),
        through_onnx=True,
    )

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        self.device = choose_option("device", options.device, ("cpu",), self.name)
        self.precision = choose_option("precision", options.precision, ("fp64",), self.name)
        self.batch_size = options.batch_size or _BATCH_SIZE
        opened = open_programs(artifact)
        self.spec = opened.spec
        self.notes = (_NOTE,)
        self._programs = dict(opened.programs)

    @classmethod
    def unavailable(cls) -> str | None:
        """Always available."""
        return None

    @classmethod
    def version(cls) -> str:
        """The version of numpy."""
        return np.__version__

    @classmethod
    def open(cls, artifact: Artifact, options: BackendOptions) -> Self:
        """Read a .gen file, or lower an ONNX file."""
        return cls(artifact, options)

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """One batch; outputs are float32 arrays, rounded once from float64."""
        program = self._programs[entry_point]
        feed = {value.name: to_program(inputs[value.name], value) for value in program.inputs}
        made = execute(program, feed)
        _, wanted = tensors(self.spec, entry_point)
        values = {value.name: value for value in program.outputs}
        return Batch(
            {
                name: np.ascontiguousarray(
                    from_program(made[name], values[name], shape), np.float32
                )
                for name, shape in wanted.items()
            }
        )

    def close(self) -> None:
        """Let go of the mapped file."""
        self._programs.clear()
