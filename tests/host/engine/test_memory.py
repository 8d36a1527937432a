"""A shortage of memory, before a run and in its midst, is an error that says what to set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Engine, memory
from engine.core.errors import OptionError
from engine.core.spec import GeneratorSpec, Noise, Output
from engine.runner import Runner

SPEC = GeneratorSpec(
    name="vae",
    family="vae",
    latent=Noise((6,)),
    output=Output.image((1, 8, 8), (0.0, 1.0)),
    entry_points=("decoder", "encoder"),
)
MESSAGE = r"out of memory in the midst of a run \(.*\); set batch_size= \(it is 4\) or threads="


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    path = tmp_path / "vae.json"
    path.write_text(SPEC.to_json())
    return Engine(path, batch_size=4)


class OutOfMemoryError(RuntimeError):
    """What torch calls that of a GPU."""


CALLS: dict[str, Callable[[Engine], Any]] = {
    "generate": lambda engine: engine.generate(9),
    "stream": lambda engine: list(engine.stream(9)),
    "decode": lambda engine: engine.decode(np.zeros((9, 6))),
    "encode": lambda engine: engine.encode(np.zeros((9, 8, 8, 1), np.uint8)),
    "reconstruct": lambda engine: engine.reconstruct(np.zeros((9, 8, 8, 1), np.uint8)),
    "interpolate": lambda engine: engine.interpolate(0, 1, 5),
}
ERRORS = {
    "numpy": MemoryError("Unable to allocate 3 TiB"),
    "python": MemoryError(),
    "torch": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"),
    "GPU": OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("call", CALLS)
def test_in_the_midst(
    engine: Engine, call: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error

    for name in ("decode", "encode"):
        monkeypatch.setattr(Runner, name, fails)
    with pytest.raises(OptionError, match=MESSAGE) as caught:
        CALLS[call](engine)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_of_the_result(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    # A system that does not tell what is free.
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    with pytest.raises(OptionError, match="out of memory"):
        engine.generate(1 << 45)


def test_other_errors_stay(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a kernel was not found")

    monkeypatch.setattr(Runner, "decode", fails)
    with pytest.raises(RuntimeError, match="a kernel was not found"):
        engine.generate(3)
