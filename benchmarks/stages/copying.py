"""Copy: float32 [n, C, H, W] in host memory to uint8 [n, H, W, C], by itself.

The yardstick is a plain copy of the floats: nobody can be faster than reading them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.network import Array, image_scale
from benchmarks.results import Case, Contestant, Role
from benchmarks.rounds import interleave
from benchmarks.stages.records import stage_record
from engine.images import to_uint8

if TYPE_CHECKING:
    from benchmarks.bench import Bench

_SAMPLES = 1024


def measure(bench: Bench, model: str) -> tuple[Case, ...]:
    """One record. Raises ArtifactError where the model is not at hand."""
    import torch

    network = bench.network(model)
    if network.value_range is None:
        raise ValueError(f"{model} makes no images")
    value_range = network.value_range
    low, high = value_range
    numbers = np.random.default_rng(0).uniform(low, high, (_SAMPLES, *network.output_shape))
    floats = numbers.astype(np.float32)
    tensor, there = torch.from_numpy(floats), np.empty_like(floats)
    scale, shift = image_scale(network)
    torch.set_num_threads(bench.threads)

    def chain() -> Array:
        scaled = (tensor - low) * (255.0 / (high - low))
        made: Array = scaled.clamp(0, 255).round().permute(0, 2, 3, 1).to(torch.uint8).numpy()
        return made

    out = torch.empty(_SAMPLES, *network.output_shape[1:], network.output_shape[0]).to(torch.uint8)

    def fused() -> Array:
        scaled = torch.add(torch.tensor(shift), tensor, alpha=scale)
        made: Array = out.copy_(scaled.permute(0, 2, 3, 1)).numpy()
        return made

    ways: dict[str, tuple[Role, str, Callable[[], Array | None]]] = {
        "engine.images": ("ours", "numpy, one thread", lambda: to_uint8(floats, value_range)),
        "torch chain": ("peer", "scale, clamp, round, permute, convert", chain),
        "torch fused": ("peer", "two passes into one array", fused),
        "memory copy": ("yardstick", "numpy.copyto", lambda: np.copyto(there, floats)),
    }
    for _, _, run in ways.values():
        run()
    seconds = interleave({name: run for name, (_, _, run) in ways.items()}, bench.preset.rounds)
    contestants = tuple(
        Contestant(name, role, settings, seconds[name])
        for name, (role, settings, _) in ways.items()
    )
    return (stage_record(model, "copy", _SAMPLES, contestants=contestants),)
