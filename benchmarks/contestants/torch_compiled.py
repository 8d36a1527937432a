"""torch.compile with frozen weights, and the same ahead of time (AOTInductor).

Freezing prepacks the weights for oneDNN and fuses epilogues; conversions at both ends are compiled
with the network. https://docs.pytorch.org/docs/stable/torch.compiler_aot_inductor.html, and
`freezing` in torch/_inductor/config.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.contestants.base import Entry, dividing
from benchmarks.contestants.torch_common import (
    empty_result,
    tensors,
    torch_missing,
    whole_forward,
)
from benchmarks.network import Array, Work
from benchmarks.results import Role

if TYPE_CHECKING:
    from torch import Tensor

Forward = Callable[..., "Tensor"]

# As in eager mode; each size is compiled for itself, and larger ones leave the cache.
_SIZES = (16, 32, 64, 256)


class Compiled:
    """What both have in common: one static shape, and results copied into one array."""

    role: Role = "peer"
    slow_to_open = True
    how = ""

    def __init__(self) -> None:
        # Cases that differ in the number of samples alone share what was compiled.
        self._compiled: dict[tuple[object, ...], Forward] = {}

    def unavailable(self, work: Work) -> str | None:
        """Without torch, or without a GPU where one is asked for."""
        return torch_missing(work)

    def batch_sizes(self, work: Work) -> tuple[int, ...]:
        """Those of eager mode; all at once only where there are no larger ones."""
        sizes = dividing(work.n, _SIZES)
        return tuple(size for size in sizes if size <= max(_SIZES)) or sizes

    def open(self, work: Work, batch_size: int) -> Entry:
        """Compile, or take what another case has compiled."""
        import torch

        torch.set_num_threads(work.threads)
        inputs, parts, out = tensors(work), work.parts(batch_size), empty_result(work)
        batches = [tuple(value[part] for value in inputs) for part in parts]
        key = (work.network, work.precision, work.output, work.device, work.threads, batch_size)
        with torch.no_grad():
            if key not in self._compiled:
                self._compiled[key] = self.compiled(work, batches[0])
        forward = self._compiled[key]

        @torch.no_grad()
        def run() -> Array:
            if len(parts) == 1 and work.device == "cpu":
                made: Array = forward(*batches[0]).numpy()
                return made
            for part, batch in zip(parts, batches, strict=True):
                out[part].copy_(forward(*batch))
            result: Array = out.numpy()
            return result

        settings = f"{self.how}, conversions compiled in, {work.precision}, {work.threads} threads"
        return Entry(settings, run)

    def compiled(self, work: Work, example: tuple[Tensor, ...]) -> Forward:
        """The whole way from inputs to results for batches like `example`."""
        raise NotImplementedError


class TorchCompile(Compiled):
    """Just in time."""

    name = "torch.compile"
    how = "freezing, static shapes"

    def compiled(self, work: Work, example: tuple[Tensor, ...]) -> Forward:
        """Compiled by its first call, without breaks in the graph."""
        import torch

        module = whole_forward(work)

        def forward(*inputs: Tensor) -> Tensor:
            made: Tensor = module(*inputs)
            return made

        # Dynamo counts recompilations by code object, and gives up after eight of them.
        forward.__code__ = forward.__code__.replace(co_name=f"forward_{len(self._compiled)}")
        options = _options(work)
        made: Forward = torch.compile(forward, fullgraph=True, dynamic=False, options=options)
        made(*example)
        return made


class AotInductor(Compiled):
    """Ahead of time, as a shared library that C++ programs load as well."""

    name = "AOTInductor"
    how = "freezing, packaged"

    def compiled(self, work: Work, example: tuple[Tensor, ...]) -> Forward:
        """Exported, compiled, packaged and loaded."""
        import torch

        program = torch.export.export(whole_forward(work), example)
        path = work.folder / f"{work.network.name}-{len(self._compiled)}.pt2"
        torch._inductor.aoti_compile_and_package(
            program, package_path=str(path), inductor_configs=_options(work)
        )
        made: Forward = torch._inductor.aoti_load_package(str(path))
        return made


@functools.cache
def _gpu_options() -> dict[str, Any]:
    import torch

    options: dict[str, Any] = torch._inductor.list_mode_options("max-autotune")
    return options


def _options(work: Work) -> dict[str, Any]:
    return {"freezing": True} | (_gpu_options() if work.device == "cuda" else {})
