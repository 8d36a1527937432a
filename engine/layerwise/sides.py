"""An engine as something whose layers can be read."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from engine.backends.base import not_installed
from engine.core.artifacts import Artifact
from engine.core.errors import BackendUnavailableError, OptionError
from engine.layerwise.layers import Reader

if TYPE_CHECKING:
    from engine.api import Engine

_SHUT = {
    "tensorrt": "layers of a TensorRT plan cannot be read; compare the ONNX file it was built from",
    "null": "the backend 'null' has no layers; give a model",
}


class Side:
    """One engine; a checkpoint that its backend takes as ONNX is exported once."""

    def __init__(self, engine: Engine, cleanup: ExitStack) -> None:
        if engine.backend in _SHUT:
            raise OptionError(f"{engine.artifact.name}: {_SHUT[engine.backend]}")
        self._engine = engine
        self._artifact = engine.file
        if engine.backend != "eager" and self._artifact.kind == "checkpoint":
            from engine.convert import checkpoint_as_onnx

            self._artifact = checkpoint_as_onnx(self._artifact, cleanup)

    def reader(self, entry_point: str) -> Reader:
        """The layers of an entry point, in the form that the backend runs."""
        engine, artifact = self._engine, self._artifact
        if engine.backend == "eager":
            from engine.layerwise.torch_layers import TorchLayers

            return TorchLayers(artifact, engine.spec, entry_point, engine.device, engine.precision)
        if engine.backend == "onnxruntime":
            for module in ("onnx", "torch"):
                missing = not_installed(module, "torch,onnx")
                if missing:
                    raise BackendUnavailableError(f"reading the layers of ONNX graphs: {missing}")
            from engine.layerwise.onnx_layers import OnnxLayers

            graph = artifact if entry_point == "decoder" else artifact.encoder()
            return OnnxLayers(graph.path, engine.spec, entry_point, engine.device)
        return self._program_reader(artifact, entry_point)

    def _program_reader(self, artifact: Artifact, entry_point: str) -> Reader:
        from engine.backends._programs import open_programs
        from engine.layerwise.program_layers import CutLayers, NumpyLayers

        opened = open_programs(artifact)
        program = opened.programs[entry_point]
        if self._engine.backend == "numpy":
            return NumpyLayers(program, opened.spec, entry_point)
        return CutLayers(program, opened.spec, entry_point, self._engine)
