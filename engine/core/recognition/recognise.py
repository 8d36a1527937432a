"""Recognising a generator in a state dict that does not say what it is.

DCGAN-like networks (transposed convolutions from a latent, or a projection and upsampling), fully
connected GANs, and the decoders (and encoders) of VAEs. Only names, shapes and values of tensors
are looked at; what they do not tell is assumed, and said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.core.errors import ArtifactError, OptionError
from engine.core.recognition.assumed import assumed_lines
from engine.core.recognition.autoencoder import Encoder, Halves, build_encoder, halves
from engine.core.recognition.gaps import Step, fill_gaps
from engine.core.recognition.geometry import Geometry
from engine.core.recognition.layers import Chain, Style, build_chain, geometries
from engine.core.recognition.parts import Array, Part, read_parts
from engine.core.recognition.state_dict import find_state_dict, generator_part, unwrapped
from engine.core.recognition.style import Patch, Settings, default_settings
from engine.core.recognition.wiring import Node, directed, start_side, wire

_LAYOUTS = 8
# Each direction that is tried runs the network; deep ones have many square layers.
_FLIPPED = 6
_BRANCHING = re.compile(
    r"(^|[._])(shortcut|skip|res(idual|block|net|blocks)?|attn|attention|to_?rgb|style|mapping|noise"
    r"|down(s|sample)?|unet|conv_sc|c_sc)\d*([._]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Recognised:
    """A network as arguments and weights of `engine.models.chain.ChainGenerator`.

    key_map: key of each weight in the checkpoint. output: shape of one sample. alternatives: other
    settings that the tensors allow too, as overrides, by what they are about. dropout: whether the
    network has room for dropout layers, which raise the variances that norms record.
    """

    family: str
    arguments: dict[str, Any]
    weights: dict[str, Array]
    key_map: dict[str, str]
    output: tuple[int, ...]
    settings: Settings
    assumptions: tuple[str, ...]
    alternatives: Mapping[str, Sequence[Patch]] = field(default_factory=dict)
    dropout: bool = False


def recognise(
    values: Any,
    *,
    state_key: str | None = None,
    classes: int | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Recognised:
    """Read a checkpoint's values (numpy arrays as leaves).

    classes: the last `classes` inputs are a one-hot class. overrides: fields of `Settings`. Raises
    ArtifactError, saying what the tensors look like, if this is no generator that is known.
    """
    # Before any of them is used.
    Settings().replaced(overrides or {})
    found = find_state_dict(values, state_key)
    tensors, prefix = generator_part(unwrapped(found.tensors))
    notes = found.notes + ((f"weights: those under {prefix!r}",) if prefix else ())
    try:
        return _recognise(tensors, prefix, notes, classes, overrides or {})
    except ArtifactError as error:
        raise ArtifactError(
            f"is no generator that can be recognised: {error}; name its network with "
            "--arch module:factory"
        ) from error


def _recognise(
    tensors: Mapping[str, Array],
    prefix: str,
    notes: tuple[str, ...],
    classes: int | None,
    overrides: Mapping[str, Any],
) -> Recognised:
    parts = read_parts(tensors)
    for part in parts:
        if _BRANCHING.search(part.name):
            raise ArtifactError(f"the layer {part.name!r} belongs to a network with branches")
    embeddings = [part for part in parts if part.kind == "embedding"]
    parts = [part for part in parts if part.kind != "embedding"]
    split = halves(parts, classes)
    layers = directed(wire(split.decoder if split else parts), overrides.get("transposed"))
    nodes = [layer for layer in layers if isinstance(layer, Node)]
    _check_generator(nodes)
    steps = fill_gaps(layers)
    if start_side(nodes) == 0:
        raise ArtifactError("its first convolution does not take a square map")
    family = _family(nodes, vae=split is not None or "decoder" in prefix)
    settings = default_settings(family, steps, embeddings, tensors).replaced(overrides)
    if split and split.heads and not embeddings:
        # What the decoder takes beyond the encoder's latent is the class.
        classes = (nodes[0].inputs - len(split.heads[0].weight)) or classes
    latent, class_arguments = _latent(nodes[0].inputs, embeddings, classes, settings)
    layouts = geometries(steps)
    dropout = any(step.dropout for step in steps)
    chain = _chain(steps, settings, layouts)
    weights = {f"decoder.{key}": tensor for key, tensor in chain.weights.items()}
    key_map = {f"decoder.{key}": source for key, source in chain.sources.items()}
    if embeddings:
        weights["decoder.embedding.weight"] = embeddings[0].weight
        key_map["decoder.embedding.weight"] = embeddings[0].sources["weight"]
    encoder, lines = _encoder(split, chain.output, settings)
    if encoder is not None:
        weights |= {f"encoder.{key}": tensor for key, tensor in encoder.weights.items()}
        key_map |= {f"encoder.{key}": source for key, source in encoder.sources.items()}
    arguments = {
        "latent": latent,
        "decoder": list(chain.records),
        "output_range": list(settings.output_range()),
        "encoder": encoder.arguments if encoder else None,
        "family": family,
        **class_arguments,
    }
    assumed = assumed_lines(
        arguments,
        chain,
        settings,
        dropout=dropout,
        ending_given="output_activation" in overrides,
    )
    return Recognised(
        family=family,
        arguments=arguments,
        weights=weights,
        key_map=key_map,
        output=chain.output,
        settings=settings,
        assumptions=notes + assumed + lines,
        alternatives=_alternatives(settings, overrides, steps, layouts, embeddings),
        dropout=dropout,
    )


def _check_generator(nodes: Sequence[Node]) -> None:
    """Raise ArtifactError for discriminators, classifiers, encoders and image-to-image networks."""
    first, last = nodes[0], nodes[-1]
    if first.spatial and not first.transposed:
        what = "a discriminator, a classifier or an encoder"
        if last.spatial and last.outputs in (1, 3) and last.outputs == first.inputs:
            what = "an image-to-image network"
        raise ArtifactError(
            f"it looks like {what}: its first layer {first.part.name!r} takes {first.inputs} "
            "channels of an image, not a latent"
        )
    if last.spatial and last.outputs > 4:
        raise ArtifactError(f"its last layer {last.part.name!r} gives {last.outputs} channels")
    if last.spatial != any(node.spatial for node in nodes):
        raise ArtifactError("it looks like a classifier: a linear layer follows its convolutions")
    if not last.spatial and (last.outputs < 64 or last.outputs <= first.inputs):
        raise ArtifactError(
            f"it looks like a discriminator or a classifier: fully connected, {first.inputs} "
            f"values in and {last.outputs} out"
        )


def _family(nodes: Sequence[Node], *, vae: bool) -> str:
    if vae:
        return "vae"
    return "dcgan" if any(node.spatial for node in nodes) else "gan-mlp"


def _latent(
    inputs: int, embeddings: Sequence[Part], classes: int | None, settings: Settings
) -> tuple[int, dict[str, Any]]:
    """The length of z, and the arguments about the class."""
    if len(embeddings) > 1:
        raise ArtifactError(f"it has {len(embeddings)} embeddings; one, of the class, is known")
    if not embeddings:
        count = classes or 0
        if count >= inputs:
            raise OptionError(f"classes={count}, but the network takes {inputs} inputs in all")
        return inputs - count, {"classes": count, "combine": settings.combine}
    count, width = embeddings[0].weight.shape
    if classes not in (None, count):
        raise OptionError(f"classes={classes}, but the embedding holds {count} classes")
    arguments = {"classes": count, "embedding": width}
    if width == inputs:
        return inputs, {**arguments, "combine": "multiply"}
    if width > inputs:
        raise ArtifactError(f"its embedding of {width} features does not fit {inputs} inputs")
    return inputs - width, {**arguments, "combine": settings.combine}


def _chain(
    steps: Sequence[Step], settings: Settings, layouts: Sequence[tuple[Geometry, ...]]
) -> Chain:
    if settings.projection_activation is not None:
        steps = settings.with_projection(steps)
    if settings.geometry is not None:
        layouts = [tuple(Geometry(*item) for item in settings.geometry)]
    if not layouts:
        raise ArtifactError("no usual strides and paddings lead to a sample")
    count = sum(isinstance(step.layer, Node) and step.layer.spatial for step in steps)
    if len(layouts[0]) != count:
        raise OptionError(f"geometry names {len(layouts[0])} convolutions, the network has {count}")
    for item in layouts[0] if settings.geometry is not None else ():
        # PyTorch refuses it too, but without saying where it came from.
        if item.output_padding >= item.stride:
            raise OptionError(
                f"geometry: output padding {item.output_padding} must be below the stride "
                f"{item.stride}"
            )
    last = next(step.layer for step in reversed(steps) if isinstance(step.layer, Node))
    shape = None if last.spatial else settings.output_shape or _image_shape(last.outputs)
    return build_chain(steps, settings.style(), layouts[0], shape)


def _image_shape(values: int) -> tuple[int, ...]:
    """A square grey, else a square colour image; else a plain vector."""
    for channels in (1, 3):
        side = math.isqrt(values // channels)
        if channels * side * side == values:
            return (channels, side, side)
    return (values,)


def _encoder(
    split: Halves | None, sample: tuple[int, ...], settings: Settings
) -> tuple[Encoder | None, tuple[str, ...]]:
    if split is None:
        return None, ()
    style = Style(settings.hidden_activation, "identity", settings.batch_norm_eps, settings.slope)
    try:
        encoder = build_encoder(split, sample, style)
    except ArtifactError as error:
        return None, (f"encoder: left out, {error}",)
    return encoder, (f"encoder: hidden activations {settings.hidden_activation}", *encoder.notes)


def _alternatives(
    settings: Settings,
    overrides: Mapping[str, Any],
    steps: Sequence[Step],
    layouts: Sequence[tuple[Geometry, ...]],
    embeddings: Sequence[Part],
) -> dict[str, list[Patch]]:
    """What else could be, for the settings that the user left open."""
    options = settings.alternatives(steps, conditional=bool(embeddings))
    if layouts:
        options["transposed"] = _flipped(steps, layouts[0])
    if len(layouts) > 1:
        options["geometry"] = [{"geometry": _listed(layout)} for layout in layouts[1:_LAYOUTS]]
    decided = {name for name, value in overrides.items() if value is not None}
    return {
        name: left
        for name, patches in options.items()
        if (left := [patch for patch in patches if not decided & patch.keys()])
    }


def _flipped(steps: Sequence[Step], layout: Sequence[Geometry]) -> list[Patch]:
    """Other directions of odd kernels with as many inputs as outputs: of all, or of one."""
    nodes = [step.layer for step in steps if isinstance(step.layer, Node) and step.layer.spatial]
    square = [
        index
        for index, node in enumerate(nodes)
        if index and node.inputs == node.outputs and node.kernel[0] % 2
    ]
    chosen = [set(square)] if len(square) > 1 else []
    patches: list[Patch] = []
    for flips in (chosen + [{index} for index in square])[:_FLIPPED]:
        directions = [node.transposed != (index in flips) for index, node in enumerate(nodes)]
        # With the usual geometry (None), and with one that keeps the size of the maps.
        same = [
            Geometry(1, node.kernel[0] // 2) if index in flips else item
            for index, (node, item) in enumerate(zip(nodes, layout, strict=True))
        ]
        patches += [
            {"transposed": directions, "geometry": geometry} for geometry in (None, _listed(same))
        ]
    return patches


def _listed(layout: Sequence[Geometry]) -> list[list[int]]:
    return [[item.stride, item.padding, item.output_padding] for item in layout]
