"""The calls made to TensorRT, in order and with live pointers, against a library that computes.

Device and library are stand-ins (`late_device`, `fake_tensorrt`): they prove the calls and the
waits, not TensorRT; `tests/gpu` does that where there is a GPU.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from engine import Engine
from engine.backends import _plan_sidecar as sidecars
from engine.backends import _tensorrt, tensorrt
from engine.backends._plan_sidecar import PlanTensor, Profile, Sidecar
from engine.core.artifacts import encoder_path, sidecar_path
from engine.core.errors import (
    ArtifactError,
    BackendUnavailableError,
    EngineError,
    NumericalError,
    OptionError,
)
from engine.core.files import sha256
from engine.core.spec import GeneratorSpec, Noise, Output
from engine.images import to_uint8
from tests.host.backends.fake_tensorrt import VERSION, FakeTensorRT, plan_bytes
from tests.host.backends.late_device import LateDevice

SPEC = GeneratorSpec("double", "test", Noise((12,)), Output.image((3, 2, 2)))
AUTO = GeneratorSpec(
    "auto", "vae", Noise((12,)), Output.image((3, 2, 2)), entry_points=("decoder", "encoder")
)
Z = ("z", "input", "FLOAT", (-1, 12))
IMAGES = ("images", "output", "FLOAT", (-1, 3, 2, 2))
BYTES = ("images", "output", "UINT8", (-1, 2, 2, 3))
ENCODER = [
    ("images", "input", "FLOAT", (-1, 3, 2, 2)),
    ("mean", "output", "FLOAT", (-1, 12)),
    ("logvar", "output", "FLOAT", (-1, 12)),
]
BEST = 4


class Machine:
    """A GPU with TensorRT as far as the backend can tell."""

    def __init__(self, library: FakeTensorRT, folder: Path) -> None:
        self.library = library
        self.device = library.device
        self.folder = folder

    def plan(
        self,
        tensors: list[Any],
        spec: GeneratorSpec = SPEC,
        entry_point: str = "decoder",
        **changed: Any,
    ) -> Path:
        """A plan beside its sidecar."""
        path = self.folder / "double.plan"
        if entry_point == "encoder":
            path = encoder_path(path)
        path.write_bytes(plan_bytes(tensors, 2, 8))
        sidecar = Sidecar(
            entry_point,
            sha256(path),
            "tensorrt",
            VERSION,
            ("sm90",),
            "fp32",
            Profile(2, BEST, 8),
            tuple(PlanTensor(n, m, sidecars.dtype_name(t), s) for n, m, t, s in tensors),
        )
        values = sidecars.as_values(replace(sidecar, **changed), spec)
        sidecar_path(path).write_text(json.dumps(values))
        return path


@pytest.fixture
def machine_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Machine]]:
    def make(flavour: str = "tensorrt", eager: float = 0.0) -> Machine:
        library = FakeTensorRT(LateDevice(eager), flavour == "tensorrt-rtx")
        _tensorrt.collecting_logger.cache_clear()
        monkeypatch.setattr("engine.backends.tensorrt.no_gpu_reason", lambda: None)
        monkeypatch.setattr("engine.backends.tensorrt.flavours", lambda: (flavour,))
        monkeypatch.setattr("engine.backends.tensorrt.compute_capability", lambda: 90)
        for module in ("tensorrt", "_tensorrt_plan", "_tensorrt"):
            monkeypatch.setattr(f"engine.backends.{module}.import_flavour", lambda _: library)
        monkeypatch.setattr(tensorrt, "CudaDevice", lambda: library.device)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        return Machine(library, tmp_path)

    yield make
    _tensorrt.collecting_logger.cache_clear()


@pytest.fixture
def machine(machine_with: Callable[..., Machine]) -> Machine:
    return machine_with()


@pytest.mark.parametrize("eager", [0.0, 0.5, 1.0])
@pytest.mark.filterwarnings("error")
def test_samples_come_through(machine_with: Callable[..., Machine], eager: float) -> None:
    machine = machine_with(eager=eager)
    with Engine(machine.plan([Z, IMAGES])) as engine:
        assert (engine.backend, engine.batch_size, engine.spec) == ("tensorrt", BEST, SPEC)
        z = engine.latents(40, start=2)
        floats = engine.generate(40, start=2, output="float32")
        assert (floats.reshape(40, 12) == 2 * z).all()
        assert (engine.generate(40, start=2) == to_uint8(floats, SPEC.output.range)).all()
        tensors = engine.generate(40, start=2, output="torch")
        assert (tensors.numpy() == floats).all()
        z.flags.writeable = False
        assert (engine.decode(z, start=2) == floats).all()
        # Two streams in turns, and a third that nobody finishes.
        streams = [engine.stream(40, start=2, output="float32") for _ in range(3)]
        next(streams[2])
        pairs = list(zip(*streams[:2], strict=True))
        for part in (0, 1):
            assert (np.concatenate([pair[part] for pair in pairs]) == floats).all()
        assert "note" not in engine.explain()


def test_shapes_addresses_and_the_capture_come_once(machine: Machine) -> None:
    engine = Engine(machine.plan([Z, IMAGES]))
    bound = ["shape z", "address z", "address images", "executed"]
    # The warm-up when it is opened; before a capture, the work has run by itself once.
    assert machine.library.calls == bound
    made = len(machine.device.made)
    for _ in range(3):
        engine.generate(10, output="float32")
    assert machine.library.calls == [*bound, "executed", "captured"]
    assert machine.device.captures == 1
    # Input, output and what it leaves the device by, for three batches; nothing is made later.
    grown = len(machine.device.made)
    assert grown == made + 3 * 3
    engine.generate(100, output="float32")
    assert len(machine.device.made) == grown


@pytest.mark.parametrize("why", ["device", "library"])
def test_without_a_graph_the_samples_are_the_same(machine: Machine, why: str) -> None:
    path = machine.plan([Z, IMAGES])
    wanted = Engine(path).generate(11)
    machine.device.captures_fail = why == "device"
    machine.library.refuses_capture = why == "library"
    engine = Engine(path)
    assert (engine.generate(11) == wanted).all()
    note = "operation not permitted" if why == "device" else "the run failed: enqueue said no at"
    assert f"without a CUDA graph, which could not be captured: {note}" in " ".join(
        engine.notes
    ).replace(str(path) + ": ", "")


def test_threads_share_an_engine(machine: Machine) -> None:
    engine = Engine(machine.plan([Z, IMAGES]))
    values = engine.generate(120)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda k: engine.generate(20, start=20 * k), range(6)))
    assert (np.concatenate(parts) == values).all()


def test_batches_compute_while_others_are_taken(machine: Machine) -> None:
    engine = Engine(machine.plan([Z, IMAGES]))
    stream = engine.stream(40, output="float32")
    next(stream)
    compute = machine.device.compute
    # Three were begun, and the host waited for no more than the first.
    assert compute.put_in_all - compute.done == 2 * 3


def test_an_encoder_is_a_plan_of_its_own(machine: Machine) -> None:
    decoder = machine.plan([Z, IMAGES], AUTO)
    machine.plan(ENCODER, AUTO, "encoder")
    engine = Engine(decoder, batch_size=3)
    x = np.random.default_rng(0).random((7, 3, 2, 2), np.float32)
    assert (engine.encode(x) == 2 * x.reshape(7, 12)).all()
    assert (engine.reconstruct(x, output="float32") == 4 * x).all()
    engine.close()
    sidecar_path(encoder_path(decoder)).write_text(sidecar_path(decoder).read_text())
    with pytest.raises(ArtifactError, match=r"encoder\.plan: the sidecar beside it belongs to ano"):
        Engine(decoder).encode(x)


def test_a_vector_beside_one_image(machine: Machine) -> None:
    """As in style transfer: the plan takes weights without a batch."""
    given = SPEC.replace(noise=(Noise((5,), "given", "weights"),))
    alone = [(name, mode, kind, (1, *shape[1:])) for name, mode, kind, shape in (Z, IMAGES)]
    alone.insert(1, ("weights", "input", "FLOAT", (5,)))
    with Engine(machine.plan(alone, given, batch=Profile(1, 1, 1))) as engine:
        z = engine.latents(3)
        made = engine.decode({"z": z, "weights": np.ones((3, 5))})
        assert (made.reshape(3, 12) == 2 * z).all()


def test_images_of_the_plan_itself(machine: Machine) -> None:
    path = machine.plan([Z, BYTES])
    engine = Engine(path)
    z = engine.latents(9)
    assert (engine.generate(9).reshape(9, 12) == np.abs(10 * z).astype(int) % 256).all()
    with pytest.raises(OptionError, match="gives uint8 images alone; ask for output='uint8'"):
        engine.generate(1, output="float32")


def test_infinity_is_told_of_images_made_on_the_device(machine: Machine) -> None:
    engine = Engine(machine.plan([Z, IMAGES]))
    z = engine.latents(9)
    z[6] = 3e38
    with pytest.raises(NumericalError, match="sample 6 of 'double'"):
        engine.decode(z, output="uint8")
    assert engine.generate(9).shape == (9, 2, 2, 3)


def test_without_a_sidecar_the_spec_is_inferred(machine: Machine) -> None:
    path = machine.plan([Z, IMAGES])
    sidecar_path(path).unlink()
    engine = Engine(path)
    assert engine.spec.inferred
    assert engine.spec.output.shape == (3, 2, 2)
    assert "no sidecar" in engine.explain()
    assert np.abs(engine.generate(3, output="float32")).max() > 0


def test_closing_frees_what_lies_on_the_device(machine: Machine) -> None:
    import gc
    import weakref

    engine = Engine(machine.plan([Z, IMAGES]))
    stream = engine.stream(40)
    next(stream)
    buffers = [weakref.ref(tensor) for tensor in machine.device.made]
    machine.device.made.clear()
    engine.close()
    with pytest.raises(OptionError, match="is closed"):
        engine.generate(1)
    with pytest.raises(OptionError, match="is closed"):
        next(stream)
    assert not machine.device.compute.waiting
    gc.collect()
    assert [ref for ref in buffers if ref() is not None] == []


def test_a_run_that_fails_is_an_error(machine: Machine) -> None:
    engine = Engine(machine.plan([Z, IMAGES]))
    machine.library.runs = False
    with pytest.raises(EngineError, match="the run failed: enqueue said no at length"):
        engine.generate(1)


def test_what_fails_when_it_is_opened(machine: Machine) -> None:
    path = machine.plan([Z, IMAGES])
    with pytest.raises(OptionError, match="batch_size=9 is outside .* profile of 2 to 8"):
        Engine(path, batch_size=9)
    machine.library.has_contexts = False
    with pytest.raises(EngineError, match="no execution context: it gave no reason"):
        Engine(path)
    machine.library.has_contexts, machine.library.runs = True, False
    with pytest.raises(EngineError, match="the run failed: enqueue said no"):
        Engine(path)
    odd = machine.plan([Z, ("images", "output", "FP8", (-1, 3, 2, 2))])
    with pytest.raises(ArtifactError, match="'images' has the type fp8, which no torch tensor"):
        Engine(odd)
    host = machine.plan([Z, ("sizes", "input", "FLOAT", (4,)), IMAGES])
    with pytest.raises(ArtifactError, match="'sizes' is a shape that lies on the host"):
        Engine(host)
    apart = machine.plan([Z, ("alone", "input", "FLOAT", (-1, 12)), IMAGES])
    with pytest.raises(ArtifactError, match="take different batches: z 2:4:8, alone 1:1:1"):
        Engine(apart)
    open_size = machine.plan([Z, ("images", "output", "FLOAT", (-1, 3, -1, 2))])
    with pytest.raises(ArtifactError, match=r"only the batch .* may be open; .* \[-1, 3, -1, 2\]"):
        Engine(open_size)


def test_a_plan_that_is_damaged(machine: Machine) -> None:
    path = machine.plan([Z, IMAGES])
    path.write_bytes(b"other plan")
    with pytest.raises(ArtifactError, match="sidecar beside it belongs to another plan"):
        Engine(path)
    sidecar_path(path).unlink()
    with pytest.raises(ArtifactError, match="cannot load this plan; .*: magic tag does not match"):
        Engine(path)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"builder": "tensorrt-rtx"}, BackendUnavailableError, "installed is tensorrt; pip inst"),
        ({"builder_version": "10.9.0.34"}, ArtifactError, "tensorrt 10.9.0.34, installed is 11.4"),
        ({"targets": ("sm89",)}, ArtifactError, "built for sm89, this GPU is sm90"),
        ({"batch": Profile(1, BEST, 8)}, ArtifactError, "says batches of 1:4:8, the plan takes 2"),
        ({"entry_point": "encoder"}, ArtifactError, "this is the encoder of a generator; open"),
    ],
    ids=["builder", "version", "target", "profile", "encoder"],
)
def test_a_plan_for_another_machine(
    machine: Machine, changed: dict[str, Any], error: type[EngineError], message: str
) -> None:
    path = machine.plan([Z, IMAGES], **changed)
    if "entry_point" in changed:
        path = machine.plan([Z, IMAGES])
        values = json.loads(sidecar_path(path).read_text())
        sidecar_path(path).write_text(json.dumps({**values, **changed}))
    with pytest.raises(error, match=message):
        Engine(path)
    # What the sidecar tells is told before the library is bothered.
    assert machine.library.logger is None or "batch" in changed


class TestRtx:
    @pytest.fixture
    def machine(self, machine_with: Callable[..., Machine]) -> Machine:
        return machine_with("tensorrt-rtx")

    def plan(self, machine: Machine) -> Path:
        return machine.plan([Z, IMAGES], builder="tensorrt-rtx", targets=("portable",))

    def test_it_captures_by_itself_and_compiles_at_once(self, machine: Machine) -> None:
        engine = Engine(self.plan(machine))
        assert (engine.generate(9, output="float32").reshape(9, 12) == 2 * engine.latents(9)).all()
        config = machine.library.config
        assert config.cuda_graph_strategy == "whole"
        assert config.dynamic_shapes_kernel_specialization_strategy == "eager"
        assert machine.device.captures == 0
        assert engine.notes == ()

    def test_what_it_compiled_is_kept(self, machine: Machine) -> None:
        path = self.plan(machine)
        for given in (None, b"compiled kernels"):
            Engine(path).close()
            assert machine.library.caches[-1].given == given
        (kept,) = (machine.folder / "cache/generator-engine/tensorrt-rtx").iterdir()
        written = kept.stat().st_mtime_ns
        Engine(path).close()
        assert kept.stat().st_mtime_ns == written
        assert kept.name.endswith(f"-{VERSION}.cache")
        kept.unlink()
        kept.mkdir()
        assert "compiled kernels are not kept" in Engine(path).explain()

    def test_it_tells_beforehand_what_does_not_fit(self, machine: Machine) -> None:
        path = self.plan(machine)
        machine.library.validity = ("INVALID", 3)
        with pytest.raises(ArtifactError, match="cannot run here: version mismatch, unsupported c"):
            Engine(path)
        machine.library.validity = ("INVALID", 0)
        with pytest.raises(ArtifactError, match="cannot run here: it gave no reason"):
            Engine(path)
