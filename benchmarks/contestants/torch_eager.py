"""PyTorch as most people run it: eager, fp32 or bf16, channels last or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from benchmarks.contestants.base import Entry, dividing
from benchmarks.contestants.torch_common import (
    dtype_of,
    empty_result,
    memory_format,
    prepared,
    tensors,
    torch_missing,
    whole_forward,
)
from benchmarks.network import Array, Work, image_scale
from benchmarks.results import Role

if TYPE_CHECKING:
    from torch import Tensor


class TorchEager:
    """`module(z)` without gradients, batch by batch."""

    role: Role = "peer"
    slow_to_open = False

    def __init__(self, channels_last: bool = True) -> None:
        self.name = "torch eager" if channels_last else "torch eager, contiguous"
        self._channels_last = channels_last

    def unavailable(self, work: Work) -> str | None:
        """Without torch, or without a GPU where one is asked for."""
        return torch_missing(work)

    def batch_sizes(self, work: Work) -> tuple[int, ...]:
        """Small ones keep activations in the cache."""
        return dividing(work.n, (16, 32, 64, 256))

    def open(self, work: Work, batch_size: int) -> Entry:
        """Module, and memory for the results."""
        import torch

        torch.set_num_threads(work.threads)
        last = self._channels_last
        inputs, parts = tensors(work, last), work.parts(batch_size)
        batches = [tuple(value[part] for value in inputs) for part in parts]
        as_made = len(parts) == 1 and work.output == "float32" and work.device == "cpu"
        run = _as_made(work, last, batches[0]) if as_made else _in_place(work, last, batches, parts)
        named = last and memory_format(len(work.network.output_shape) + 1) is not None
        layout = "channels last, " if named else ""
        return Entry(f"inference_mode, {layout}{work.precision}, {work.threads} threads", run)


def _as_made(work: Work, channels_last: bool, batch: tuple[Tensor, ...]) -> Callable[[], Array]:
    """Floats of all samples at once: the network's own result, which nobody has to copy."""
    import torch

    module = prepared(work.network, work.precision, work.device, channels_last)
    dtype, (values, *labels) = dtype_of(work.precision), batch

    @torch.inference_mode()
    def run() -> Array:
        made: Array = module(values.to(dtype), *labels).float().numpy()
        return made

    return run


def _in_place(
    work: Work, channels_last: bool, batches: Sequence[tuple[Tensor, ...]], parts: Sequence[slice]
) -> Callable[[], Array]:
    """Batch by batch into one array."""
    import torch

    forward = _on_cpu(work, channels_last) if work.device == "cpu" else _on_gpu(work)
    out = empty_result(work, channels_last)

    @torch.inference_mode()
    def run() -> Array:
        for part, batch in zip(parts, batches, strict=True):
            forward(out[part], *batch)
        result: Array = out.numpy()
        return result

    return run


def _on_cpu(work: Work, channels_last: bool) -> Callable[..., None]:
    """Images in two passes: scaled by one fused operation, then converted into their place."""
    import torch

    module = prepared(work.network, work.precision, work.device, channels_last)
    dtype = dtype_of(work.precision)

    def floats(out: Tensor, values: Tensor, *labels: Tensor) -> None:
        out.copy_(module(values.to(dtype), *labels))

    if work.output == "float32":
        return floats
    scale, shift = image_scale(work.network)
    base = torch.tensor(shift)

    def images(out: Tensor, values: Tensor, *labels: Tensor) -> None:
        scaled = torch.add(base, module(values.to(dtype), *labels).float(), alpha=scale)
        if not work.network.bounded:
            scaled.clamp_(0.0, 255.0)
        out.copy_(scaled.permute(0, 2, 3, 1))

    return images


def _on_gpu(work: Work) -> Callable[..., None]:
    """Converted on the device, so that bytes are copied and not floats."""
    forward = whole_forward(work)

    def run(out: Tensor, *inputs: Tensor) -> None:
        out.copy_(forward(*inputs))

    return run
