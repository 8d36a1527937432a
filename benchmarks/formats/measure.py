"""Every model in every form, against the backend of its own file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.formats import forms
from benchmarks.formats.forms import Form
from benchmarks.formats.results import KERNELS, Formats, Row
from benchmarks.formats.subjects import Array, Subject, subject
from benchmarks.machine import describe_machine
from engine.core.artifacts import open_artifact
from engine.core.budget import Cost
from engine.core.errors import EngineError
from engine.images import to_uint8


def measure(models: Sequence[str], samples: int, told: Callable[[str], None]) -> Formats:
    """Every model in every form. What fails is a row that says why."""
    rows: list[Row] = []
    subjects = [subject(name, samples) for name in models]
    for model in subjects:
        with tempfile.TemporaryDirectory(prefix="generator-engine-") as name:
            folder = Path(name)
            reference = model.samples(model.artifact, model.reference, "fp32", images=False)
            for form in forms.FORMS:
                if form.of_network and not model.is_network:
                    continue
                told(f"{model.name}: {form.name}")
                with _reasons(rows, model.name, form.name):
                    rows.append(_row(model, form, folder, reference))
            for row, precision in forms.PLANS.items():
                if precision != "fp32" and not model.is_network:
                    continue
                told(f"{model.name}: {row}")
                with _reasons(rows, model.name, row):
                    rows.append(forms.plans(model.name, row, model.artifact, folder, precision))
            told(f"{model.name}: {KERNELS}")
            with _reasons(rows, model.name, KERNELS):
                rows.append(forms.kernels(model.name, model.artifact, folder))
    sources = tuple((model.name, model.source) for model in subjects if model.source)
    return Formats(describe_machine(), samples, sources, tuple(rows))


@contextmanager
def _reasons(rows: list[Row], model: str, form: str) -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        rows.append(Row(model, form, failed=" ".join(str(error).split())))


def _row(model: Subject, form: Form, folder: Path, reference: Array) -> Row:
    path = form.make(model.artifact, folder)
    made = model.samples(open_artifact(path), form.backend, form.precision, form.images)
    size = path.stat().st_size
    if not model.image:
        # Scores and states have no range of their own.
        scale = np.abs(reference).max()
        return Row(model.name, form.name, size, float(np.abs(made - reference).max() / scale))
    span = model.spec.output.range
    images = to_uint8(reference, span)
    error = None
    if not form.images:
        width = span[1] - span[0]
        error = float(np.abs(made.astype(np.float64) - reference).max() / width)
        error = max(error, _encoder_error(model, form, path, images))
        made = to_uint8(made, span)
    cost = Cost.of(made, images)
    equal = float((made == images).mean())
    return Row(model.name, form.name, size, error, cost.mean_psnr_db, cost.worst_psnr_db, equal)


def _encoder_error(model: Subject, form: Form, path: Path, images: Array) -> float:
    if "encoder" not in model.spec.entry_points:
        return 0.0
    ours = model.posterior(open_artifact(path), form.backend, form.precision, images)
    theirs = model.posterior(model.artifact, model.reference, "fp32", images)
    if ours is None or theirs is None:
        return 0.0
    pairs = zip(ours, theirs, strict=True)
    return max(float((np.abs(a - b) / np.maximum(1.0, np.abs(b))).max()) for a, b in pairs)
