"""What tests of sinks write: a manifest, samples that tell their number, noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from engine.sinks.manifest import Manifest

MANIFEST = Manifest(
    artifact="m.onnx",
    sha256="00",
    backend="null",
    device="cpu",
    precision="fp32",
    batch_size=4,
    n=10,
    shape=(4, 4, 1),
)


def numbered(*shape: int) -> Callable[[range], Iterator[np.ndarray]]:
    """Makes samples [*shape] filled with their number, in batches of 4."""

    def make(run: range) -> Iterator[np.ndarray]:
        for first in range(run.start, run.stop, 4):
            indices = np.arange(first, min(first + 4, run.stop), dtype=np.uint8)
            spread = indices.reshape(-1, *(1,) * len(shape))
            yield np.broadcast_to(spread, (len(indices), *shape))

    return make


def contents(path: Path) -> dict[str, bytes]:
    """Bytes of all files of a folder by name."""
    return {item.name: item.read_bytes() for item in path.iterdir() if item.is_file()}


def noise(*shape: int) -> np.ndarray:
    """Random pixels."""
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
