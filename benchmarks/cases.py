"""What is measured: shipped models x backends x batch sizes, and why a case cannot run here."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine import Engine, backends, zoo
from engine.core.artifacts import open_artifact

MODELS = ("dcgan-digits", "dcgan-emoji", "vae-digits")
BACKENDS = ("eager", "onnxruntime", "tensorrt", "null")
BATCH_SIZES = (1, 32, 256)

# Samples compared with the reference before anything is timed, and how far apart they may be:
# the parity that `export` enforces, with room for another order of summation per batch size.
_CHECKED = 8
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Case:
    """One model on one backend at one batch size."""

    model: str
    backend: str
    batch_size: int

    @property
    def n(self) -> int:
        """Samples of one timed call: whole batches, at least 64 samples."""
        return max(64, self.batch_size)

    def __str__(self) -> str:
        """As pytest shows it."""
        return f"{self.model}-{self.backend}-b{self.batch_size}"

    def skip_reason(self) -> str | None:
        """Why this case cannot run here, or None."""
        backend = backends.get(self.backend)
        unavailable = backend.unavailable()
        if unavailable:
            return unavailable
        if self.backend != "null" and backends.get("eager").unavailable():
            return f"no reference to check it against: {backends.get('eager').unavailable()}"
        return None

    def open(self, folder: Path) -> Engine:
        """The engine, after its output has been held against eager PyTorch.

        A plan is built in `folder` where the backend opens plans only.
        """
        artifact: str | Path = self.model
        if "onnx" not in backends.get(self.backend).capabilities.artifacts:
            artifact = build_plan(self.model, folder)
        engine = Engine(artifact, backend=self.backend, batch_size=self.batch_size)
        if self.backend != "null":
            error = float(np.abs(_sample(engine) - reference(self.model)).max())
            if not error <= _TOLERANCE:
                raise AssertionError(f"{self}: {error:.2g} away from the reference")
        return engine


def cases() -> Iterator[Case]:
    """All cases, the backends of one model and batch size together."""
    for model in MODELS:
        for batch_size in BATCH_SIZES:
            for backend in BACKENDS:
                yield Case(model, backend, batch_size)


@functools.cache
def reference(model: str) -> NDArray[np.float32]:
    """The first samples of a model by eager PyTorch in fp32 on the CPU."""
    with Engine(model, backend="eager", device="cpu", batch_size=_CHECKED) as engine:
        return _sample(engine)


def build_plan(model: str, folder: Path) -> Path:
    """The TensorRT plan of a shipped model, built once into a folder."""
    from export.plan import BatchProfile, BuildOptions
    from export.tensorrt import export_tensorrt

    plan = folder / f"{model}.plan"
    if not plan.exists():
        profile = BatchProfile(1, 32, max(BATCH_SIZES))
        export_tensorrt(open_artifact(zoo.resolve(model)), plan, BuildOptions(batch=profile))
    return plan


def _sample(engine: Engine) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = engine.generate(_CHECKED, output="float32")
    return samples
