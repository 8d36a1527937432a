"""The two halves of a variational autoencoder in one state dict, and its encoder as records."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.core.errors import ArtifactError
from engine.core.recognition.gaps import fill_gaps
from engine.core.recognition.geometry import Geometry, encoders
from engine.core.recognition.layers import Style, emit, layer_record, named_weights
from engine.core.recognition.parts import Array, Part
from engine.core.recognition.wiring import Node, wire

_ENCODER = re.compile(r"(^|\.)(enc|encode|encoder)[^.]*(\.|$)", re.IGNORECASE)
_DECODER = re.compile(r"(^|\.)(dec|decode|decoder|final_layer)[^.]*(\.|$)", re.IGNORECASE)
_MEAN = re.compile(r"(mu|mean|loc)\d*$", re.IGNORECASE)
_LOGVAR = re.compile(r"(log_?var|log_?sigma\w*|log_?std|var|sigma|std|lv)\d*$", re.IGNORECASE)
_DEVIATION = re.compile(r"(std\d*|sigma)$", re.IGNORECASE)
_VARIANCE = re.compile(r"(?<!log)(?<!log_)var\d*$", re.IGNORECASE)


@dataclass(frozen=True)
class Halves:
    """Layers of the encoder without its heads, the heads (if they were found), the decoder."""

    encoder: tuple[Part, ...]
    heads: tuple[Part, Part] | None
    decoder: tuple[Part, ...]


@dataclass(frozen=True)
class Encoder:
    """Arguments of `engine.models.chain.ChainEncoder`, its weights and their source keys.

    notes: what was assumed about it, as lines for the user.
    """

    arguments: dict[str, Any]
    weights: dict[str, Array]
    sources: dict[str, str]
    notes: tuple[str, ...] = ()


def halves(parts: Sequence[Part], classes: int | None = None) -> Halves | None:
    """Split an autoencoder at its latent, None if the parts do not look like one.

    classes: what the decoder may take beyond the latent.
    """
    weighted = [part for part in parts if part.kind in ("linear", "conv")]
    heads = _heads(weighted, classes or 0)
    decoding = [part for part in parts if _DECODER.search(part.name)]
    encoding = [part for part in parts if _ENCODER.search(part.name) and part not in decoding]
    if heads is None and not (decoding and encoding):
        return None
    # Either head may be registered first.
    behind = max(parts.index(head) for head in heads) if heads else len(parts)
    decoder = [
        part
        for index, part in enumerate(parts)
        if part not in (heads or ())
        and (part in decoding or (index > behind and part not in encoding))
    ]
    if decoding and not encoding:
        # Named decoders come first in sorted files, so what is left must be the encoder.
        decoder = decoding + [part for part in decoder if part not in decoding]
    encoder = [part for part in parts if part not in decoder and part not in (heads or ())]
    return Halves(tuple(encoder), heads or _double_head(encoder, decoder), tuple(decoder))


def build_encoder(split: Halves, sample: tuple[int, ...], style: Style) -> Encoder:
    """The encoder as records. Raises ArtifactError with the reason if it is not clear."""
    if split.heads is None:
        raise ArtifactError("no two layers of equal shape give a mean and a log variance")
    spread = split.heads[1].name
    if _DEVIATION.search(spread):
        raise ArtifactError(
            f"its head {spread!r} gives a deviation by its name, not a log variance"
        )
    heads = [_head(part) for part in split.heads]
    trunk = [part for part in split.encoder if part.name != split.heads[0].name]
    steps = fill_gaps([*wire(trunk, shrinking=True), heads[0]], growing=False)
    if any(step.upsample for step in steps):
        raise ArtifactError("it seems to have pooling layers")
    nodes = [step.layer for step in steps if isinstance(step.layer, Node)]
    convolutions = [node for node in nodes if node.spatial]
    geometry: tuple[Geometry, ...] = ()
    if convolutions:
        if convolutions[0].inputs != sample[0] or len(sample) != convolutions[0].dims + 1:
            raise ArtifactError(f"it does not take samples of shape {list(sample)}")
        positions = nodes[len(convolutions)].inputs / convolutions[-1].outputs
        end = round(positions ** (1 / convolutions[0].dims))
        found = encoders(sample[1], [node.kernel[0] for node in convolutions], end)
        if not found or nodes[len(convolutions)].spatial:
            raise ArtifactError("no usual strides lead from a sample to its last layer")
        geometry = found[0]
    elif nodes[0].inputs != math.prod(sample):
        raise ArtifactError(f"it takes {nodes[0].inputs} values, a sample has {math.prod(sample)}")
    emitted = list(emit(steps, style, geometry))
    # Encoders take samples as they are: no reshape in front of convolutions, a flat one for others.
    if convolutions:
        emitted = emitted[1:]
    else:
        emitted.insert(0, ({"op": "flatten"}, None))
    weights, sources = named_weights(emitted[:-1])
    for name, node in zip(("mean", "logvar"), heads, strict=True):
        for leaf, tensor in node.part.tensors.items():
            weights[f"{name}.{leaf}"] = tensor
            sources[f"{name}.{leaf}"] = node.part.sources[leaf]
    records = {
        name: layer_record(node) for name, node in zip(("mean", "logvar"), heads, strict=True)
    }
    arguments = {"layers": [record for record, _ in emitted[:-1]], **records}
    notes: tuple[str, ...] = ()
    if _VARIANCE.search(spread):
        notes = (f"encoder: the head {spread!r} was taken for a log variance",)
    return Encoder(arguments, weights, sources, notes)


def _heads(weighted: Sequence[Part], classes: int) -> tuple[Part, Part] | None:
    """Two layers side by side: by their names, or by shapes that cannot run one after the other."""
    for mean in weighted:
        for logvar in weighted:
            if mean.weight.shape == logvar.weight.shape and mean is not logvar:
                names = [part.name.rpartition(".")[2] for part in (mean, logvar)]
                if _MEAN.search(names[0]) and _LOGVAR.search(names[1]):
                    return mean, logvar
    conditions = {0, classes}
    if weighted and weighted[0].kind == weighted[-1].kind == "linear":
        # An encoder of fully connected layers takes a sample and its class.
        conditions.add(max(0, weighted[0].weight.shape[1] - weighted[-1].weight.shape[0]))
    for first, second in itertools.pairwise(weighted):
        latent, features = first.weight.shape[:2]
        others = [part for part in weighted if part is not first and part is not second]
        taken = any(
            latent + condition in part.weight.shape[:2]
            for part in others
            for condition in conditions
        )
        if first.weight.shape == second.weight.shape and latent != features and taken:
            return first, second
    return None


def _double_head(encoder: Sequence[Part], decoder: Sequence[Part]) -> tuple[Part, Part] | None:
    """The halves of a last layer that gives mean and log variance in one."""
    weighted = [part for part in encoder if part.kind == "linear"]
    taking = [part for part in decoder if part.kind in ("linear", "conv")]
    if not weighted or not taking:
        return None
    last, latent = weighted[-1], len(weighted[-1].weight) // 2
    if len(last.weight) != 2 * latent or latent not in taking[0].weight.shape[:2]:
        return None
    cut = (slice(None, latent), slice(latent, None))
    parts = [
        replace(last, tensors={leaf: tensor[rows] for leaf, tensor in last.tensors.items()})
        for rows in cut
    ]
    return parts[0], parts[1]


def _head(part: Part) -> Node:
    if part.kind != "linear":
        raise ArtifactError("its mean and log variance are convolutions")
    return Node(part, part.weight.shape[1], part.weight.shape[0])
