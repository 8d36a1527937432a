"""What was measured, as a file and as the README's table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.reporting import words
from benchmarks.results import Machine
from engine.core.errors import ArtifactError
from engine.core.files import write_text
from engine.core.records import ArrayTable, decode_record, encode_record

FORMAT = "generator-engine formats"
SECTION = "formats"
KERNELS = "kernels"


@dataclass(frozen=True, slots=True)
class Row:
    """A model in one form, against PyTorch in float32.

    max_error: largest difference of outputs (of decoder and encoder) over the width of the output
        range. equal: share of equal uint8 values. built: for which GPUs, where nothing could be
        run. failed: why there is nothing, or nothing for some GPUs.
    """

    model: str
    form: str
    size_bytes: int = 0
    max_error: float | None = None
    mean_psnr_db: float | None = None
    worst_psnr_db: float | None = None
    equal: float | None = None
    built: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Formats:
    """All rows of one run."""

    machine: Machine
    samples: int
    # Where those that are not ours come from.
    sources: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


def section(found: Formats) -> str:
    """The README's table: a row for each form, a column for each model."""
    models = list(dict.fromkeys(row.model for row in found.rows))
    forms = list(dict.fromkeys(row.form for row in found.rows))
    gpus = {form: _gpus(row for row in found.rows if row.form == form) for form in forms}
    cells = {(row.model, row.form): _cell(row, gpus[row.form]) for row in found.rows}
    rows = [[form, *(cells.get((model, form), "") for model in models)] for form in forms]
    built = "; ".join(f"{form}: {', '.join(every)}" for form, every in gpus.items() if every)
    sources = "; ".join(f"{name}: {where}" for name, where in found.sources)
    return "\n\n".join(
        (
            f"{words.machine(found.machine)}; {words.versions(found.machine)}. {found.samples} "
            "samples of seed 0 (or of dcgan-emoji, where images are given) against PyTorch in "
            "float32 (an ONNX file of others: against onnxruntime): the largest error over the "
            "width of the output range, of decoder and "
            "encoder; from 1e-4 on PSNR of the uint8 images, mean / worst sample. What is built, "
            f"and not run here, is for these GPUs: {built}. {sources}.",
            table(["", *models], rows),
        )
    )


def _gpus(rows: Iterable[Row]) -> tuple[str, ...]:
    """All that any of the rows was built for."""
    return tuple(dict.fromkeys(gpu for row in rows for gpu in row.built))


def _cell(row: Row, gpus: tuple[str, ...]) -> str:
    if row.built:
        left = [gpu for gpu in gpus if gpu not in row.built]
        return f"built, not for {', '.join(left)}" if left else "built"
    if row.failed:
        return "refused"
    if row.max_error is None:
        return f"{100 * (row.equal or 0):.2f} % of values equal"
    if row.max_error == 0:
        return "equal"
    if row.max_error < 1e-4 or row.mean_psnr_db is None or row.worst_psnr_db is None:
        return f"{row.max_error:.0e}"
    return f"{row.mean_psnr_db:.1f} / {row.worst_psnr_db:.1f} dB"


def write(path: Path, found: Formats) -> None:
    """Write the file in one step. Raises OutputError."""
    values = {"format": FORMAT, **encode_record(found, ArrayTable())}
    write_text(path, json.dumps(values, indent=1) + "\n")


def read(path: Path) -> Formats:
    """Read what `write` wrote. Raises ArtifactError."""
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read: {error}") from error
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise ArtifactError(f"{path}: not a result of benchmarks.formats")
    found: Formats = decode_record(values, Formats, ())
    return found
