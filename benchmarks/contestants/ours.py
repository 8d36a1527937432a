"""Backends of this project, through the engine that its users call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.contestants.base import Entry, dividing
from benchmarks.network import Array, Work
from benchmarks.results import Role
from engine import Engine, backends
from engine.backends.base import BackendOptions
from engine.core.alignment import empty_aligned
from engine.core.artifacts import open_artifact

Form = Literal["gen", "onnx", "plan"]


class Ours:
    """`Engine.decode` on one backend; a layer goes to the backend itself, which knows no images."""

    role: Role = "ours"
    slow_to_open = False

    def __init__(self, backend: str, form: Form) -> None:
        self.name = f"Engine {backend}"
        self._backend = backend
        self._form = form

    def unavailable(self, work: Work) -> str | None:
        """What the backend says, and precisions and devices that it does not have."""
        if self._backend not in backends.names():
            return f"this version has no backend {self._backend!r}"
        backend = backends.get(self._backend)
        can = backend.capabilities
        for what, asked, offered in (
            ("device", work.device, can.devices),
            ("precision", work.precision, can.precisions),
        ):
            if asked not in offered:
                return f"no {what} {asked}; it has {', '.join(offered)}"
        return backend.unavailable()

    def batch_sizes(self, work: Work) -> tuple[int, ...]:
        """Those that a user would set: below 16 other kernels take over."""
        return dividing(work.n, (8, 64, 256))

    def open(self, work: Work, batch_size: int) -> Entry:
        """An engine of this batch size."""
        if work.network.value_range is None:
            return self._open_layer(work, batch_size)
        engine = Engine(
            self._artifact(work),
            backend=self._backend,
            device=work.device,
            precision=work.precision,
            batch_size=batch_size,
            threads=work.threads,
        )
        latents = work.inputs[0]
        labels = work.inputs[1] if len(work.inputs) > 1 else None

        def run() -> Array:
            made: Array = engine.decode(latents, labels, output=work.output)
            return made

        return Entry(
            f"Engine.decode, {engine.precision}, {work.threads} threads{_decided(engine.versions)}",
            run,
            engine.close,
        )

    def _open_layer(self, work: Work, batch_size: int) -> Entry:
        options = BackendOptions(work.device, work.precision, batch_size, work.threads)
        backend = backends.get(self._backend).open(open_artifact(work.network.gen), options)
        name, parts = work.network.inputs[0], work.parts(batch_size)
        values = np.ascontiguousarray(np.moveaxis(work.inputs[0], 1, -1))
        batches = [{name: values[part]} for part in parts]
        # As engines make their results; touched, so that its pages are there before time is taken.
        out = empty_aligned((work.n, *backend.spec.output.shape), np.float32)
        out.fill(0)

        def run() -> Array:
            for part, batch in zip(parts, batches, strict=True):
                backend.run("decoder", batch, out[part])
            return np.moveaxis(out, -1, 1)

        return Entry(f"{backend.precision}, {work.threads} threads", run, backend.close)

    def _artifact(self, work: Work) -> Path:
        if self._form == "plan":
            return _plan(work)
        return work.network.gen if self._form == "gen" else work.network.onnx


class OursBuilt(Ours):
    """A backend of `.gen` files, which are built before."""

    def build(self, work: Work) -> None:
        """Lowered, checked against onnxruntime and packed."""
        from export.pack import export_gen

        export_gen(open_artifact(work.network.onnx), work.folder / "built.gen")


def _decided(versions: Mapping[str, str]) -> str:
    """What the backend decided for itself, after a comma."""
    return "".join(f", {value}" for name, value in versions.items() if name.endswith(" plan"))


def _plan(work: Work) -> Path:
    """The TensorRT plan of a network, built once into the folder of the work."""
    from export.plan import BatchProfile, BuildOptions
    from export.tensorrt import export_tensorrt

    plan = work.folder / f"{work.network.name}-{work.n}.plan"
    if not plan.exists():
        options = BuildOptions(batch=BatchProfile(1, min(64, work.n), work.n))
        export_tensorrt(open_artifact(work.network.onnx), plan, options)
    return plan
