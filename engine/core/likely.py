"""What the tensors of a network that does not describe itself most likely are, by their shapes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from engine.core.spec import GeneratorSpec, Modality, Noise, Output, image_channels

# Sound has one or two channels. A mel spectrogram has tens of them, and a voice is longer than it.
_CHANNELS = 2
_BANDS = 16
# Latents of a few positions are drawn; nobody enlarges images so small.
_PIXELS = 8


def modality(shape: tuple[int, ...]) -> Modality:
    """What an output of this shape (without the batch) is."""
    if len(shape) == 3 and image_channels(shape[0]):
        return "image"
    return "audio" if len(shape) == 2 and shape[0] <= _CHANNELS < shape[1] else "tensor"


def output(
    shape: tuple[int, ...],
    output_range: tuple[float, float],
    name: str | None = None,
    kind: Modality | None = None,
) -> Output:
    """The record of an output of this shape, under its usual name if no other is given."""
    kind = kind or modality(shape)
    layouts = {"image": ("CHW", "images"), "audio": ("CT", "audio")}
    layout, usual = layouts.get(kind, ("", "output"))
    channels = image_channels(shape[0]) if kind == "image" else ""
    return Output(shape, layout, output_range, channels, name or usual)


def is_given(latent: tuple[int, ...], made: tuple[int, ...]) -> bool:
    """Whether an input is the caller's: an image that becomes one, a spectrogram that is spoken.

    Maps of other channels are, if images have their size: of labels, of edges. Smaller ones are
    the latents of an autoencoder, and drawn.
    """
    if len(latent) == 3 and min(latent[1:]) >= _PIXELS:
        given = latent[0] in (1, 3) or latent[1:] == made[1:]
        return given and modality(made) == "image"
    if len(latent) == 2 and latent[0] >= _BANDS and latent[1] > 1:
        sounds = modality(made) == "audio" or len(made) == 1
        return sounds and math.prod(made) >= 4 * latent[1]
    return False


def with_given(
    spec: GeneratorSpec, names: Sequence[str], certain: bool = False
) -> tuple[GeneratorSpec, tuple[str, ...]]:
    """The spec with the inputs that are the caller's marked as such, and lines that say so.

    names: what the network calls its inputs, for those that are not drawn. All are given where
    the first one is, or it is certain; else those with more than one position are.
    """
    every = certain or is_given(spec.latent.shape, spec.output.shape)
    taken = {spec.output.name, *(item.name for item in spec.further)}
    taken |= {spec.condition.name} if spec.condition else set()

    def marked(item: Noise, name: str) -> Noise:
        return dataclasses.replace(
            item, distribution="given", name=f"given_{name}" if name in taken else name
        )

    latent = marked(spec.latent, names[0]) if every else spec.latent
    noise = list(spec.noise)
    for index, name in enumerate(names[1:]):
        several = sum(size > 1 for size in noise[index].shape) > 1
        noise[index] = (
            marked(noise[index], name)
            if every or several
            else dataclasses.replace(noise[index], name=f"noise_{name}" if name in taken else name)
        )
    lines = tuple(
        f"input: {item.name!r} {list(item.shape)} is "
        + ("not drawn, but yours to give" if item.distribution == "given" else "drawn as noise is")
        for item in (latent, *noise[: len(names) - 1])
        if item is not spec.latent
    )
    return spec.replace(latent=latent, noise=tuple(noise)), lines
