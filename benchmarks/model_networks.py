"""Models as networks: shipped ones and the face DCGAN, as ONNX, `.gen` and PyTorch module."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from benchmarks import face
from benchmarks.graphs import ends_bounded, with_images
from benchmarks.network import Array, Network
from engine import zoo
from engine.core.artifacts import open_artifact
from engine.core.errors import ArtifactError
from engine.latents import draw, random_labels
from engine.program import gen
from engine.program.cost import flops, parameters


def source_of(model: str) -> str:
    """Where a model comes from."""
    return face.SOURCE if model == face.NAME else f"shipped, engine/zoo/{model}.json"


def checkpoint(model: str) -> Path:
    """What a model is made of: its ONNX file, which peers are given, or the face checkpoint.

    Raises ArtifactError where it is not at hand.
    """
    if model == face.NAME:
        return face.find()
    onnx = Path(__file__).with_name("models") / f"{model}.onnx"
    if not onnx.is_file():
        raise ArtifactError(f"{onnx} is not there: peers are given the model as ONNX")
    return onnx


def model_network(model: str, folder: Path) -> Network:
    """A model in all forms, what is not shipped exported into a folder.

    Raises ArtifactError where it is not at hand.
    """
    from engine.models.load import load_generator
    from export.convert import export_onnx
    from export.pack import export_gen

    source = checkpoint(model)
    if model == face.NAME:
        onnx, packed = folder / f"{model}.onnx", folder / f"{model}.gen"
        export_onnx(load_generator(source), onnx)
        export_gen(open_artifact(onnx), packed)
    else:
        onnx, packed = source, zoo.resolve(model)
    made = gen.read(packed)
    program, spec = made.programs["decoder"], made.spec
    inputs = (spec.latent.name, *((spec.condition.name,) if spec.condition else ()))
    values = spec.output.range
    return Network(
        name=model,
        source=source_of(model),
        gen=packed,
        onnx=onnx,
        images=with_images(onnx, folder / f"{model}.images.onnx", values),
        module=functools.cache(lambda: load_generator(onnx).entry_points["decoder"]),
        inputs=inputs,
        input_shape=spec.latent.shape,
        output_shape=spec.output.shape,
        value_range=values,
        bounded=ends_bounded(onnx, values),
        flop_per_sample=sum(flops(step, program.values) for step in program.operations),
        weights=sum(parameters(step) for step in program.operations),
    )


def reloaded(network: Network) -> Network:
    """The same files, and a module that is read anew: nothing that was kept in memory helps."""
    from engine.models.load import load_generator

    module = functools.cache(lambda: load_generator(network.onnx).entry_points["decoder"])
    return dataclasses.replace(network, module=module)


def model_inputs(network: Network, n: int) -> tuple[Array, ...]:
    """Latents [n, ...] (and labels [n]) of the first samples of seed 0."""
    spec = gen.read_spec(network.gen)
    latents = draw(spec.latent, 0, 0, n)
    if not spec.classes:
        return (latents,)
    return (latents, random_labels(len(spec.classes), 0, 0, n))
