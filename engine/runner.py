"""Whole batches through a backend, and the wanted rows of them in the form that was asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import ENCODER_INPUT, Backend, Batch, Pending, not_installed
from engine.core.errors import ArtifactError, BackendUnavailableError, OptionError
from engine.core.spec import GeneratorSpec
from engine.finite import check_finite, check_rows
from engine.grid import GridBatch
from engine.images import to_uint8
from engine.labels import LabelPlan
from engine.latents import NoiseOf

Output = Literal["uint8", "float32", "torch"]
Progress = Callable[[int, int], None]
Floats = NDArray[np.float32]

_Rows = TypeVar("_Rows", Floats, dict[str, Floats])

OUTPUTS: tuple[Output, ...] = ("uint8", "float32", "torch")


def choose_output(asked: str | None, spec: GeneratorSpec) -> Output:
    """The form of results: uint8 for images and float32 for the rest unless asked otherwise.

    Raises OptionError, or BackendUnavailableError for "torch" without torch.
    """
    is_image = spec.modality == "image"
    if asked is None:
        return "uint8" if is_image else "float32"
    if asked not in OUTPUTS:
        raise OptionError(f"output={asked!r} is unknown; known are {', '.join(OUTPUTS)}")
    if asked == "uint8" and not is_image:
        raise OptionError(
            f"output='uint8' makes images; {spec.name!r} makes {spec.modality}, use "
            "output='float32'"
        )
    missing = not_installed("torch", "torch") if asked == "torch" else None
    if missing:
        raise BackendUnavailableError(f"output='torch': {missing}")
    return asked


def sample_array(spec: GeneratorSpec, output: Output) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of one sample in a result."""
    if output == "uint8":
        channels, height, width = spec.output.shape
        return (height, width, channels), np.dtype(np.uint8)
    return spec.output.shape, np.dtype(np.float32)


class Runner:
    """One open backend and its fixed batch size."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._spec = backend.spec
        self._batch_size = backend.batch_size
        self._closed = False
        self._context = f"{self._spec.name!r} ({backend.name}, {backend.precision})"

    def close(self) -> None:
        """Free the model; later runs raise OptionError."""
        if not self._closed:
            self._closed = True
            self._backend.close()

    def span(self, batch: GridBatch) -> GridBatch:
        """The batch as it has to be fed: whole, or its wanted rows alone where those will do."""
        if not self._backend.capabilities.any_count:
            return batch
        return GridBatch(batch.first + batch.rows.start, slice(0, batch.wanted), batch.wanted)

    def decode(
        self,
        work: Iterable[tuple[GridBatch, NDArray[Any] | None]],
        latents: Callable[[int, int], Floats | dict[str, Floats]],
        plan: LabelPlan | None,
        output: Output,
        noise: NoiseOf,
    ) -> Iterator[Any]:
        """The wanted rows of each batch, in order; some are begun ahead where the backend can.

        work: batches as `span` gives them, each with the array [wanted, ...] to fill and give
            back, of numpy outputs, or None.
        latents: of (first, size): [size, *latent shape], or these and further inputs by name.
        noise: of noise layers that are not among them.
        Raises NumericalError if they hold NaN or infinity.
        """
        waiting: deque[Callable[[], Any]] = deque()
        for batch, out in work:
            feed = self._feed(batch, latents(batch.first, batch.size), plan, noise)
            waiting.append(self._begin(batch, feed, output, out))
            if len(waiting) > self._backend.in_flight:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()

    def _feed(
        self,
        batch: GridBatch,
        z: Floats | dict[str, Floats],
        plan: LabelPlan | None,
        noise: NoiseOf,
    ) -> dict[str, NDArray[Any]]:
        """What the decoder takes for one batch, by name."""
        given = z if isinstance(z, dict) else {self._spec.latent.name: z}
        feed: dict[str, NDArray[Any]] = dict(given)
        if plan is not None and self._spec.condition is not None:
            feed[self._spec.condition.name] = plan.batch(batch.first, batch.size)
        for index, layer in enumerate(self._spec.noise):
            if layer.name not in given:
                feed[layer.name] = noise.of(layer, index, batch.first, batch.size)
        return feed

    def _begin(
        self,
        batch: GridBatch,
        feed: dict[str, NDArray[Any]],
        output: Output,
        out: NDArray[Any] | None,
    ) -> Callable[[], Any]:
        """Begin one batch; the call that is given back waits for its rows."""
        if self._backend.in_flight == 0:
            result = self._run("decoder", feed, output == "uint8", out)
            return partial(self._rows, result, batch, output, out)
        self._check_open()
        images = output == "uint8" and self._backend.makes_images
        pending = self._backend.begin("decoder", feed, images, output != "torch")
        return partial(self._finish, pending, batch, output, out)

    def _finish(
        self, pending: Pending, batch: GridBatch, output: Output, out: NDArray[Any] | None
    ) -> Any:
        """The rows of a batch that was begun, in memory of their own."""
        result = pending.result()
        try:
            if out is None and output != "torch":
                shape, dtype = sample_array(self._spec, output)
                out = np.empty((batch.wanted, *shape), dtype)
            return self._rows(result, batch, output, out)
        finally:
            pending.release()

    def _rows(
        self, result: Batch, batch: GridBatch, output: Output, out: NDArray[Any] | None
    ) -> Any:
        name = self._spec.output.name
        values: Any
        if output == "torch":
            import torch

            values = torch.as_tensor(result.tensors[name])[batch.rows]
        else:
            values = result.numpy(name)[batch.rows]
        first = batch.first + batch.rows.start
        if result.finite is None:
            check_finite(values, first, self._context)
        else:
            check_rows(result.finite[batch.rows], first, self._context)
        if output == "uint8" and values.dtype != np.uint8:
            values = to_uint8(values, self._spec.output.range)
        if out is None:
            return values
        if result.tensors[name] is not out:
            self._check_shape(name, values, out.shape)
            out[...] = values
        return out

    def encode(
        self, images: Floats, plan: LabelPlan | None, batch: GridBatch
    ) -> tuple[Floats, Floats]:
        """Mean and log variance of the wanted rows of one batch [size, C, H, W]."""
        feed: dict[str, NDArray[Any]] = {ENCODER_INPUT: images}
        if plan is not None and self._spec.condition is not None:
            feed[self._spec.condition.name] = plan.batch(batch.first, batch.size)
        result = self._run("encoder", feed, False, None)
        mean, logvar = result.numpy("mean")[batch.rows], result.numpy("logvar")[batch.rows]
        for name, values in (("mean", mean), ("logvar", logvar)):
            self._check_shape(name, values, (batch.wanted, *self._spec.latent.shape))
            check_finite(values, batch.first, f"the encoder of {self._context}")
        return mean, logvar

    def _check_shape(self, name: str, values: NDArray[Any], wanted: tuple[int, ...]) -> None:
        """A stranger's graph need not give what it declares, and numpy would repeat it."""
        if values.shape != wanted:
            raise ArtifactError(
                f"{self._context}: {name!r} has the shape {list(values.shape)} where "
                f"{list(wanted)} is declared; export the model again"
            )

    def _run(
        self,
        entry_point: str,
        feed: dict[str, NDArray[Any]],
        images: bool,
        out: NDArray[Any] | None,
    ) -> Batch:
        self._check_open()
        can = self._backend.capabilities
        fused = images and self._backend.makes_images
        given: dict[str, Any] = {}
        # Floats that are images only later cannot lie where the images shall.
        if can.fills_out and out is not None and out.flags.c_contiguous and fused == images:
            given["out"] = out
        if fused:
            return self._backend.run_images(feed, **given)
        return self._backend.run(entry_point, feed, **given)

    def _check_open(self) -> None:
        if self._closed:
            raise OptionError(f"the engine of {self._spec.name!r} is closed; make a new one")


def padded(rows: _Rows, first: int, batch_size: int) -> _Rows:
    """Rows first .. first + batch_size as a whole batch; zeros where there are none."""
    if isinstance(rows, dict):
        return {name: padded(array, first, batch_size) for name, array in rows.items()}
    part = rows[max(first, 0) : max(first + batch_size, 0)]
    if len(part) == batch_size:
        return part
    whole = np.zeros((batch_size, *rows.shape[1:]), rows.dtype)
    offset = max(-first, 0)
    whole[offset : offset + len(part)] = part
    return whole


def gather(parts: Iterable[Any], n: int, out: Any = None, progress: Progress | None = None) -> Any:
    """`out`, once all parts have been made in it; without it, the parts as one torch tensor."""
    done, kept = 0, []
    for part in parts:
        if out is None:
            kept.append(part)
        done += len(part)
        if progress is not None:
            progress(done, n)
    if out is not None:
        return out
    import torch

    return torch.cat(kept) if kept else torch.empty(0)
