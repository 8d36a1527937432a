"""The table of cases: models, layers and stages, and which of them a preset takes.

Nothing here measures or imports anything heavy; tests import it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from benchmarks import face
from benchmarks.layer_suite import LAYERS, Layer
from benchmarks.results import Output, Precision, Stage
from engine.core.errors import OptionError

Device = Literal["cpu", "cuda"]
PresetName = Literal["default", "full"]
Part = Literal["models", "layers", "stages"]

SHIPPED = ("dcgan-digits", "dcgan-emoji", "vae-digits", "gan-mlp-digits")
MODELS = (*SHIPPED, face.NAME)
BATCHES = (1, 64, 1024)
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")
OUTPUTS: tuple[Output, ...] = ("uint8", "float32")
PARTS: tuple[Part, ...] = ("models", "layers", "stages")

# What has a case of its own, after the stages in the life of an engine.
LIFE: tuple[Stage, ...] = ("build", "cold start", "first sample", "steady state")
AROUND: tuple[Stage, ...] = ("copy", "encode")
APART: tuple[Stage, ...] = ("cold process", "sinks", "stream")


@dataclass(frozen=True, slots=True)
class ModelCase:
    """`batch` samples of a model from latents in memory to images (or floats) in memory."""

    model: str
    batch: int
    precision: Precision
    output: Output
    device: Device = "cpu"

    def __str__(self) -> str:
        """As pytest and the progress show it."""
        end = "" if self.device == "cpu" else f"-{self.device}"
        return f"{self.model}-n{self.batch}-{self.precision}-{self.output}{end}"


@dataclass(frozen=True, slots=True)
class LayerCase:
    """One layer of the suite, floats in memory to floats in memory."""

    layer: Layer
    precision: Precision

    def __str__(self) -> str:
        """As pytest and the progress show it."""
        return f"{self.layer.name}-n{self.layer.batch}-{self.precision}"


@dataclass(frozen=True, slots=True)
class StageCase:
    """Stages of one model that are measured together: the life of an engine is one loop."""

    model: str
    stages: tuple[Stage, ...]

    def __str__(self) -> str:
        """As pytest and the progress show it."""
        return f"{self.model}-{self.stages[0].replace(' ', '-')}"


Case = ModelCase | LayerCase | StageCase


@dataclass(frozen=True)
class Preset:
    """Which cases are measured, and how often.

    With `compiled`, peers that compile for half a minute take part (torch.compile, AOTInductor).
    """

    name: PresetName
    rounds: int
    models: tuple[str, ...]
    batches: tuple[int, ...]
    outputs: tuple[Output, ...]
    layers: tuple[str, ...]
    stages: tuple[tuple[Stage, ...], ...]
    stage_models: tuple[str, ...]
    devices: tuple[Device, ...]
    compiled: bool
    precisions: tuple[Precision, ...] = PRECISIONS
    parts: tuple[Part, ...] = PARTS


PRESETS: dict[str, Preset] = {
    "default": Preset(
        name="default",
        rounds=5,
        models=("dcgan-digits", "dcgan-emoji"),
        batches=(64,),
        outputs=("uint8",),
        layers=("dcgan-3", "hifigan-2", "3dgan-2"),
        stages=(LIFE, ("cold process",)),
        stage_models=("dcgan-digits",),
        devices=("cpu",),
        compiled=False,
    ),
    "full": Preset(
        name="full",
        rounds=13,
        models=MODELS,
        batches=BATCHES,
        outputs=OUTPUTS,
        layers=tuple(layer.name for layer in LAYERS),
        stages=(LIFE, *((stage,) for stage in (*AROUND, *APART))),
        stage_models=MODELS,
        devices=("cpu", "cuda"),
        compiled=True,
    ),
}


def cases(preset: Preset) -> tuple[Case, ...]:
    """The cases of a preset, in the order in which they are measured."""
    found: list[Case] = []
    if "models" in preset.parts:
        found += [
            ModelCase(model, batch, precision, output, device)
            for model in preset.models
            for device in preset.devices
            for batch in preset.batches
            for precision in preset.precisions
            for output in preset.outputs
        ]
    if "layers" in preset.parts:
        suite = {layer.name: layer for layer in LAYERS}
        found += [
            LayerCase(suite[name], precision)
            for name in preset.layers
            for precision in preset.precisions
        ]
    if "stages" in preset.parts:
        found += [
            StageCase(model, stages) for model in preset.stage_models for stages in preset.stages
        ]
    return tuple(found)


def narrowed(
    preset: Preset,
    *,
    parts: Sequence[str] = (),
    models: Sequence[str] = (),
    layers: Sequence[str] = (),
    batches: Sequence[int] = (),
    precisions: Sequence[str] = (),
    outputs: Sequence[str] = (),
    rounds: int | None = None,
    compiled: bool | None = None,
) -> Preset:
    """A preset with other choices; what is empty or None stays as it is.

    Naming layers, or models, leaves the other out unless `parts` says otherwise. Raises
    OptionError for an unknown name.
    """
    changes: dict[str, Any] = {}
    known: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "parts": (parts, PARTS),
        "models": (models, MODELS),
        "layers": (layers, [layer.name for layer in LAYERS]),
        "precisions": (precisions, PRECISIONS),
        "outputs": (outputs, OUTPUTS),
    }
    for field, (asked, names) in known.items():
        if asked:
            changes[field] = _chosen(field, asked, names)
    if models:
        changes["stage_models"] = changes["models"]
    if not parts and bool(models) != bool(layers):
        changes["parts"] = ("models", "stages") if models else ("layers",)
    if batches:
        changes["batches"] = tuple(sorted(set(batches)))
    if rounds is not None:
        changes["rounds"] = rounds
    if compiled is not None:
        changes["compiled"] = compiled
    return replace(preset, **changes)


def _chosen(what: str, asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The names asked for, in the order of the table."""
    for name in asked:
        if name not in known:
            raise OptionError(f"{what}: {name!r} is unknown; known are {', '.join(known)}")
    return tuple(name for name in known if name in asked)
