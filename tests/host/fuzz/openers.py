"""How files are opened, by name: two samples, or whatever else they hold, as bytes."""

from __future__ import annotations

import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
from click.testing import CliRunner

from engine import Engine
from engine.cli import cli
from engine.core.errors import EngineError


def _engine(backend: str) -> Callable[[Path], bytes]:
    def opened(path: Path) -> bytes:
        with Engine(path, backend=backend, threads=1, batch_size=2) as engine:
            # So many numbers are a claim of the spec, to be believed.
            if max(map(math.prod, (engine.spec.output.shape, engine.spec.latent.shape))) > 1e7:
                return b"large"
            samples = engine.generate(2, output="float32")
            assert np.isfinite(samples).all()
            return bytes(samples.tobytes())

    return opened


def _kernels(path: Path) -> bytes:
    from kernels.binaries.container import read

    return repr(read(path)).encode()


def _plan(path: Path) -> bytes:
    """What reaches TensorRT, which parses natively."""
    from engine.backends import tensorrt

    library = SimpleNamespace(__version__="1.7")
    with (
        mock.patch.object(tensorrt, "flavours", return_value=("tensorrt-rtx",)),
        mock.patch.object(tensorrt, "import_flavour", return_value=library),
        mock.patch.object(tensorrt, "compute_capability", return_value=89),
    ):
        tensorrt._checked(path, "decoder")
    return path.read_bytes()


def _latents(path: Path) -> bytes:
    from engine.cli.decode import check_finite, read_latents

    latents = read_latents(path)
    check_finite(latents, path)
    with Engine(path.with_name("model.gen"), backend="native", threads=1) as engine:
        return bytes(engine.decode(latents).tobytes())


def _npz(path: Path) -> bytes:
    from engine.core.npz import read_npz

    return b"".join(array.tobytes() for array in read_npz(path).values())


def _info(path: Path) -> bytes:
    """`engine info` as a user calls it; its exit code 2 comes with one line of error."""
    result = CliRunner().invoke(cli, ["info", str(path)])
    if isinstance(result.exception, SystemExit) and result.exit_code == 2:
        raise EngineError(result.stderr.strip())
    if result.exception is not None:
        raise result.exception
    return b"told"


def _beside(path: Path) -> Path:
    """The plan of a sidecar."""
    return path.with_suffix("")


def _print(_: Path) -> bytes:
    sys.stderr.write("a library speaks")
    sys.stderr.flush()
    return b""


# What the worker has to tell apart.
_BROKEN: Mapping[str, Callable[[Path], bytes]] = {
    "broken error": lambda path: path.read_bytes(),
    "broken sleep": lambda _: bytes(time.sleep(60) or 0),
    "broken abort": lambda _: bytes(os.abort()),
    "broken print": _print,
    "broken allocate": lambda _: bytes(1 << 40),
}

OPENERS: Mapping[str, Callable[[Path], bytes]] = {
    **{
        name: _engine(name) for name in ("eager", "native", "torch", "numpy", "null", "onnxruntime")
    },
    "kernels": _kernels,
    "plan": _plan,
    "sidecar": lambda path: _plan(_beside(path)),
    "null-plan": lambda path: OPENERS["null"](_beside(path)),
    "latents": _latents,
    "npz": _npz,
    "info": _info,
    **_BROKEN,
}

# kernels is a package of its own, with Python's own errors.
ERRORS: Mapping[str, type[Exception]] = defaultdict(lambda: EngineError, kernels=ValueError)
