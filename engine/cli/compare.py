"""How far two engines are apart on the same latents."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.cli.tally import PosteriorTally, SampleTally
from engine.core.budget import Cost
from engine.core.errors import ImagesOnlyError, NumericalError, OptionError
from engine.images import from_uint8
from engine.latents import tried

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.cli.worst import Worst

Form = Literal["float32", "uint8"]
Array = NDArray[Any]
Made = TypeVar("Made")

# More samples than this at once is memory without use, when batch sizes have no small multiple.
_MOST_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class EncoderComparison:
    """Differences of mean and log variance, of the images that the first engine made.

    relative_error: the largest |a - b| / max(1, |a|).
    cost: in steps of a hundredth of the prior's deviation, by the arithmetic of the image budget.
    """

    max_error: float
    mean_error: float
    relative_error: float
    cost: Cost


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences of `samples` samples in the model's own range, accumulated in float64.

    psnr_db: peak signal-to-noise ratio over all values, the peak being the width of the output
        range; infinite for equal outputs.
    worst_sample: index of the sample with the largest difference.
    compared_as: "uint8" where one of the two gives images alone.
    cost: in steps of uint8 (`engine.core.budget`); max_step, equal_share: the largest difference
        of images in steps, and the share of their values that are equal. None for other samples.
    not_finite: sides, "a" and "b", that gave NaN or infinity, each with its first such sample, in
        the entry point `ended_in`; there the comparison ends, infinitely far apart.
    encoder: None where not both have one.
    """

    samples: int
    max_error: float
    mean_error: float
    psnr_db: float
    worst_sample: int
    compared_as: Form = "float32"
    cost: Cost | None = None
    max_step: int | None = None
    equal_share: float | None = None
    not_finite: Mapping[str, int] = field(default_factory=dict)
    ended_in: str = ""
    encoder: EncoderComparison | None = None


def compare(
    a: Engine,
    b: Engine,
    n: int,
    seed: int = 0,
    advance: Callable[[int], object] | None = None,
    worst_of: Worst | None = None,
    *,
    encoders: bool = True,
) -> Comparison:
    """Decode samples 0 .. n of a seed with both, from the latents and labels of `a`.

    Where both have an encoder, the images of `a` go through both as well, unless `encoders` is
    False. `advance` is called with the number of samples just done; `worst_of` is offered all
    samples. Raises OptionError when the two models take or give different things.
    """
    check_alike(a, b)
    size = math.lcm(a.batch_size, b.batch_size)
    if size > _MOST_AT_ONCE:
        size = max(a.batch_size, b.batch_size)
    samples = SampleTally(a.spec)
    posteriors = PosteriorTally() if encoders and both_encode(a, b) else None
    form: Form = "float32"
    for first in range(0, n, size):
        count = min(size, n - first)
        labels = a.labels(count, seed=seed, start=first)
        part = _Part(a.latents(count, seed=seed, start=first), labels, seed, first)
        try:
            made, lost = _of_both(a, b, partial(part.decoded, form=form), first)
        except ImagesOnlyError:
            form = "uint8"
            made, lost = _of_both(a, b, partial(part.decoded, form=form), first)
        ended_in = "decoder"
        if not lost:
            errors = samples.add(*made)
            if worst_of is not None:
                worst_of.offer(first, errors, *made)
            if posteriors is not None:
                images = as_floats(made[0], a)
                ended_in = "encoder"
                coded, lost = _of_both(a, b, partial(part.encoded, images), first)
                if not lost:
                    posteriors.add(*coded)
        if lost:
            return _apart(n, lost, ended_in, form)
        if advance is not None:
            advance(count)
    encoder = None if posteriors is None else EncoderComparison(**posteriors.result())
    return Comparison(n, **samples.result(), compared_as=form, encoder=encoder)


def _apart(n: int, lost: dict[str, int], ended_in: str, form: Form) -> Comparison:
    worst = next(iter(lost.values()))
    far = math.inf
    return Comparison(n, far, far, -far, worst, form, not_finite=lost, ended_in=ended_in)


def check_alike(a: Engine, b: Engine) -> None:
    """Raise OptionError naming the first thing that two models do not have in common."""
    for what, ours, theirs in (
        ("latents of shape", _bare(a.spec.latent.shape), _bare(b.spec.latent.shape)),
        ("outputs of shape", a.spec.output.shape, b.spec.output.shape),
        ("outputs in the range", a.spec.output.range, b.spec.output.range),
        ("a number of classes of", len(a.spec.classes), len(b.spec.classes)),
        ("further noise inputs", *([item.shape for item in of.spec.noise] for of in (a, b))),
    ):
        if ours != theirs:
            raise OptionError(
                f"nothing to compare: {a.artifact.name} has {what} {ours}, "
                f"{b.artifact.name} {theirs}"
            )


def both_encode(a: Engine, b: Engine) -> bool:
    """Whether both models have an encoder of images."""
    return all(
        "encoder" in engine.spec.entry_points and engine.spec.modality == "image"
        for engine in (a, b)
    )


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Latents of [100, 1, 1] and of [100] are the same."""
    return tuple(size for size in shape if size != 1)


@dataclass(frozen=True, slots=True)
class _Part:
    """Latents and labels of samples from `first` on."""

    z: Array
    labels: Array | None
    seed: int
    first: int

    def decoded(self, engine: Engine, form: Form) -> Array:
        latents = self.z.reshape(len(self.z), *engine.spec.latent.shape)
        made: Array = engine.decode(
            tried(engine.spec, latents, self.seed, self.first),
            self.labels,
            seed=self.seed,
            start=self.first,
            output=form,
        )
        return made

    def encoded(self, images: Array, engine: Engine) -> tuple[Array, Array]:
        try:
            return engine.posterior(images, self.labels)
        except NumericalError as error:
            raise NumericalError(str(error), self.first + (error.sample or 0)) from error


def _of_both(
    a: Engine, b: Engine, run: Callable[[Engine], Made], first: int
) -> tuple[list[Made], dict[str, int]]:
    """What both gave, and the first samples of those that gave NaN or infinity instead."""
    made, lost = [], {}
    for side, engine in zip("ab", (a, b), strict=True):
        try:
            made.append(run(engine))
        except NumericalError as error:
            lost[side] = first if error.sample is None else error.sample
    return made, lost


def as_floats(images: Array, engine: Engine) -> Array:
    """Images as an encoder takes them; values that a decoder puts outside its range are clipped."""
    low, high = engine.spec.output.range
    return from_uint8(images, (low, high)) if images.dtype == np.uint8 else images.clip(low, high)
