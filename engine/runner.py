"""Whole batches through a backend, and the wanted rows of them in the form that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import ENCODER_INPUT, Backend, Batch, not_installed
from engine.core.errors import BackendUnavailableError, OptionError
from engine.core.spec import GeneratorSpec
from engine.finite import check_finite, check_rows
from engine.grid import GridBatch
from engine.images import to_uint8
from engine.labels import LabelPlan

Output = Literal["uint8", "float32", "torch"]
Progress = Callable[[int, int], None]
Floats = NDArray[np.float32]

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

    def close(self) -> None:
        """Free the model; later runs raise OptionError."""
        if not self._closed:
            self._closed = True
            self._backend.close()

    def decode(self, z: Floats, plan: LabelPlan | None, batch: GridBatch, output: Output) -> Any:
        """The wanted rows of one batch of latents [batch_size, *latent shape].

        Raises NumericalError if they hold NaN or infinity.
        """
        feed: dict[str, NDArray[Any]] = {self._spec.latent.name: z}
        name = self._spec.output.name
        values: Any
        if output == "uint8" and self._backend.capabilities.fused_uint8:
            result = self._backend.run_images(self._feed(feed, plan, batch.first))
            finite = result.finite[batch.rows]
            check_rows(finite, batch.first + batch.rows.start, self._context())
            return result.numpy(name)[batch.rows]
        result = self._run("decoder", feed, plan, batch.first)
        if output == "torch":
            import torch

            values = torch.as_tensor(result.tensors[name])[batch.rows]
        else:
            values = result.numpy(name)[batch.rows]
        check_finite(values, batch.first + batch.rows.start, self._context())
        return to_uint8(values, self._spec.output.range) if output == "uint8" else values

    def encode(
        self, images: Floats, plan: LabelPlan | None, batch: GridBatch
    ) -> tuple[Floats, Floats]:
        """Mean and log variance of the wanted rows of one batch [batch_size, C, H, W]."""
        result = self._run("encoder", {ENCODER_INPUT: images}, plan, batch.first)
        mean, logvar = result.numpy("mean")[batch.rows], result.numpy("logvar")[batch.rows]
        for values in (mean, logvar):
            check_finite(values, batch.first, f"the encoder of {self._context()}")
        return mean, logvar

    def _run(
        self, entry_point: str, feed: dict[str, NDArray[Any]], plan: LabelPlan | None, first: int
    ) -> Batch:
        return self._backend.run(entry_point, self._feed(feed, plan, first))

    def _feed(
        self, feed: dict[str, NDArray[Any]], plan: LabelPlan | None, first: int
    ) -> dict[str, NDArray[Any]]:
        if self._closed:
            raise OptionError(f"the engine of {self._spec.name!r} is closed; make a new one")
        if plan is not None and self._spec.condition is not None:
            feed[self._spec.condition.name] = plan.batch(first, self._batch_size)
        return feed

    def _context(self) -> str:
        return f"{self._spec.name!r} ({self._backend.name}, {self._backend.precision})"


def padded(rows: Floats, first: int, batch_size: int) -> Floats:
    """Rows first .. first + batch_size as a whole batch; zeros where there are none."""
    part = rows[max(first, 0) : max(first + batch_size, 0)]
    if len(part) == batch_size:
        return part
    whole = np.zeros((batch_size, *rows.shape[1:]), rows.dtype)
    offset = max(-first, 0)
    whole[offset : offset + len(part)] = part
    return whole


def gather(
    parts: Iterable[Any], out: NDArray[Any] | None, n: int, progress: Progress | None
) -> Any:
    """Parts one after the other in `out`, or as one torch tensor where there is no `out`."""
    done, kept = 0, []
    for part in parts:
        if out is None:
            kept.append(part)
        else:
            out[done : done + len(part)] = part
        done += len(part)
        if progress is not None:
            progress(done, n)
    if out is not None:
        return out
    import torch

    return torch.cat(kept) if kept else torch.empty(0)
