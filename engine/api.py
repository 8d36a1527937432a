"""Engine: one artifact, opened on one backend, sampled reproducibly."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine import backends, inputs, zoo
from engine.backends.base import ENCODER_INPUT, Backend, BackendOptions
from engine.convert import checkpoint_as_onnx
from engine.core.artifacts import Artifact, open_artifact
from engine.core.errors import NumericalError, OptionError
from engine.core.options import LoadOptions
from engine.core.spec import GeneratorSpec
from engine.core.version import __version__
from engine.grid import GridBatch, batches
from engine.images import to_uint8
from engine.labels import LabelPlan, Labels, plan_labels
from engine.latents import Kind, draw, interpolate
from engine.memory import check_fits

logger = logging.getLogger("engine")

Output = Literal["uint8", "float32", "torch"]
Progress = Callable[[int, int], None]

OUTPUTS: tuple[Output, ...] = ("uint8", "float32", "torch")


class Engine:
    """A generator ready to be sampled.

    artifact: a checkpoint, an ONNX file, a TensorRT plan, or the name of a shipped model.
    backend: a name of `engine.backends`, or "auto"; never falls back in silence (`explain()`).
    device, precision: what the backend offers, or "auto".
    batch_size: samples run at once, fixed for the engine's life. Sample i is always row
        i mod batch_size of its batch, so on one engine it is the same bits for every n and start.
    threads: CPU threads of the backend.
    arch, arch_args, state_key, classes, input_shape, output_range: for models that do not
        describe themselves (`engine.core.options.LoadOptions`).

    Raises ArtifactError, OptionError or BackendUnavailableError.
    """

    def __init__(
        self,
        artifact: str | Path,
        *,
        backend: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        batch_size: int | None = None,
        threads: int | None = None,
        arch: str | None = None,
        arch_args: Mapping[str, Any] | None = None,
        state_key: str | None = None,
        classes: int | None = None,
        input_shape: tuple[int, ...] | None = None,
        output_range: tuple[float, float] | None = None,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("threads", threads)):
            if value is not None and value < 1:
                raise OptionError(f"{name}={value} must be at least 1")
        load = LoadOptions(arch, arch_args or {}, state_key, classes, input_shape, output_range)
        self.artifact: Artifact = open_artifact(zoo.resolve(artifact), load)
        self._choice = backends.choose(self.artifact, backend)
        self._cleanup = ExitStack()
        opened = self.artifact
        if opened.kind == "checkpoint" and self._choice.backend.name == "onnxruntime":
            opened = checkpoint_as_onnx(opened, self._cleanup)
        options = BackendOptions(device, precision, batch_size, threads)
        self._backend: Backend = self._choice.backend.open(opened, options)
        self.spec: GeneratorSpec = self._backend.spec
        self.backend: str = self._backend.name
        self.device: str = self._backend.device
        self.precision: str = self._backend.precision
        self.batch_size: int = self._backend.batch_size
        logger.info("opened %s with %s (%s)", self.artifact.path, self.backend, self._choice.reason)

    def generate(
        self,
        n: int,
        *,
        seed: int = 0,
        start: int = 0,
        labels: Labels = None,
        truncation: float | None = None,
        output: Output | None = None,
        out: NDArray[Any] | None = None,
        progress: Progress | None = None,
    ) -> Any:
        """Samples start .. start + n of a seed, as one array.

        labels: class index or name for all, one for each, "random" or None (both random, from
            their own stream; None also for unconditional models).
        truncation: draw latents from the normal truncated to [-truncation, truncation].
        output: "uint8" images [n, H, W, C] (the default for images), "float32" [n, *output shape]
            in the model's own range (the default for the rest), "torch" the same as a tensor.
        out: array to fill and return, a memory map for example.
        progress: called with (samples done, n) after each batch.

        Raises OptionError, or NumericalError if the model gives NaN or infinity.
        """
        output = self._output(output)
        n, start = inputs.count("n", n, 1), inputs.count("start", start, 0)
        shape, dtype = self._sample_array(output)
        if out is None:
            check_fits(n, int(np.prod(shape)) * dtype.itemsize)
        elif output == "torch":
            raise OptionError("out= takes numpy arrays; leave it out with output='torch'")
        elif out.shape != (n, *shape) or out.dtype != dtype:
            raise OptionError(
                f"out has shape {out.shape} and dtype {out.dtype}; needed are {(n, *shape)} {dtype}"
            )
        parts = self.stream(
            n, seed=seed, start=start, labels=labels, truncation=truncation, output=output
        )
        if output == "torch":
            return _concatenate(parts, n, progress)
        result = np.empty((n, *shape), dtype) if out is None else out
        done = 0
        for part in parts:
            result[done : done + len(part)] = part
            done += len(part)
            if progress is not None:
                progress(done, n)
        return result

    def stream(
        self,
        n: int,
        *,
        seed: int = 0,
        start: int = 0,
        labels: Labels = None,
        truncation: float | None = None,
        output: Output | None = None,
    ) -> Iterator[Any]:
        """The samples of `generate` in batches of at most `batch_size`, in bounded memory.

        Arguments are checked at once; samples are made as the iterator is advanced.
        """
        output = self._output(output)
        n, start, seed = inputs.count("n", n, 1), inputs.count("start", start, 0), inputs.seed(seed)
        plan = plan_labels(labels, self.spec.classes, n, seed, start, self.spec.name)
        self._draw(seed, start, 0, truncation)
        return self._stream(n, seed, start, plan, truncation, output)

    def latents(
        self, n: int, *, seed: int = 0, start: int = 0, truncation: float | None = None
    ) -> NDArray[np.float32]:
        """The latents that `generate` would use: [n, *latent shape] float32."""
        n, start, seed = inputs.count("n", n, 1), inputs.count("start", start, 0), inputs.seed(seed)
        check_fits(n, self.spec.latent.size * 4)
        return self._draw(seed, start, n, truncation)

    def labels(
        self, n: int, *, seed: int = 0, start: int = 0, labels: Labels = None
    ) -> NDArray[np.int64] | None:
        """The class indices that `generate` would use: [n] int64, None for unconditional models."""
        n, start, seed = inputs.count("n", n, 1), inputs.count("start", start, 0), inputs.seed(seed)
        plan = plan_labels(labels, self.spec.classes, n, seed, start, self.spec.name)
        return None if plan is None else plan.batch(start, n)

    def decode(self, z: ArrayLike, labels: Labels = None, *, output: Output = "float32") -> Any:
        """Samples of the caller's own latents [n, *latent shape]: [n, ...] as `generate` gives.

        Row i is computed as row i mod batch_size. Raises OptionError for a wrong shape or NaN.
        """
        output = self._output(output)
        latents = inputs.latents(z, self.spec.latent)
        n = len(latents)
        plan = plan_labels(labels, self.spec.classes, n, 0, 0, self.spec.name)
        shape, dtype = self._sample_array(output)
        parts = (
            self._decode(_padded(latents, batch.first, self.batch_size), plan, batch, output)
            for batch in batches(0, n, self.batch_size)
        )
        if output == "torch":
            return _concatenate(parts, n, None)
        return np.concatenate(list(parts)) if n else np.empty((0, *shape), dtype)

    def encode(
        self,
        x: ArrayLike,
        labels: Labels = None,
        *,
        sample: bool = False,
        seed: int = 0,
        start: int = 0,
    ) -> NDArray[np.float32]:
        """Latents of images: the posterior mean, or one draw from it: [n, *latent shape] float32.

        x: uint8 [n, H, W, C], or float32 [n, C, H, W] in the model's range.
        Raises OptionError for models without an encoder.
        """
        mean, logvar = self.posterior(x, labels)
        if not sample:
            return mean
        noise = self.spec.latent
        eps = draw(noise, inputs.seed(seed), start, len(mean), kind=Kind.REPARAMETERISATION)
        drawn: NDArray[np.float32] = mean + np.exp(0.5 * logvar) * eps
        return drawn

    def posterior(
        self, x: ArrayLike, labels: Labels = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and log variance of the encoder's diagonal Gaussian, both [n, *latent shape]."""
        if "encoder" not in self.spec.entry_points:
            raise OptionError(
                f"{self.spec.name!r} ({self.spec.family}) has no encoder; encode and reconstruct "
                "need a VAE"
            )
        images = inputs.images(x, self.spec.output)
        n = len(images)
        plan = plan_labels(labels, self.spec.classes, n, 0, 0, self.spec.name)
        mean = np.empty((n, *self.spec.latent.shape), np.float32)
        logvar = np.empty_like(mean)
        for batch in batches(0, n, self.batch_size):
            feed = {ENCODER_INPUT: _padded(images, batch.first, self.batch_size)}
            result = self._backend.run("encoder", self._with_labels(feed, plan, batch.first))
            mean[batch.first : batch.first + batch.wanted] = result.numpy("mean")[batch.rows]
            logvar[batch.first : batch.first + batch.wanted] = result.numpy("logvar")[batch.rows]
        return mean, logvar

    def reconstruct(
        self, x: ArrayLike, labels: Labels = None, *, output: Output | None = None
    ) -> Any:
        """Images through the encoder's mean and the decoder: [n, ...] as `generate` gives."""
        return self.decode(self.encode(x, labels), labels, output=self._output(output))

    def interpolate(
        self,
        first: int | ArrayLike,
        last: int | ArrayLike,
        steps: int,
        *,
        seed: int = 0,
        labels: Labels = None,
        output: Output | None = None,
    ) -> Any:
        """Samples on the way between two latents, both ends included: [steps, ...].

        first, last: sample numbers of `seed`, or latents. Great circle for normal latents.
        """
        ends = [
            self._draw(inputs.seed(seed), inputs.count("sample", end, 0), 1, None)[0]
            if isinstance(end, (int, np.integer))
            else inputs.latents(np.asarray(end, np.float32)[None], self.spec.latent)[0]
            for end in (first, last)
        ]
        way = interpolate(ends[0], ends[1], steps, self.spec.latent)
        return self.decode(way, labels, output=self._output(output))

    @property
    def versions(self) -> dict[str, str]:
        """Versions of what made the samples."""
        return {
            "generator-engine": __version__,
            self.backend: self._backend.version(),
            "numpy": np.__version__,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be assumed about the model, and what the backend wants known."""
        return self._backend.notes

    def explain(self) -> str:
        """What was opened, on what, and why, as readable lines."""
        spec = self.spec
        condition = f"{len(spec.classes)} classes" if spec.classes else "unconditional"
        lines = [
            f"model      {spec.name} ({spec.family}, {condition})"
            + (", spec inferred from the tensors" if spec.inferred else ""),
            f"artifact   {self.artifact.path}",
            f"latent     {list(spec.latent.shape)} {spec.latent.distribution}",
            f"output     {list(spec.output.shape)} {spec.output.layout} in "
            f"[{spec.output.range[0]:g}, {spec.output.range[1]:g}]",
            f"backend    {self.backend} {self._backend.version()}: {self._choice.reason}",
            f"runs on    {self.device}, {self.precision}, batches of {self.batch_size}",
        ]
        lines += [f"note       {note}" for note in self.notes]
        return "\n".join(lines)

    def close(self) -> None:
        """Free the model. A second call does nothing."""
        self._backend.close()
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _stream(
        self,
        n: int,
        seed: int,
        start: int,
        plan: LabelPlan | None,
        truncation: float | None,
        output: Output,
    ) -> Iterator[Any]:
        for batch in batches(start, n, self.batch_size):
            z = self._draw(seed, batch.first, self.batch_size, truncation)
            yield self._decode(z, plan, batch, output)

    def _decode(
        self, z: NDArray[np.float32], plan: LabelPlan | None, batch: GridBatch, output: Output
    ) -> Any:
        """The wanted rows of one batch of latents [batch_size, *latent shape]."""
        feed = self._with_labels({self.spec.latent.name: z}, plan, batch.first)
        result = self._backend.run("decoder", feed)
        if output == "torch":
            import torch

            return torch.as_tensor(result.tensors[self.spec.output.name])[batch.rows]
        values = result.numpy(self.spec.output.name)[batch.rows]
        if not np.isfinite(values).all():
            bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))[0]
            raise NumericalError(
                f"sample {batch.first + batch.rows.start + bad} of {self.spec.name!r} holds NaN or "
                f"infinity ({self.backend}, {self.precision}); try precision='fp32', and check "
                "the weights"
            )
        return to_uint8(values, self.spec.output.range) if output == "uint8" else values

    def _with_labels(
        self, feed: dict[str, NDArray[Any]], plan: LabelPlan | None, first: int
    ) -> dict[str, NDArray[Any]]:
        if plan is not None and self.spec.condition is not None:
            feed[self.spec.condition.name] = plan.batch(first, self.batch_size)
        return feed

    def _draw(self, seed: int, start: int, n: int, truncation: float | None) -> NDArray[np.float32]:
        return draw(self.spec.latent, seed, start, n, truncation=truncation)

    def _output(self, output: str | None) -> Output:
        is_image = self.spec.modality == "image"
        if output is None:
            return "uint8" if is_image else "float32"
        if output not in OUTPUTS:
            raise OptionError(f"output={output!r} is unknown; known are {', '.join(OUTPUTS)}")
        if output == "uint8" and not is_image:
            raise OptionError(
                f"output='uint8' makes images; {self.spec.name!r} makes {self.spec.modality}, "
                "use output='float32'"
            )
        return output

    def _sample_array(self, output: Output) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of one sample in a result."""
        shape = self.spec.output.shape
        if output == "uint8":
            channels, height, width = shape
            return (height, width, channels), np.dtype(np.uint8)
        return shape, np.dtype(np.float32)


def _padded(rows: NDArray[np.float32], first: int, batch_size: int) -> NDArray[np.float32]:
    """Rows first .. first + batch_size; zeros where there are no more."""
    part = rows[first : first + batch_size]
    if len(part) == batch_size:
        return part
    padding = np.zeros((batch_size - len(part), *part.shape[1:]), part.dtype)
    return np.concatenate([part, padding])


def _concatenate(parts: Iterable[Any], n: int, progress: Progress | None) -> Any:
    """Torch parts as one tensor of n rows."""
    import torch

    done, kept = 0, []
    for part in parts:
        kept.append(part)
        done += len(part)
        if progress is not None:
            progress(done, n)
    return torch.cat(kept)
