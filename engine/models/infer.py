"""The spec of a network that carries none: its output is measured by running it once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from engine import latents
from engine.core import likely
from engine.core.errors import ArtifactError, OptionError
from engine.core.spec import Condition, Further, GeneratorSpec, Noise

_BATCH = 2


def probe(
    spec_latent: Noise, classes: int, count: int, start: int = 0, noise: Sequence[Noise] = ()
) -> tuple[Tensor, ...]:
    """Inputs of samples start .. start + count: z [count, *latent] and labels [count] int64.

    The labels are there only if classes > 0; after them comes further noise, [count, *shape] each.
    """
    inputs: tuple[Tensor, ...] = (torch.from_numpy(latents.draw(spec_latent, 0, start, count)),)
    if classes:
        inputs += (torch.from_numpy(latents.random_labels(classes, 0, start, count)),)
    return inputs + tuple(
        torch.from_numpy(
            latents.draw(item, 0, start, count, kind=latents.Kind.NOISE_LAYER, index=index)
        )
        for index, item in enumerate(noise)
    )


def infer_spec(
    path: Path,
    family: str,
    decoder: nn.Module,
    latent: Noise,
    classes: int = 0,
    output_range: tuple[float, float] | None = None,
    noise: tuple[Noise, ...] = (),
    further: tuple[Further, ...] = (),
) -> GeneratorSpec:
    """The spec of a decoder, marked as inferred.

    Raises ArtifactError if it does not run, OptionError if only one batch size or not all labels
    work.

    What the output is follows from its shape (`engine.core.likely`); `further` are outputs that
    come after it.
    """
    shape = _measured(path, First(decoder) if further else decoder, latent, classes, noise)
    # Scores of the next token look like sound.
    kind = "tensor" if further else likely.modality(shape)
    return GeneratorSpec(
        name=path.name.split(".")[0],
        family=family,
        latent=latent,
        output=likely.output(shape, output_range or (-1.0, 1.0), kind=kind),
        modality=kind,
        noise=noise,
        condition=Condition(names=tuple(map(str, range(classes)))) if classes else None,
        inferred=True,
        further=further,
    )


def _measured(
    path: Path, decoder: nn.Module, latent: Noise, classes: int, noise: tuple[Noise, ...]
) -> tuple[int, ...]:
    """Shape of one sample, the same for two batch sizes, and for the first and the last label."""

    def shape_of(count: int, label: int) -> tuple[int, ...]:
        z, *rest = probe(latent, classes, count, noise=noise)
        if classes:
            rest[0] = torch.full_like(rest[0], label)
        return measure(path, decoder, (z, *rest))

    shape = shape_of(_BATCH, 0)
    try:
        other = shape_of(_BATCH + 1, 0)
    except ArtifactError as error:
        raise OptionError(f"{error}; it runs on {_BATCH} inputs, so its batch is fixed") from error
    if other != shape:
        raise OptionError(
            f"{path}: the network gives samples of shape {list(shape)} in a batch of {_BATCH} and "
            f"{list(other)} in one of {_BATCH + 1}; its forward must not mix samples"
        )
    try:
        if classes:
            shape_of(_BATCH, classes - 1)
    except ArtifactError as error:
        raise OptionError(
            f"classes={classes}: label 0 works, but {classes - 1} does not; give the number of "
            f"classes that the network has ({error})"
        ) from error
    return shape


def measure(path: Path, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[int, ...]:
    """Shape of one sample of the module's output. Raises ArtifactError if it does not run."""
    shapes = ", ".join(str(list(tensor.shape)) for tensor in inputs)
    try:
        with torch.inference_mode():
            output = module(*inputs)
    # Anything can go wrong in a stranger's code; the reason is passed on.
    except Exception as error:
        raise ArtifactError(
            f"{path}: the network does not run on inputs of shape {shapes}: {first_line(error)}; "
            "check --input-shape, --classes and --arch-args"
        ) from error
    if not isinstance(output, Tensor):
        raise ArtifactError(
            f"{path}: the network returns {type(output).__name__}, not a tensor; "
            "wrap it so that forward returns the sample alone"
        )
    batch = inputs[0].shape[0]
    if output.ndim < 2 or output.shape[0] != batch:
        raise ArtifactError(
            f"{path}: the network gives shape {list(output.shape)} for {batch} inputs; "
            f"a generator gives [{batch}, ...]"
        )
    return tuple(output.shape[1:])


class First(nn.Module):
    """The first output of a module that gives several."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, *rest: Tensor) -> Tensor:
        """Run the module, drop the rest."""
        made: Tensor = self.module(x, *rest)[0]
        return made


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its type if it has none."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
