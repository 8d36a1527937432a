"""Checkpoint or ONNX file -> `.gen`: lowered, held against onnxruntime, packed."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.backends import native
from engine.backends._native.precision import describe
from engine.backends._onnx_session import open_session, told_precision
from engine.backends._programs import lowered
from engine.backends.base import installed_version
from engine.core.artifacts import Artifact
from engine.core.errors import OptionError
from engine.core.files import sha256
from engine.core.version import __version__
from engine.program import gen
from engine.program.gen import Gen
from export.choices import WEIGHT_PRECISIONS, WeightPrecision
from export.gen_parity import TOLERANCE, graph_error, moved
from export.round_program import round_weights
from export.source import as_onnx


@dataclass(frozen=True)
class GenReport:
    """A file that was written: errors against onnxruntime, and what rounding moved, or None."""

    path: Path
    gen: Gen
    size_bytes: int
    errors: Mapping[str, float]
    rounding: float | None
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """For the user."""
        lines = [f"wrote     {self.path} ({self.size_bytes / 1e6:.2f} MB)"]
        for entry_point, error in self.errors.items():
            operations = len(self.gen.programs[entry_point].operations)
            lines += [
                f"program   {entry_point}: {operations} operations",
                f"parity    max error {error:.1e} against onnxruntime, batches 1 and 5 "
                f"(limit {TOLERANCE:.0e})",
            ]
        if self.gen.evidence is not None:
            lines.append(f"precision {describe(self.gen.evidence, 'measured here')}")
        if self.rounding is not None:
            lines.append(
                f"note      rounding the weights to fp16 moved outputs by at most "
                f"{self.rounding:.1e}"
            )
        return lines


def export_gen(
    artifact: Artifact, out: str | Path, precision: WeightPrecision = "fp32"
) -> GenReport:
    """Write OUT.gen with all entry points; the same source gives the same bytes.

    Raises ExportError for what a Program cannot express, naming the node, or for Programs that
    differ from their graphs; ArtifactError for a spec that is another graph's; NumericalError,
    OutputError.
    """
    if precision not in WEIGHT_PRECISIONS:
        raise OptionError(
            f"precision={precision!r} is unknown; known are {', '.join(WEIGHT_PRECISIONS)}"
        )
    out = Path(out)
    with tempfile.TemporaryDirectory(prefix="generator-engine-") as folder:
        source = as_onnx(artifact, Path(folder))
        programs = lowered(artifact, source.spec, source.graphs)
        # Of an ONNX file whose weights were rounded before.
        already = told_precision(open_session(source.graphs["decoder"])) == "fp16-weights"
        errors = {name: graph_error(source, name, program) for name, program in programs.items()}
    rounding = None
    if precision == "fp16-weights":
        rounded = {name: round_weights(program) for name, program in programs.items()}
        rounding = max(moved(source.spec, name, programs[name], rounded[name]) for name in rounded)
        programs = rounded
    told: WeightPrecision = "fp16-weights" if already else precision
    made = Gen(source.spec, programs, _provenance(artifact, told))
    made = dataclasses.replace(made, evidence=native.evidence(made))
    gen.write(out, made)
    return GenReport(out, made, out.stat().st_size, errors, rounding, source.notes)


def _provenance(artifact: Artifact, precision: WeightPrecision) -> gen.Source:
    tools = {"generator-engine": __version__}
    tools |= {name: installed_version(name) for name in ("numpy", "onnx", "onnx-ir")}
    if artifact.kind == "checkpoint":
        tools["torch"] = installed_version("torch")
    return gen.Source(artifact.path.name, sha256(artifact.path), tuple(tools.items()), precision)
