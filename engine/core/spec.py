"""GeneratorSpec: what a generator takes and gives, as versioned JSON that travels in each artifact.

In a checkpoint it is a key, in ONNX an entry of `metadata_props`, beside a plan a sidecar file.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from engine.core.errors import ArtifactError
from engine.core.records import decode_record

SPEC_VERSION = 1
SPEC_KEY = "generator_spec"
PRECISION_KEY = "generator_precision"

Distribution = Literal["normal", "uniform", "given"]
Modality = Literal["image", "audio", "video", "text", "tensor"]
ConditionKind = Literal["classes", "tensor"]

_DISTRIBUTIONS = ("normal", "uniform", "given")
_MODALITIES = ("image", "audio", "video", "text", "tensor")
_ENTRY_POINTS = ("decoder", "encoder")
_IMAGE_CHANNELS = {1: "gray", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True, slots=True)
class Noise:
    """A float input: its name in the graph, shape without the batch, and distribution.

    `normal` is the standard normal, `uniform` is uniform in [-1, 1]. `given` is what only the
    caller has, an image or a mel spectrogram; where a network is merely tried, it is normal.
    """

    shape: tuple[int, ...]
    distribution: Distribution = "normal"
    name: str = "z"

    def __post_init__(self) -> None:
        _check_shape(f"noise input {self.name!r}", self.shape)
        _check_choice("distribution", self.distribution, _DISTRIBUTIONS)

    @property
    def size(self) -> int:
        """Elements of one sample."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Condition:
    """What the generator is asked for: one of the named classes, or a tensor of the given shape."""

    kind: ConditionKind = "classes"
    names: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    name: str = "labels"

    def __post_init__(self) -> None:
        _check_choice("condition", self.kind, ("classes", "tensor"))
        if self.kind == "classes" and not self.names:
            raise ArtifactError("a class condition needs at least one class name")
        if len(set(self.names)) != len(self.names):
            raise ArtifactError(f"class names repeat: {', '.join(self.names)}")
        if self.kind == "tensor":
            _check_shape("condition tensor", self.shape)


@dataclass(frozen=True, slots=True)
class Output:
    """One generated sample: shape without the batch, layout, value range, meaning of channels."""

    shape: tuple[int, ...]
    layout: str = "CHW"
    range: tuple[float, float] = (-1.0, 1.0)
    channels: str = ""
    name: str = "images"
    sample_rate_hz: int | None = None
    alphabet: str | None = None

    def __post_init__(self) -> None:
        _check_shape("output", self.shape)
        low, high = self.range
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ArtifactError(f"output range {low}:{high} must be two finite, rising numbers")
        if self.layout and len(self.layout) != len(self.shape):
            raise ArtifactError(f"output layout {self.layout!r} does not fit shape {self.shape}")

    @classmethod
    def image(cls, shape: tuple[int, int, int], range: tuple[float, float] = (-1.0, 1.0)) -> Self:
        """An image output of shape [C, H, W]."""
        return cls(shape=shape, range=range, channels=_IMAGE_CHANNELS.get(shape[0], ""))


@dataclass(frozen=True, slots=True)
class Further:
    """An output beside the samples: its name in the graph and shape without the batch.

    That of a step network named next_X is what its input X is in the next step.
    """

    name: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_shape(f"output {self.name!r}", self.shape)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the weights come from."""

    data: str = ""
    licence: str = ""
    command: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LayerPrecision:
    """What was found about one layer when its precision was probed, and what it computes in.

    largest: the largest number that it makes in fp32, on typical and on extreme latents.
    psnr_db: of samples to those of fp32 when this layer alone computes in the lower precision;
        infinite where they are equal.
    reason: why it stays in fp32, or nothing.
    """

    layer: str
    operator: str
    precision: str
    largest: float
    psnr_db: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """All that must be known to sample a generator and to read what it gives.

    Shapes leave out the batch dimension. `inferred` marks a spec that no artifact carried and that
    was read off the tensors instead. `precisions` has the decoder's layers where these were probed.
    """

    name: str
    family: str
    latent: Noise
    output: Output
    modality: Modality = "image"
    noise: tuple[Noise, ...] = ()
    condition: Condition | None = None
    entry_points: tuple[str, ...] = ("decoder",)
    provenance: Provenance = field(default_factory=Provenance)
    inferred: bool = False
    precisions: tuple[LayerPrecision, ...] = ()
    further: tuple[Further, ...] = ()

    def __post_init__(self) -> None:
        _check_choice("modality", self.modality, _MODALITIES)
        for entry_point in self.entry_points:
            _check_choice("entry point", entry_point, _ENTRY_POINTS)
        if "decoder" not in self.entry_points:
            raise ArtifactError("a generator needs the entry point 'decoder'")
        if self.modality == "image" and (
            len(self.output.shape) != 3 or self.output.layout != "CHW"
        ):
            raise ArtifactError(
                f"an image must be [channels, height, width], not {list(self.output.shape)} "
                f"{self.output.layout}"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, empty for an unconditional generator."""
        if self.condition is None or self.condition.kind != "classes":
            return ()
        return self.condition.names

    def replace(self, **changes: Any) -> GeneratorSpec:
        """A copy with the given fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with the version."""
        values = dataclasses.asdict(self)
        for name in ("precisions", "further"):
            if not values[name]:
                # Readers of before do not know it.
                del values[name]
        return {"version": SPEC_VERSION, **_json(values)}

    def to_json(self, indent: int | None = None) -> str:
        """JSON text; `from_json` gives back an equal spec."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, path: str | Path = "generator spec") -> GeneratorSpec:
        """Read `to_json` text; errors begin with `path`.

        Raises ArtifactError on damage, unknown fields, values of another type or other versions.
        """
        try:
            values = json.loads(text)
        # Beside its own error: text in no encoding, and lists within lists without end.
        except (ValueError, RecursionError) as error:
            raise ArtifactError(f"{path}: not JSON: {error}") from error
        return cls.from_dict(values, path)

    @classmethod
    def from_dict(cls, values: Any, path: str | Path = "generator spec") -> GeneratorSpec:
        """Read `to_dict` values. Raises ArtifactError as `from_json` does."""
        try:
            return cls._from_dict(values)
        except ArtifactError as error:
            raise ArtifactError(f"{path}: {error}") from error

    @classmethod
    def _from_dict(cls, values: Any) -> GeneratorSpec:
        if not isinstance(values, dict):
            raise ArtifactError(f"a spec must be a JSON object, not {type(values).__name__}")
        fields = dict(values)
        version = fields.pop("version", None)
        if version != SPEC_VERSION:
            raise ArtifactError(
                f"no generator spec of version {SPEC_VERSION} (its version is {version!r}); export "
                "the model again, or update the package that is older"
            )
        spec: Self = decode_record(fields, cls, ())
        return spec


def _json(value: Any) -> Any:
    """Infinities as text, since JSON has none; tuples as lists, as JSON gives them back."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_json(item) for item in value)
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def image_channels(count: int) -> str:
    """The name of an image's channels by their count, or '' if it is no usual image."""
    return _IMAGE_CHANNELS.get(count, "")


def _check_shape(what: str, shape: tuple[int, ...]) -> None:
    if not shape or any(not isinstance(size, int) or size < 1 for size in shape):
        raise ArtifactError(f"{what} has shape {shape}; every dimension must be a positive integer")


def _check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ArtifactError(f"{what} {value!r} is unknown; known are {', '.join(choices)}")
