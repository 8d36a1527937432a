"""An ONNX file as a graph of onnx-ir, functions inlined, without what no output needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, RemoveUnusedNodesPass

from engine.core.errors import ArtifactError
from engine.program.lowering.patterns import put_together

if TYPE_CHECKING:
    from onnx import ModelProto


def read(source: str | Path | ModelProto) -> ir.Model:
    """The graph of a file or of a model in memory. Raises ArtifactError."""
    if isinstance(source, (str, Path)):
        path = Path(source)
        if not path.is_file():
            raise ArtifactError(f"{path}: no such file")
        try:
            model = ir.load(path)
        # protobuf's DecodeError derives from Exception alone; importing it would bind us to it.
        except Exception as error:
            raise ArtifactError(
                f"{path}: not a readable ONNX file, or cut short: {error}"
            ) from error
    else:
        model = ir.from_proto(source)
    if not len(model.graph):
        raise ArtifactError(f"{label(source)}: not an ONNX model; it has no graph")
    _check_names(model, label(source))
    if len(model.functions):
        model = InlinePass()(model).model
    return put_together(RemoveUnusedNodesPass()(model).model)


def _check_names(model: ir.Model, shown: str) -> None:
    """onnx-ir gives text in no encoding as bytes, which nobody after it expects."""
    for node in model.graph.all_nodes():
        values = (value.name for value in (*node.inputs, *node.outputs) if value is not None)
        names: tuple[object, ...] = (node.name, node.op_type, node.domain, *values)
        broken = [name for name in names if not isinstance(name, (str, type(None)))]
        if broken:
            raise ArtifactError(f"{shown}: a damaged ONNX file: it speaks of {broken[0]!r}")


def label(source: str | Path | ModelProto) -> str:
    """How messages call it."""
    if isinstance(source, onnx.ModelProto):
        return source.graph.name or "model"
    return str(source)
