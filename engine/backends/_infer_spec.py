"""A spec read off the tensors of a graph or plan that carries none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from engine.core.artifacts import Artifact
from engine.core.errors import ArtifactError
from engine.core.spec import Condition, GeneratorSpec, Modality, Noise, Output, image_channels

FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_INTEGERS = ("tensor(int64)", "tensor(int32)")

# Name, type as onnxruntime spells it, and shape with the batch first (a name or None where open).
Tensor = tuple[str, str, list[Any]]


def infer_spec(artifact: Artifact, inputs: list[Tensor], outputs: list[Tensor]) -> GeneratorSpec:
    """A spec from a graph's inputs and outputs (name, type, shape with the batch first).

    One float input is the latent, an integer input the class; the first output must be an image,
    [B, C, H, W], or sound, [B, C, T]. Raises ArtifactError for anything else.
    """
    path, options = artifact.path, artifact.options
    floats = [tensor for tensor in inputs if tensor[1] in FLOATS]
    integers = [tensor for tensor in inputs if tensor[1] in _INTEGERS]
    if len(floats) != 1 or len(integers) > 1 or len(inputs) != len(floats) + len(integers):
        raise ArtifactError(
            f"{path}: no generator: one float input (and at most one integer input, the class) "
            f"is expected, it has {_listed(inputs)}"
        )
    latent_name, _, latent_shape = floats[0]
    output_name, _, output_shape = outputs[0]
    latent = _sample_shape(path, "input", latent_name, latent_shape, options.input_shape)
    shape = _sample_shape(path, "output", output_name, output_shape, None)
    if math.prod(latent) > 16 * math.prod(shape):
        raise ArtifactError(
            f"{path}: no generator: it turns {list(latent)} into {list(shape)}, which is far less"
        )
    if len(shape) == 3 and image_channels(shape[0]):
        output = Output(
            shape, "CHW", options.output_range or (-1.0, 1.0), image_channels(shape[0]), output_name
        )
        modality: Modality = "image"
    elif len(shape) == 2:
        output = Output(shape, "CT", options.output_range or (-1.0, 1.0), "", output_name)
        modality = "audio"
    else:
        raise ArtifactError(
            f"{path}: no generator of images or sound: output {output_name!r} has the shape "
            f"{output_shape}; images are [batch, 1, 3 or 4, height, width]"
        )
    condition = None
    if integers:
        if options.classes is None:
            raise ArtifactError(
                f"{path}: input {integers[0][0]!r} asks for a class; say how many there are: "
                "classes=N (--classes N)"
            )
        names = tuple(str(index) for index in range(options.classes))
        condition = Condition(names=names, name=integers[0][0])
    return GeneratorSpec(
        name=path.stem,
        family="onnx",
        latent=Noise(latent, name=latent_name),
        output=output,
        modality=modality,
        condition=condition,
        inferred=True,
    )


def _sample_shape(
    path: Path, what: str, name: str, shape: list[Any], given: tuple[int, ...] | None
) -> tuple[int, ...]:
    if given is not None:
        return given
    sample = shape[1:]
    if not sample or any(not isinstance(size, int) or size < 1 for size in sample):
        remedies = {
            "input": "say it with input_shape (--input-shape)",
            "output": "export it with fixed output sizes",
        }
        raise ArtifactError(f"{path}: {what} {name!r} has the open shape {shape}; {remedies[what]}")
    return tuple(sample)


def _listed(tensors: list[Tensor]) -> str:
    return ", ".join(f"{name} {kind} {shape}" for name, kind, shape in tensors) or "none"
