"""The engine that stages around sampling use: what a user gets who asks for nothing special."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import face
from engine import Engine, backends

if TYPE_CHECKING:
    from benchmarks.bench import Bench


def artifact(bench: Bench, model: str) -> str:
    """A shipped model by its name; the face DCGAN as the `.gen` file made of it.

    Raises ArtifactError where it is not at hand.
    """
    return str(bench.network(model).gen) if model == face.NAME else model


def best_engine(bench: Bench, model: str) -> Engine:
    """`Engine(model)`; a `.gen` on the native backend where that runs here.

    Raises ArtifactError where the model is not at hand.
    """
    native = "native" in backends.names() and backends.get("native").unavailable() is None
    if native:
        return Engine(bench.network(model).gen, backend="native", threads=bench.threads)
    return Engine(bench.network(model).onnx, threads=bench.threads)
