"""`verify --layers`: on which samples layers are compared, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.cli.compare import Comparison, as_floats, both_encode
from engine.core.errors import ImagesOnlyError
from engine.layerwise import Divergence, LayerRow, diverge
from engine.layerwise.layers import Samples

if TYPE_CHECKING:
    from engine.api import Engine

# Of the largest number in a layer. What rounding to each precision costs grows by a small factor
# from layer to layer; these are about ten times what sound models of this project show.
TOLERANCES = {"fp64": 1e-4, "fp32": 1e-4, "fp16": 1e-2, "mixed": 1e-2, "bf16": 5e-2, "int8": 0.2}
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
    if tolerance is None:
        tolerance = max(TOLERANCES.get(engine.precision, 0.0) for engine in (a, b))
    return diverge(a, b, samples, entry_points, tolerance)


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
    z, labels = a.latents(1, seed=seed, start=number), a.labels(1, seed=seed, start=number)
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
    where = "none" if first is None else _named(first.entry_point, first.name)
    numbers = ", ".join(map(str, found.samples))
    return [
        *rows,
        (f"first layer beyond tolerance: {where}",),
        (f"(relative error {found.tolerance:g} of a layer's largest number; samples {numbers})",),
    ]


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
        "layer_tolerance": found.tolerance,
        "layer_samples": list(found.samples),
    }
