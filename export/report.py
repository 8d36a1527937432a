"""What an export did, for the caller and for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

    from engine.models.loaded import LoadedGenerator
    from export.precision import Lowered

# How the line begins that tells how the assumptions fared.
_CHECKED = "checked: "


@dataclass(frozen=True)
class GraphReport:
    """One file: its tensors as text, its size, its error against PyTorch, norms left unfolded."""

    entry_point: str
    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: int
    size_bytes: int
    error: float
    batch_norms: int
    lowered: Lowered | None = None
    not_run: str = ""

    @classmethod
    def of(
        cls,
        entry_point: str,
        path: Path,
        model: ModelProto,
        error: float,
        lowered: Lowered | None = None,
        not_run: str = "",
    ) -> GraphReport:
        """Read a graph off its protobuf; not_run: why its finished form was not run here."""
        return cls(
            entry_point=entry_point,
            path=path,
            inputs=tuple(_tensor(value) for value in model.graph.input),
            outputs=tuple(_tensor(value) for value in model.graph.output),
            nodes=len(model.graph.node),
            size_bytes=model.ByteSize(),
            error=error,
            batch_norms=sum(node.op_type == "BatchNormalization" for node in model.graph.node),
            lowered=lowered,
            not_run=not_run,
        )


@dataclass(frozen=True)
class ExportReport:
    """All files of one export. rounding is the largest change that fp16 weights made, or None."""

    loaded: LoadedGenerator
    graphs: tuple[GraphReport, ...]
    precision: str
    tolerance: float
    rounding: float | None = None

    def lines(self) -> list[str]:
        """For the user: what was read, what was assumed, what was written."""
        spec = self.loaded.spec
        lines = [f"network   {self.loaded.arch}: {spec.family}"]
        lines += assumed_lines(self.loaded.assumptions)
        for graph in self.graphs:
            lines += [
                f"wrote     {graph.path} ({graph.size_bytes / 1e6:.2f} MB, {graph.nodes} nodes)",
                f"graph     {graph.entry_point}: {', '.join(graph.inputs)} -> "
                f"{', '.join(graph.outputs)}",
                f"parity    max error {graph.error:.1e} against PyTorch, batches 1 and 5 "
                f"(limit {self.tolerance:.0e})",
            ]
            if graph.lowered is not None:
                lines += graph.lowered.lines()
            if graph.not_run:
                lines.append(f"note      its cost was emulated, for {graph.not_run}")
            if graph.batch_norms:
                lines.append(f"note      {graph.batch_norms} batch norms could not be folded")
        if self.rounding is not None:
            lines.append(
                f"note      rounding the weights to fp16 moved outputs by at most "
                f"{self.rounding:.1e}; the rounded network is the reference of the parity"
            )
        return lines


def _tensor(value: ValueInfoProto) -> str:
    from onnx import TensorProto

    names: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.INT64: "int64"}
    names[TensorProto.UINT8] = "uint8"
    tensor = value.type.tensor_type
    sizes = ", ".join(dim.dim_param or str(dim.dim_value) for dim in tensor.shape.dim)
    return f"{value.name} {names.get(tensor.elem_type, 'tensor')} [{sizes}]"


def assumed_lines(assumptions: Sequence[str]) -> list[str]:
    """What was assumed, and what the check of it found, for the user."""
    return [
        f"checked   {line.removeprefix(_CHECKED)}"
        if line.startswith(_CHECKED)
        else f"assumed   {line}"
        for line in assumptions
    ]
