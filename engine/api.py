"""Engine: one artifact, opened on one backend, sampled reproducibly."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine import backends, inputs, zoo
from engine.backends.base import BackendOptions
from engine.convert import checkpoint_as_onnx
from engine.core.alignment import empty_aligned
from engine.core.artifacts import Artifact, open_artifact
from engine.core.errors import OptionError
from engine.core.options import LoadOptions, Shapes
from engine.core.spec import GeneratorSpec
from engine.core.version import __version__
from engine.explaining import explained
from engine.grid import GridBatch, batches
from engine.labels import LabelPlan, Labels, plan_labels, require_labels
from engine.latents import Kind, NoiseOf, draw
from engine.memory import check_fits, shortage
from engine.runner import Output, Progress, Runner, choose_output, gather, padded, sample_array
from engine.supported import check_drawn, check_supported
from engine.walking import sample_number, way

if TYPE_CHECKING:
    from engine.sinks.manifest import Manifest

# More threads than any machine has are a slip, and exhaust memory before anything runs.
_MOST_THREADS = 1024
_STREAM = "use Engine.stream(n) for batches, or `python -m engine generate -o FOLDER`"
_FEWER = "ask for fewer at a time with start="


class Engine:
    """A generator ready to be sampled.

    artifact: a checkpoint, an ONNX file, a .gen file, a TensorRT plan, a bundle of these (or one
        part: NAME.bundle/model.onnx), or the name of a shipped model.
    backend: a name of `engine.backends`, or "auto"; never falls back in silence (`explain()`).
    device, precision: what the backend offers, or "auto".
    batch_size: samples run at once, fixed for the engine's life. On one engine sample i is the
        same bits for every n and start.
    threads: CPU threads of the backend.
    tune: measure for some seconds how this model runs fastest here (backend native: micro-batch,
        and algorithms of layers; kept per processor and model in the user's cache). None leaves it
        to the environment variable GENERATOR_TUNE. Backends that do not tune say so in `notes`.
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
        tune: bool | None = None,
        arch: str | None = None,
        arch_args: Mapping[str, Any] | None = None,
        state_key: str | None = None,
        classes: int | None = None,
        input_shape: Shapes | None = None,
        output_range: tuple[float, float] | None = None,
    ) -> None:
        if not isinstance(artifact, (str, Path)):
            raise OptionError(f"artifact={artifact!r} must be a path or the name of a model")
        if batch_size is not None:
            batch_size = inputs.count("batch_size", batch_size, 1)
        if threads is not None:
            threads = inputs.count("threads", threads, 1, _MOST_THREADS)
        for what, asked in (("backend", backend), ("device", device), ("precision", precision)):
            if not isinstance(asked, str):
                raise OptionError(f"{what}={asked!r} must be a name, or 'auto'")
        if tune is not None and not isinstance(tune, bool):
            raise OptionError(f"tune={tune!r} must be True, False or None")
        self.options = LoadOptions(
            arch, arch_args or {}, state_key, classes, input_shape, output_range
        )
        self._asked = options = BackendOptions(device, precision, batch_size, threads, tune)
        # What was opened and written out so far is given back if the rest fails.
        with ExitStack() as cleanup:
            as_onnx = partial(checkpoint_as_onnx, cleanup=cleanup)
            with shortage(batch_size, f"while {str(artifact)!r} was opened"):
                file = open_artifact(zoo.resolve(artifact), self.options)
                opened = backends.open_best(file, backend, options, as_onnx, cleanup)
            self.artifact: Artifact = opened.artifact
            # What the backend reads: of a bundle the part, written out until the engine is closed.
            self.file: Artifact = opened.file
            self._backend, self._opened = opened.backend, opened
            self._untuned = tune is True and not self._backend.capabilities.tunes
            self._runner = Runner(self._backend)
            cleanup.callback(self._runner.close)
            self.spec: GeneratorSpec = self._backend.spec
            self.backend: str = self._backend.name
            self.device: str = self._backend.device
            self.precision: str = self._backend.precision
            self.batch_size: int = self._backend.batch_size
            check_supported(self.artifact.location, self.spec, self.batch_size)
            self._cleanup = cleanup.pop_all()
        # A tenth of the start; and who has not imported it listens to nothing.
        if "logging" in sys.modules:
            import logging

            logging.getLogger("engine").info(
                "opened %s with %s (%s)", self.artifact.location, self.backend, self._opened.reason
            )

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
        form = choose_output(output, self.spec)
        n, start = inputs.sample_range(n, start)
        if progress is not None and not callable(progress):
            raise OptionError(f"progress={progress!r} must be a function of (done, n)")
        shape, dtype = sample_array(self.spec, form)
        if out is not None and form == "torch":
            raise OptionError("out= takes numpy arrays; leave it out with output='torch'")
        if out is not None:
            out = inputs.result_array(out, (n, *shape), dtype)
        else:
            check_fits(f"n={n} samples", n * math.prod(shape) * dtype.itemsize, _STREAM)
        seed, truncation = self._drawing(seed, truncation)
        plan = plan_labels(labels, self.spec.classes, n, seed, start, self.spec.name)
        if out is None and form != "torch":
            with shortage(self.batch_size):
                out = empty_aligned((n, *shape), dtype)
        return gather(self._parts(n, seed, start, plan, truncation, form, out), n, out, progress)

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
        form = choose_output(output, self.spec)
        n, start = inputs.sample_range(n, start)
        seed, truncation = self._drawing(seed, truncation)
        plan = plan_labels(labels, self.spec.classes, n, seed, start, self.spec.name)
        return self._parts(n, seed, start, plan, truncation, form, None)

    def save(self, path: str | Path, n: int, **settings: Any) -> Manifest:
        """Write samples to files, in bounded memory; settings are those of `engine.saving.save`."""
        from engine.saving import save

        return save(self, path, n, **settings)

    def latents(
        self, n: int, *, seed: int = 0, start: int = 0, truncation: float | None = None
    ) -> NDArray[np.float32]:
        """The latents that `generate` would use: [n, *latent shape] float32."""
        n, start = inputs.sample_range(n, start)
        check_fits(f"n={n} latents", n * self.spec.latent.size * 4, _FEWER)
        return self._draw(inputs.seed(seed), start, n, inputs.truncation(truncation))

    def labels(
        self, n: int, *, seed: int = 0, start: int = 0, labels: Labels = None
    ) -> NDArray[np.int64] | None:
        """The class indices that `generate` would use: [n] int64, None for unconditional models."""
        n, start = inputs.sample_range(n, start)
        check_fits(f"n={n} labels", n * 8, _FEWER)
        plan = plan_labels(labels, self.spec.classes, n, inputs.seed(seed), start, self.spec.name)
        return None if plan is None else plan.batch(start, n)

    def decode(
        self,
        z: ArrayLike | Mapping[str, ArrayLike],
        labels: Labels = None,
        *,
        seed: int = 0,
        start: int = 0,
        still: int | None = None,
        output: Output = "float32",
    ) -> Any:
        """Samples of the caller's own latents [n, *latent shape]: [n, ...] as `generate` gives.

        z: of networks that take more, all float inputs by name. Conditional models need labels. Row
        i is computed as sample start + i is, with the noise that this sample of the seed (or the
        sample `still`) has in noise layers, so that
        `decode(latents(n, start=k), labels(n, start=k), start=k)` is `generate(n, start=k)`, bit
        for bit. Raises OptionError for a wrong shape, NaN or missing labels.
        """
        form = choose_output(output, self.spec)
        given = inputs.floats(z, self.spec)
        require_labels(labels, self.spec.classes, self.spec.name)
        n = len(given[self.spec.latent.name])
        _, start = inputs.sample_range(max(n, 1), start)
        still = None if still is None else inputs.count("still", still, 0)
        noise = NoiseOf(inputs.seed(seed), still)
        plan = plan_labels(labels, self.spec.classes, n, 0, start, self.spec.name)
        shape, dtype = sample_array(self.spec, form)
        with shortage(self.batch_size):
            out = None if form == "torch" else empty_aligned((n, *shape), dtype)
            work = self._work(start, n, out)
            parts = self._runner.decode(
                work, lambda first, size: padded(given, first - start, size), plan, form, noise
            )
            return gather(parts, n, out)

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
        sample: draw with the noise of samples start .. start + n of a seed.
        Raises OptionError for models without an encoder.
        """
        seed, start = inputs.seed(seed), inputs.count("start", start, 0)
        mean, logvar = self.posterior(x, labels)
        if not sample:
            return mean
        inputs.sample_range(max(len(mean), 1), start)
        eps = draw(self.spec.latent, seed, start, len(mean), kind=Kind.REPARAMETERISATION)
        drawn: NDArray[np.float32] = mean + np.exp(0.5 * logvar) * eps
        return drawn

    def posterior(
        self, x: ArrayLike, labels: Labels = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and log variance of the encoder's diagonal Gaussian, both [n, *latent shape].

        Conditional models need labels. Raises OptionError as `encode` does.
        """
        if "encoder" not in self.spec.entry_points:
            raise OptionError(
                f"{self.spec.name!r} ({self.spec.family}) has no encoder; encode and reconstruct "
                "need a VAE"
            )
        images = inputs.images(x, self.spec.output)
        require_labels(labels, self.spec.classes, self.spec.name)
        n = len(images)
        plan = plan_labels(labels, self.spec.classes, n, 0, 0, self.spec.name)
        mean = np.empty((n, *self.spec.latent.shape), np.float32)
        logvar = np.empty_like(mean)
        with shortage(self.batch_size):
            for batch, _ in self._work(0, n, None):
                whole = padded(images, batch.first, batch.size)
                rows = slice(batch.first, batch.first + batch.wanted)
                mean[rows], logvar[rows] = self._runner.encode(whole, plan, batch)
        return mean, logvar

    def reconstruct(
        self, x: ArrayLike, labels: Labels = None, *, output: Output | None = None
    ) -> Any:
        """Images through the encoder's mean and the decoder: [n, ...] as `generate` gives."""
        form = choose_output(output, self.spec)
        return self.decode(self.encode(x, labels), labels, output=form)

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

        The noise of noise layers stands still on the way: it is that of sample `first`.
        first, last: sample numbers of `seed`, or latents. Great circle for normal latents.
        labels: for conditional models; left out, the class that sample `first` has.
        """
        form = choose_output(output, self.spec)
        steps, seed = inputs.count("steps", steps, 2), inputs.seed(seed)
        check_fits(f"steps={steps} samples", steps * self.spec.latent.size * 4, _FEWER)
        still = sample_number(first)
        if labels is None and still is not None and self.spec.classes:
            own = self.labels(1, seed=seed, start=still)
            labels = None if own is None else int(own[0])
        z = way(self.spec, first, last, steps, partial(self._draw, seed))
        return self.decode(z, labels, seed=seed, still=still or 0, output=form)

    @property
    def batch_size_was_chosen(self) -> bool:
        """Whether the batch size was left open, so that another machine might choose another."""
        return self._asked.batch_size is None

    def with_batch_size(self, batch_size: int) -> Engine:
        """A second engine of the same artifact, backend and options. Raises as `Engine` does."""
        asked = replace(self._asked, batch_size=batch_size)
        given = {f.name: getattr(of, f.name) for of in (asked, self.options) for f in fields(of)}
        return Engine(self.artifact.location, backend=self.backend, **given)

    @property
    def versions(self) -> dict[str, str]:
        """Versions of what made the samples, and what was decided about how."""
        return {
            "generator-engine": __version__,
            self.backend: self._backend.version(),
            "numpy": np.__version__,
            **self._backend.decisions,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be assumed about the model, and what the backend wants known."""
        untuned = (f"tuning: backend {self.backend} does not tune",) if self._untuned else ()
        return (*self._backend.notes, *self._opened.notes, *untuned)

    def explain(self) -> str:
        """What was opened, on what, and why, as readable lines."""
        return explained(self, self._backend.version(), self._opened.reason)

    def close(self) -> None:
        """Free the model; a second call does nothing, later sampling raises OptionError."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _parts(
        self,
        n: int,
        seed: int,
        start: int,
        plan: LabelPlan | None,
        truncation: float | None,
        output: Output,
        out: NDArray[Any] | None,
    ) -> Iterator[Any]:
        drawn, noise = partial(self._draw, seed, truncation=truncation), NoiseOf(seed)
        with shortage(self.batch_size):
            yield from self._runner.decode(self._work(start, n, out), drawn, plan, output, noise)

    def _work(
        self, start: int, n: int, out: NDArray[Any] | None
    ) -> Iterator[tuple[GridBatch, NDArray[Any] | None]]:
        """Batches of samples start .. start + n as they are run, each with its rows of `out`."""
        done = 0
        for batch in batches(start, n, self.batch_size):
            yield self._runner.span(batch), None if out is None else out[done : done + batch.wanted]
            done += batch.wanted

    def _drawing(self, seed: int, truncation: float | None) -> tuple[int, float | None]:
        """Arguments of `_draw`, checked."""
        seed, truncation = inputs.seed(seed), inputs.truncation(truncation)
        check_drawn(self.spec, truncation)
        return seed, truncation

    def _draw(
        self, seed: int, start: int, n: int, truncation: float | None = None
    ) -> NDArray[np.float32]:
        return draw(self.spec.latent, seed, start, n, truncation=truncation)
