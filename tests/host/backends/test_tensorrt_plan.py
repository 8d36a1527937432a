"""The calls made to TensorRT, in order and with live pointers, against a library that computes.

The stand-in follows TensorRT's Python API (shapes before addresses, an address for every tensor,
False for a refused call) and reads and writes memory at the addresses it was given: y = 2 z. It
proves the calls, not TensorRT; `tests/gpu` does that where there is a GPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine import Engine
from engine.backends import _tensorrt_plan
from engine.core.artifacts import sidecar_path
from engine.core.errors import ArtifactError, EngineError, OptionError
from engine.core.files import sha256
from engine.core.spec import GeneratorSpec, Noise, Output

pytest.importorskip("torch")
SPEC = GeneratorSpec("double", "test", Noise((12,)), Output.image((3, 2, 2)))
MIN, BEST, MAX = 2, 4, 8


class Mode(enum.Enum):
    INPUT = 0
    OUTPUT = 1


class FakeContext:
    def __init__(self) -> None:
        self.batch: int | None = None
        self.addresses: dict[str, int] = {}
        self.runs = True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert name == "z"
        assert shape[1:] == (12,)
        self.addresses.clear()
        self.batch = shape[0] if MIN <= shape[0] <= MAX else None
        return self.batch is not None

    def infer_shapes(self) -> list[str]:
        return [] if self.batch else ["z"]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        assert self.batch is not None, "shape asked for before it was set"
        return (self.batch, 12) if name == "z" else (self.batch, 3, 2, 2)

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert address % 4 == 0
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 77
        assert set(self.addresses) == {"z", "images"}
        assert self.batch is not None
        count = self.batch * 12
        z = (ctypes.c_float * count).from_address(self.addresses["z"])
        images = (ctypes.c_float * count).from_address(self.addresses["images"])
        images[:] = [2 * value for value in z]
        return self.runs


class FakeEngine:
    num_io_tensors = 2

    def __init__(self, context: FakeContext) -> None:
        self._context = context

    def create_execution_context(self) -> FakeContext:
        return self._context

    def get_tensor_name(self, index: int) -> str:
        return ("images", "z")[index]

    def get_tensor_mode(self, name: str) -> Mode:
        return Mode.INPUT if name == "z" else Mode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, 12) if name == "z" else (-1, 3, 2, 2)

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name="FLOAT")

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        assert (name, profile) == ("z", 0)
        return [(MIN, 12), (BEST, 12), (MAX, 12)]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, FakeContext]:
    """A plan beside its sidecar, and the context that will run it."""
    import torch

    context = FakeContext()
    path = tmp_path / "double.plan"
    path.write_bytes(b"good plan")
    values = {"spec": SPEC.to_dict(), "builder": "tensorrt-rtx", "sha256": sha256(path)}
    sidecar_path(path).write_text(json.dumps(values))

    def deserialize(data: bytes) -> FakeEngine | None:
        return FakeEngine(context) if data == b"good plan" else None

    runtime = SimpleNamespace(deserialize_cuda_engine=deserialize)
    fake = SimpleNamespace(Runtime=lambda _: runtime, TensorIOMode=Mode, __version__="0")
    stream = SimpleNamespace(cuda_stream=77, synchronize=lambda: None)
    monkeypatch.setattr("engine.backends.tensorrt.no_gpu_reason", lambda: None)
    monkeypatch.setattr("engine.backends.tensorrt.flavours", lambda: ("tensorrt-rtx",))
    monkeypatch.setattr(_tensorrt_plan, "import_flavour", lambda _: fake)
    monkeypatch.setattr(
        _tensorrt_plan, "collecting_logger", lambda _: SimpleNamespace(take=lambda: [(True, "why")])
    )
    monkeypatch.setattr(_tensorrt_plan, "_DEVICE", "cpu")
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    return path, context


def test_samples_come_through(plan: tuple[Path, FakeContext]) -> None:
    with Engine(plan[0]) as engine:
        assert (engine.backend, engine.batch_size, engine.spec) == ("tensorrt", BEST, SPEC)
        values = engine.generate(11, start=2, output="float32")
        assert (values.reshape(11, 12) == 2 * engine.latents(11, start=2)).all()


def test_without_a_sidecar_the_spec_is_inferred(plan: tuple[Path, FakeContext]) -> None:
    sidecar_path(plan[0]).unlink()
    engine = Engine(plan[0])
    assert engine.spec.inferred
    assert engine.spec.output.shape == (3, 2, 2)
    assert "no sidecar" in engine.explain()
    assert np.abs(engine.generate(3, output="float32")).max() > 0


def test_batch_size_outside_the_profile(plan: tuple[Path, FakeContext]) -> None:
    with pytest.raises(OptionError, match="batch_size=9 is outside .* profile of 2 to 8"):
        Engine(plan[0], batch_size=9)


def test_a_run_that_fails_is_an_error(plan: tuple[Path, FakeContext]) -> None:
    engine = Engine(plan[0])
    plan[1].runs = False
    with pytest.raises(EngineError, match="the run failed: why"):
        engine.generate(1)


def test_a_plan_that_does_not_load(plan: tuple[Path, FakeContext]) -> None:
    plan[0].write_bytes(b"other plan")
    with pytest.raises(ArtifactError, match="sidecar beside it belongs to another plan"):
        Engine(plan[0])
    sidecar_path(plan[0]).unlink()
    with pytest.raises(ArtifactError, match="cannot load this plan; .*: why"):
        Engine(plan[0])


def test_a_plan_of_the_other_library(plan: tuple[Path, FakeContext]) -> None:
    values = json.loads(sidecar_path(plan[0]).read_text())
    sidecar_path(plan[0]).write_text(json.dumps({**values, "builder": "tensorrt"}))
    with pytest.raises(ArtifactError, match="built by tensorrt, installed is tensorrt-rtx"):
        Engine(plan[0])
