"""A spec read off the tensors of a graph or plan that carries none."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.core import likely
from engine.core.artifacts import Artifact
from engine.core.errors import ArtifactError
from engine.core.spec import Condition, GeneratorSpec, Noise

FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_INTEGERS = ("tensor(int64)", "tensor(int32)")

# Name, type as onnxruntime spells it, and shape with the batch first (a name or None where open).
Tensor = tuple[str, str, list[Any]]


def infer_spec(artifact: Artifact, inputs: list[Tensor], outputs: list[Tensor]) -> GeneratorSpec:
    """A spec from a graph's inputs and outputs (name, type, shape with the batch first).

    The first float input is the latent, an integer input the class, and further float inputs are
    the caller's; the first output is the sample. Raises ArtifactError for anything else.
    """
    path, options = artifact.path, artifact.options
    floats = [tensor for tensor in inputs if tensor[1] in FLOATS]
    integers = [tensor for tensor in inputs if tensor[1] in _INTEGERS]
    if not floats or len(integers) > 1 or len(inputs) != len(floats) + len(integers):
        raise ArtifactError(
            f"{path}: no generator: float inputs (and at most one integer input, the class) are "
            f"expected, it has {_listed(inputs)}"
        )
    shapes = itertools.zip_longest(floats, options.input_shapes[: len(floats)])
    latent, *rest = (
        Noise(_sample_shape(path, "input", name, shape, given), name=name)
        for (name, _, shape), given in shapes
    )
    output_name, _, output_shape = outputs[0]
    made = _sample_shape(path, "output", output_name, output_shape, None)
    if latent.size > 16 * math.prod(made):
        raise ArtifactError(
            f"{path}: no generator: it turns {list(latent.shape)} into {list(made)}, which is far "
            "less"
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
    spec = GeneratorSpec(
        name=path.stem,
        family="onnx",
        latent=latent,
        output=likely.output(made, options.output_range or (-1.0, 1.0), output_name),
        modality=likely.modality(made),
        # Nothing says that they are noise.
        noise=tuple(replace(item, distribution="given") for item in rest),
        condition=condition,
        inferred=True,
    )
    return likely.with_given(spec, [latent.name])[0]


def _sample_shape(
    path: Path, what: str, name: str, shape: list[Any], given: tuple[int, ...] | None
) -> tuple[int, ...]:
    if given is not None:
        return given
    alone = what == "input" and len(shape) == 1 and isinstance(shape[0], int)
    # A vector without a batch, beside the one sample that the graph is for.
    sample = shape if alone else shape[1:]
    if not sample or any(not isinstance(size, int) or size < 1 for size in sample):
        remedies = {
            "input": "say it with input_shape (--input-shape)",
            "output": "export it with fixed output sizes",
        }
        raise ArtifactError(f"{path}: {what} {name!r} has the open shape {shape}; {remedies[what]}")
    return tuple(sample)


def _listed(tensors: list[Tensor]) -> str:
    return ", ".join(f"{name} {kind} {shape}" for name, kind, shape in tensors) or "none"
