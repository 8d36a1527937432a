"""Batches in flight, CUDA graphs and pinned copies of every backend that has them: `pytest -m gpu`.

What `tests/host/backends` proves of the calls and waits on a device that stands in, here on a real
one: numbers, bits, memory, damage.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from engine import Engine, backends
from engine.backends import _cuda_device, _onnx_providers
from engine.backends._device_graph import Graphed
from engine.backends._device_images import with_images
from engine.backends._device_ring import Begun, Network, Ring
from engine.core.artifacts import open_artifact, sidecar_path
from engine.core.errors import ArtifactError, OptionError
from engine.images import to_uint8

BATCH = 8
# Against onnxruntime on the CPU, outputs in [-1, 1]: what exports promise of fp32 without TF32;
# TensorRT within onnxruntime has no option against it (10 bits of mantissa, five layers).
TOLERANCES = {
    "tensorrt": 1e-4,
    "onnxruntime": 1e-4,
    "onnxruntime-tensorrt": 2e-2,
    "triton": 1e-4,
}
MODELS = ["dcgan", "dcgan-classes", "vae-classes", "gan-mlp"]
Open = Callable[..., Engine]


@pytest.fixture(scope="module")
def built(
    onnx_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Path]:
    """The artifact of a model for a backend, made once."""
    folder = tmp_path_factory.mktemp("built")
    made: dict[tuple[str, str], Path] = {}

    def build(backend: str, name: str) -> Path:
        if backend.startswith("onnxruntime"):
            return onnx_files[name]
        if (backend, name) not in made:
            suffix = {"tensorrt": ".plan", "triton": ".gen"}[backend]
            path = made[backend, name] = folder / f"{name}{suffix}"
            artifact = open_artifact(onnx_files[name])
            if backend == "tensorrt":
                from export.plan_options import BatchProfile, BuildOptions
                from export.tensorrt import export_tensorrt

                export_tensorrt(artifact, path, BuildOptions(BatchProfile(1, BATCH, 64)))
            else:
                from export.pack import export_gen

                export_gen(artifact, path)
        return made[backend, name]

    return build


@pytest.fixture(params=TOLERANCES)
def backend(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    reason = backends.get(name).unavailable()
    if name == "onnxruntime":
        reason = reason or _onnx_providers.not_compiled_in(_onnx_providers.CUDA)
    if reason:
        pytest.skip(reason)
    return name


@pytest.fixture
def opened(backend: str, built: Callable[[str, str], Path]) -> Open:
    def open_(name: str, batch_size: int = BATCH) -> Engine:
        precision = "fp32" if backend == "triton" else "auto"
        return Engine(
            built(backend, name),
            backend=backend,
            device="cuda",
            precision=precision,
            batch_size=batch_size,
        )

    return open_


@pytest.fixture
def on_cpu(onnx_files: dict[str, Path]) -> Open:
    return lambda name: Engine(
        onnx_files[name], backend="onnxruntime", device="cpu", batch_size=BATCH
    )


@pytest.mark.parametrize("graphed", [True, False])
def test_the_ring_and_a_graph_of_torch_itself(graphed: bool) -> None:
    device = _cuda_device.CudaDevice()
    z, y = (device.buffer((BATCH, 3, 64, 64), torch.float32) for _ in range(2))

    def compute() -> None:
        # Long enough that the host is far ahead.
        y.copy_(z)
        for _ in range(200):
            y.add_(1.0).sub_(1.0)

    floats = Network({"z": z}, {"y": y}, partial(device.on, device.compute, compute))
    images = with_images(device, floats, "y", (-1.0, 1.0))
    notes: list[str] = []
    launch = Graphed(device, images.launch, notes) if graphed else images.launch
    ring = Ring(device, Network(images.inputs, images.outputs, launch, images.finite))
    assert notes == []
    # Multiples of 1/128, so that adding and taking away 1 changes nothing.
    source = np.random.default_rng(0).integers(-128, 129, (50, *z.shape)) / np.float32(128)
    source[7, 3, 1, 2, 5] = np.inf
    flying = deque[Begun]()
    for number, values in enumerate(source):
        flying.append(ring.begin({"z": values}, to_host=number % 5 != 4))
        while len(flying) > 2 or (flying and number == len(source) - 1):
            begun, taken = flying.popleft(), number - len(flying)
            batch = begun.result()
            rows = [row for row in range(BATCH) if (taken, row) != (7, 3)]
            assert batch.finite.tolist() == [row in rows for row in range(BATCH)]
            made = batch.numpy("y")[rows]
            assert (made == to_uint8(source[taken][rows], (-1.0, 1.0))).all()
            begun.release()
    ring.close()


@pytest.mark.parametrize("name", MODELS)
def test_agreement_with_the_cpu(name: str, backend: str, opened: Open, on_cpu: Open) -> None:
    engine, reference = opened(name), on_cpu(name)
    values = engine.generate(3 * BATCH + 1, start=5, output="float32")
    wanted = reference.generate(3 * BATCH + 1, start=5, output="float32")
    assert np.abs(values - wanted).max() <= TOLERANCES[backend]
    if "encoder" in engine.spec.entry_points:
        images, labels = reference.generate(BATCH + 3), reference.labels(BATCH + 3)
        ours, theirs = (opener.encode(images, labels) for opener in (engine, reference))
        assert np.abs(ours - theirs).max() <= 10 * TOLERANCES[backend]


@pytest.mark.parametrize("name", MODELS)
def test_a_sample_is_the_same_bits_however_it_is_asked_for(name: str, opened: Open) -> None:
    engine = opened(name)
    n = 40 * BATCH + 3
    values = engine.generate(n, output="float32")
    # One batch at a time has nothing in flight beside it.
    for start in (0, 1, BATCH - 1, 17 * BATCH + 2, n - 1):
        assert (engine.generate(1, start=start, output="float32")[0] == values[start]).all()
    alone = [engine.generate(BATCH, start=k * BATCH, output="float32") for k in range(40)]
    assert (np.concatenate(alone) == values[: 40 * BATCH]).all()
    labels = engine.labels(n)
    assert (engine.decode(engine.latents(n), labels) == values).all()
    tensors = engine.generate(n, output="torch")
    assert tensors.is_cuda
    assert (tensors.cpu().numpy() == values).all()
    streams = [engine.stream(n, output="float32") for _ in range(3)]
    next(streams[2])
    turns = list(zip(*streams[:2], strict=True))
    assert all((np.concatenate([turn[k] for turn in turns]) == values).all() for k in (0, 1))


@pytest.mark.parametrize("name", ["dcgan-classes", "gan-mlp"])
def test_images_are_rounded_as_on_the_host(name: str, backend: str, opened: Open) -> None:
    engine = opened(name)
    images = engine.generate(5 * BATCH + 2)
    wanted = to_uint8(engine.generate(5 * BATCH + 2, output="float32"), engine.spec.output.range)
    # The fused kernels of triton round in their last layer, from their own accumulators.
    most = 1 if backend == "triton" else 0
    assert np.abs(images.astype(int) - wanted).max() <= most


def test_graphs_change_no_bit(backend: str, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    if backend == "triton":
        pytest.skip("its graphs are switched by no one; tests/gpu/test_triton_backend_on_gpu.py")
    with_graphs = opened("dcgan")
    wanted = with_graphs.generate(9 * BATCH)
    assert [note for note in with_graphs.notes if "CUDA graph" in note] == []

    def refuse(*_: object) -> None:
        raise RuntimeError("no graphs in this test")

    monkeypatch.setattr(_cuda_device.CudaDevice, "captured", refuse)
    monkeypatch.setattr(_onnx_providers, "ATTEMPTS", _onnx_providers.ATTEMPTS[1:])
    assert (opened("dcgan").generate(9 * BATCH) == wanted).all()


def test_several_threads_share_an_engine(opened: Open) -> None:
    engine = opened("dcgan")
    values = engine.generate(30 * BATCH)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda k: engine.generate(5 * BATCH, start=5 * BATCH * k), range(6)))
    assert (np.concatenate(parts) == values).all()


def test_closing_gives_the_memory_back(opened: Open) -> None:
    opened("dcgan").close()
    gc.collect()
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        engine = opened("dcgan", 64)
        engine.generate(200)
        engine.generate(200, output="float32")
        assert torch.cuda.memory_allocated() > before
        engine.close()
        del engine
        gc.collect()
        assert torch.cuda.memory_allocated() <= before


def test_buffers_do_not_grow_with_the_batches(opened: Open) -> None:
    engine = opened("dcgan")
    engine.generate(10 * BATCH)
    held = torch.cuda.memory_allocated()
    for _ in range(5):
        engine.generate(50 * BATCH)
    assert torch.cuda.memory_allocated() == held


class TestPlans:
    @pytest.fixture
    def plan(self, built: Callable[[str, str], Path], tmp_path: Path) -> Path:
        reason = backends.get("tensorrt").unavailable()
        if reason:
            pytest.skip(reason)
        source = built("tensorrt", "gan-mlp")
        for path in (source, sidecar_path(source)):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        return tmp_path / source.name

    @pytest.mark.parametrize("kept", [0, 40, 0.5, 0.99])
    def test_a_plan_that_is_cut(
        self, kept: float, plan: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        data = plan.read_bytes()
        plan.write_bytes(data[: int(kept if kept >= 1 or not kept else kept * len(data))])
        with pytest.raises(ArtifactError):
            Engine(plan)
        sidecar_path(plan).unlink()
        with pytest.raises(ArtifactError, match=plan.name) as error:
            Engine(plan)
        assert "\n" not in str(error.value)
        assert capfd.readouterr() == ("", "")

    def test_batch_sizes_within_the_profile(self, plan: Path) -> None:
        values = Engine(plan).generate(70, output="float32")
        for batch_size in (1, 5, 64):
            other = Engine(plan, batch_size=batch_size).generate(70, output="float32")
            assert np.abs(other - values).max() <= TOLERANCES["tensorrt"]
        with pytest.raises(OptionError, match="outside .* profile of 1 to 64"):
            Engine(plan, batch_size=65)

    @pytest.mark.parametrize("name", ["dcgan", "dcgan-classes"])
    def test_images_made_in_the_plan(
        self, name: str, plan: Path, checkpoints: dict[str, Path], tmp_path: Path
    ) -> None:
        from export.plan_options import BatchProfile, BuildOptions
        from export.tensorrt import export_tensorrt

        path = tmp_path / "bytes.plan"
        options = BuildOptions(BatchProfile(1, BATCH, BATCH), output="uint8")
        export_tensorrt(open_artifact(checkpoints[name]), path, options)
        images = Engine(path).generate(5 * BATCH)
        wanted = Engine(checkpoints[name], device="cpu", batch_size=BATCH).generate(5 * BATCH)
        assert np.abs(images.astype(int) - wanted).max() <= 1
