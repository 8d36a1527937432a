"""`info`: what an artifact holds."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from engine.backends.base import ENCODER_INPUT
from engine.cli.options import EngineOptions, artifact_argument, model_options
from engine.cli.table import print_table
from engine.core.bundle import Bundle, read_bundle

if TYPE_CHECKING:
    from engine.core.artifacts import Artifact
    from engine.core.spec import GeneratorSpec, LayerPrecision


@click.command()
@artifact_argument
@click.option("--json", "as_json", is_flag=True, help="Everything, for programs.")
@model_options
def info(artifact: str, as_json: bool, options: EngineOptions) -> None:
    """Show what an artifact holds, without running it."""
    from engine import zoo
    from engine.backends._spec import read_spec
    from engine.core.artifacts import open_artifact

    file = open_artifact(zoo.resolve(artifact), options.of_model())
    spec = read_spec(file)
    bundle = read_bundle(file.path) if file.kind == "bundle" else None
    if as_json:
        values = {"artifact": _artifact(file), "spec": spec.to_dict(), "tensors": tensors(spec)}
        if bundle is not None:
            values["bundle"] = _bundle(bundle)
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    condition = (
        f"{len(spec.classes)} classes: {', '.join(spec.classes)}" if spec.classes else "none"
    )
    origin = spec.provenance
    print_table(
        [
            ("model", f"{spec.name} ({spec.family}, {spec.modality})"),
            ("spec", "inferred from the tensors" if spec.inferred else "carried by the file"),
            *((key, str(value)) for key, value in _artifact(file).items()),
            *([] if bundle is None else _parts(bundle)),
            ("entry points", ", ".join(spec.entry_points)),
            ("condition", condition),
            *((f"{item['entry_point']} {item['way']}", _tensor(item)) for item in tensors(spec)),
            *(("precision", _precision(layer)) for layer in spec.precisions),
            ("data", origin.data or "unknown"),
            ("licence", origin.licence or "unknown"),
            ("made by", origin.command or "unknown"),
            *((name, f"{value:g}") for name, value in origin.metrics.items()),
        ]
    )


def tensors(spec: GeneratorSpec) -> list[dict[str, Any]]:
    """Inputs and outputs of each entry point, shapes without the batch."""
    condition = spec.condition
    labels = []
    if condition is not None:
        kind = "int64" if condition.kind == "classes" else "float32"
        labels = [(condition.name, condition.shape, kind, "condition")]
    noise = [
        (item.name, item.shape, "float32", item.distribution) for item in (spec.latent, *spec.noise)
    ]
    low, high = spec.output.range
    sample = (spec.output.shape, "float32", f"{low:g} to {high:g}")
    output, coded = [(spec.output.name, *sample)], [(ENCODER_INPUT, *sample)]
    posterior = [(name, spec.latent.shape, "float32", "posterior") for name in ("mean", "logvar")]
    further = [(item.name, item.shape, "float32", "beside the samples") for item in spec.further]
    ways = {"decoder": (noise + labels, output + further), "encoder": (coded + labels, posterior)}
    return [
        dict(zip(("entry_point", "way", "name", "shape", "dtype", "values"), row, strict=True))
        for entry_point in spec.entry_points
        for way, side in zip(("in", "out"), ways[entry_point], strict=True)
        for row in ((entry_point, way, *tensor) for tensor in side)
    ]


def _artifact(artifact: Artifact) -> dict[str, Any]:
    size = artifact.path.stat().st_size
    if artifact.part is not None:
        size = read_bundle(artifact.path).part(artifact.part).files[0].size
    return {
        "file": str(artifact.location),
        "kind": artifact.kind,
        "bytes": size,
        "sha256": artifact.sha256,
    }


def _bundle(bundle: Bundle) -> dict[str, Any]:
    values = dataclasses.asdict(bundle.index)
    for part, told in zip(bundle.index.parts, values["parts"], strict=True):
        told["damage"] = bundle.damage(part)
    return values


def _parts(bundle: Bundle) -> list[tuple[str, str]]:
    found = ((part, bundle.damage(part)) for part in bundle.index.parts)
    return [
        *(("part", damage or part.described()) for part, damage in found),
        *(("left out", f"{item.name}: {item.reason}") for item in bundle.index.left_out),
    ]


def _precision(layer: LayerPrecision) -> str:
    return (
        f"{layer.layer} ({layer.operator}) {layer.precision}, reaches {layer.largest:g}, alone "
        f"{layer.psnr_db:g} dB from fp32" + (f"; {layer.reason}" if layer.reason else "")
    )


def _tensor(item: dict[str, Any]) -> str:
    return (
        f"{item['name']} [n{''.join(f', {size}' for size in item['shape'])}] {item['dtype']}, "
        + (str(item["values"]))
    )
