"""`verify --layers`: on which samples layers are compared, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.cli.compare import Comparison, as_floats, both_encode
from engine.cli.tolerance import rounded_weights
from engine.core.errors import ImagesOnlyError
from engine.latents import tried
from engine.layerwise import Divergence, LayerRow, LayerTolerance, diverge
from engine.layerwise.layers import Samples

if TYPE_CHECKING:
    from engine.api import Engine

# Three to ten times what sound networks show: the shipped models, and those of the tests. A last
# tanh or sigmoid has its largest errors on edges, where few numbers count.
TOLERANCES = {
    "fp32": LayerTolerance(1e-4, 80.0),
    "fp16": LayerTolerance(1e-2, 60.0),
    "bf16": LayerTolerance(0.2, 40.0),
    "int8": LayerTolerance(0.2, 35.0),
}
_LIKE = {"fp64": "fp32", "mixed": "fp16"}
_FIRST = 3


def compare_layers(
    a: Engine, b: Engine, result: Comparison, seed: int, tolerance: float | None, encoders: bool
) -> Divergence:
    """Layers of both on the worst sample of a comparison and the first three.

    tolerance: of the relative error; by default that of the lower precision of the two.
    Raises OptionError where the layers of a side cannot be read.
    """
    numbers = tuple(sorted({result.worst_sample, *range(min(_FIRST, result.samples))}))
    entry_points = ["decoder"]
    if encoders and both_encode(a, b) and result.ended_in != "decoder":
        entry_points.append("encoder")
    samples = _samples(a, numbers, seed, images="encoder" in entry_points)
    allowed = LayerTolerance(tolerance) if tolerance is not None else _allowed(a, b)
    return diverge(a, b, samples, entry_points, allowed)


def _allowed(a: Engine, b: Engine) -> LayerTolerance:
    """That of the lower precision of the two."""
    names = [_LIKE.get(engine.precision, engine.precision) for engine in (a, b)]
    if rounded_weights(a.file) != rounded_weights(b.file):
        names.append("fp16")
    order = list(TOLERANCES)
    return TOLERANCES[max(names, key=order.index)]


def _samples(a: Engine, numbers: tuple[int, ...], seed: int, images: bool) -> Samples:
    z = np.concatenate([a.latents(1, seed=seed, start=number) for number in numbers])
    labels = None
    if a.spec.classes:
        one = [a.labels(1, seed=seed, start=number) for number in numbers]
        labels = np.concatenate([label for label in one if label is not None])
    made = None
    if images:
        made = np.concatenate([_image(a, number, seed) for number in numbers])
    return Samples(numbers, seed, z, labels, made)


def _image(a: Engine, number: int, seed: int) -> Any:
    z = tried(a.spec, a.latents(1, seed=seed, start=number), seed, number)
    labels = a.labels(1, seed=seed, start=number)
    try:
        return as_floats(a.decode(z, labels, seed=seed, start=number), a)
    except ImagesOnlyError:
        return as_floats(a.decode(z, labels, seed=seed, start=number, output="uint8"), a)


def layer_table(found: Divergence) -> list[tuple[str, ...]]:
    """Rows for people: the layers in order, those without a partner, and where it begins."""
    rows: list[tuple[str, ...]] = [
        ("layer", "operator", "shape", "max error", "mean error", "relative", "PSNR", "")
    ]
    rows += _rows(found)
    for entry_point, lone in found.unmatched:
        name = _named(entry_point, lone.layer.name)
        text = f"unmatched: {lone.side.upper()} alone; {lone.reason}"
        rows.append((name, lone.layer.operator, text))
    first = found.first_beyond
    where = "none of those that have a partner" if found.unmatched else "none"
    if first is not None:
        where = _named(first.entry_point, first.name)
    elif not found.rows:
        where = "unknown, as no layer of one side could be told to be one of the other"
    numbers = ", ".join(map(str, found.samples))
    return [
        *rows,
        (f"first layer beyond tolerance: {where}",),
        (f"({_told(found.tolerance)}; samples {numbers})",),
    ]


def _told(allowed: LayerTolerance) -> str:
    least = "" if allowed.min_psnr_db is None else f" and at least {allowed.min_psnr_db:g} dB"
    return f"allowed are {allowed.relative_error:g} of a layer's largest number{least}"


def _rows(found: Divergence) -> Iterator[tuple[str, ...]]:
    for row in found.rows:
        yield (
            _named(row.entry_point, row.name),
            row.operator,
            "x".join(map(str, row.shape)),
            f"{row.max_error:.3g}",
            f"{row.mean_error:.3g}",
            f"{row.relative_error:.3g}",
            f"{row.psnr_db:.1f} dB",
            _mark(found, row),
        )


def _mark(found: Divergence, row: LayerRow) -> str:
    sides = [side for side, finite in zip("AB", row.finite, strict=True) if not finite]
    if sides:
        return f"beyond: NaN or infinity in {' and '.join(sides)}"
    return "beyond" if found.beyond(row) else ""


def _named(entry_point: str, name: str) -> str:
    return name if entry_point == "decoder" else f"{entry_point} {name}"


def layer_values(found: Divergence) -> dict[str, Any]:
    """Keys of the JSON report."""
    first = found.first_beyond
    return {
        "layers": [
            {
                "entry_point": row.entry_point,
                "name": row.name,
                "operator": row.operator,
                "shape": list(row.shape),
                "max_error": row.max_error,
                "mean_error": row.mean_error,
                "relative_error": row.relative_error,
                "psnr_db": row.psnr_db,
                "finite": {"a": row.finite[0], "b": row.finite[1]},
                "beyond": found.beyond(row),
            }
            for row in found.rows
        ],
        "unmatched": [
            {
                "entry_point": entry_point,
                "side": lone.side,
                "name": lone.layer.name,
                "operator": lone.layer.operator,
                "reason": lone.reason,
            }
            for entry_point, lone in found.unmatched
        ],
        "first_beyond": None
        if first is None
        else {"entry_point": first.entry_point, "name": first.name},
        "layer_tolerance": {
            "relative_error": found.tolerance.relative_error,
            "min_psnr_db": found.tolerance.min_psnr_db,
        },
        "layer_samples": list(found.samples),
    }
