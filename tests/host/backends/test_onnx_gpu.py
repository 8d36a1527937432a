"""onnxruntime's path for GPUs: its sessions are real and run on the CPU, the device is late."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import onnxruntime as ort

from engine import Engine, backends
from engine.backends import _onnx_gpu, _onnx_providers, onnxruntime
from engine.backends._onnx_providers import Attempt, cuda_options, first_line, tensorrt_options
from engine.core.errors import BackendUnavailableError, OptionError
from engine.images import to_uint8
from tests.host.backends.late_device import LateDevice

CPU = "CPUExecutionProvider"
GRAPH, STRICT, LENIENT = _onnx_providers.ATTEMPTS


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> LateDevice:
    """Stands for the GPU; what onnxruntime is told to run on it, it runs on the CPU."""
    device = LateDevice()
    monkeypatch.setattr(onnxruntime, "not_compiled_in", lambda _: None)
    monkeypatch.setattr(onnxruntime, "torch_without_gpu", lambda: None)
    monkeypatch.setattr(_onnx_gpu, "CudaDevice", lambda: device)
    monkeypatch.setattr(_onnx_providers, "CUDA", CPU)
    monkeypatch.setattr(_onnx_providers, "cuda_options", lambda *_: {})
    monkeypatch.setattr(onnxruntime.OnnxRuntimeBackend, "provider", CPU)
    # The CPU's provider refuses to be asked for in earnest.
    monkeypatch.setattr(_onnx_providers, "ATTEMPTS", (Attempt(True, False),))
    return device


@pytest.mark.parametrize("name", ["dcgan-classes", "gan-mlp"])
def test_batches_in_flight_have_the_same_bits(
    name: str, onnx_files: dict[str, Path], device: LateDevice
) -> None:
    on_cpu = Engine(onnx_files[name], backend="onnxruntime", device="cpu", batch_size=4)
    engine = Engine(onnx_files[name], backend="onnxruntime", batch_size=4)
    assert (engine.device, engine.notes) == ("cuda", ())
    floats = on_cpu.generate(11, start=2, output="float32")
    assert (engine.generate(11, start=2, output="float32") == floats).all()
    assert (engine.generate(11, start=2, output="torch").numpy() == floats).all()
    images = engine.generate(11, start=2)
    assert (images == to_uint8(floats, engine.spec.output.range)).all()
    made = len(device.made)
    assert (engine.generate(3, start=7) == images[5:8]).all()
    # Buffers were bound once: nothing is made for another call.
    assert len(device.made) == made
    engine.close()
    with pytest.raises(OptionError, match="is closed"):
        engine.generate(1)


def test_the_encoder(onnx_files: dict[str, Path], device: LateDevice) -> None:
    on_cpu = Engine(onnx_files["vae-classes"], backend="onnxruntime", device="cpu", batch_size=4)
    engine = Engine(onnx_files["vae-classes"], backend="onnxruntime", batch_size=4)
    images, labels = on_cpu.generate(6), [0, 1, 2, 3, 0, 1]
    assert (engine.encode(images, labels) == on_cpu.encode(images, labels)).all()


def test_a_vector_beside_one_image(tmp_path: Path, device: LateDevice) -> None:
    from onnx import TensorProto, helper, save

    def value(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    node = helper.make_node("Mul", ["image", "weights"], ["y"])
    given = [value("image", 1, 2, 4, 3), value("weights", 3)]
    graph = helper.make_graph([node], "g", given, [value("y", 1, 2, 4, 3)])
    opsets = [helper.make_opsetid("", 18)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "styles.onnx")
    numbers = np.random.default_rng(1)
    image = numbers.normal(size=(3, 2, 4, 3)).astype(np.float32)
    weights = numbers.normal(size=(3, 3)).astype(np.float32)
    with Engine(tmp_path / "styles.onnx", backend="onnxruntime") as engine:
        assert engine.device == "cuda"
        made = engine.decode({"image": image, "weights": weights})
    assert (made == image * weights[:, None, None]).all()


def attempts(
    monkeypatch: pytest.MonkeyPatch, outcome: Callable[[bool, bool], Any]
) -> tuple[Any, str]:
    """Open with sessions that do as `outcome` of (graph, strict) says."""

    def session(_: Path, providers: Any, threads: int | None, strict: bool) -> Any:
        made = outcome("enable_cuda_graph" in providers[0][1], strict)
        return SimpleNamespace(get_providers=lambda: made)

    monkeypatch.setattr(_onnx_providers, "_session", session)
    monkeypatch.setattr(_onnx_providers, "_broken_library", lambda _: None)
    return _onnx_providers.open_on_gpu(
        Path("m.onnx"),
        lambda attempt: [(_onnx_providers.CUDA, cuda_options(77, attempt.graph))],
        None,
        lambda session, attempt: session,
    )


def test_what_is_given_up_for_a_session_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    on_gpu = ["CUDAExecutionProvider", CPU]

    def no_graph(graph: bool, strict: bool) -> list[str]:
        if graph:
            raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : control flow\nred text")
        return on_gpu

    def partly(graph: bool, strict: bool) -> list[str]:
        if strict:
            raise RuntimeError("assigned to the default CPU EP")
        return on_gpu

    assert attempts(monkeypatch, lambda graph, strict: on_gpu)[1] == ""
    assert attempts(monkeypatch, no_graph)[1] == (
        "without a CUDA graph, which onnxruntime does not make of it: control flow"
    )
    assert attempts(monkeypatch, partly)[1] == (
        "some operations run on the CPU, and without a CUDA graph, which onnxruntime does not make "
        "of it: assigned to the default CPU EP"
    )
    with pytest.raises(
        BackendUnavailableError, match=f"cannot run this graph: onnxruntime took {CPU} instead"
    ):
        attempts(monkeypatch, lambda graph, strict: [CPU])
    assert capfd.readouterr() == ("", "")


def test_memory_that_runs_out_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def outcome(graph: bool, strict: bool) -> list[str]:
        asked.append(graph)
        raise MemoryError("pinned memory")

    with pytest.raises(MemoryError):
        attempts(monkeypatch, outcome)
    assert asked == [True]


def test_a_provider_s_library_that_does_not_load_is_named(
    onnx_files: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    (tmp_path / "capi").mkdir()
    (tmp_path / "capi" / "libonnxruntime_providers_cuda.so").write_bytes(b"not a library")
    monkeypatch.setattr(ort, "__file__", str(tmp_path / "__init__.py"))
    # This onnxruntime has no such provider: it takes the CPU and prints that it does.
    with pytest.raises(BackendUnavailableError, match=r"does not start: .*providers_cuda\.so"):
        _onnx_providers.open_on_gpu(
            onnx_files["gan-mlp"],
            lambda attempt: [("CUDAExecutionProvider", cuda_options(77, attempt.graph))],
            None,
            lambda session, attempt: session,
        )
    assert capfd.readouterr() == ("", "")
    assert list(recwarn) == []


def test_the_options() -> None:
    alone = {"device_id": "1", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    assert cuda_options(None, False, 1) == alone
    on_ours = {**alone, "user_compute_stream": "77", "enable_cuda_graph": "1"}
    assert cuda_options(77, True, 1) == on_ours
    options = tensorrt_options(77, True, {"z": (4, 16), "labels": (4,)}, Path("kept"))
    for which in ("min", "opt", "max"):
        assert options[f"trt_profile_{which}_shapes"] == "z:4x16,labels:4"
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == "kept"
    # As its own parser wants them; that of CUDA wants 1.
    switches = [value for name, value in options.items() if name.endswith("_enable")]
    assert switches == ["True"] * 3
    assert set(tensorrt_options(77, False, {"z": (4, 16)}, None)) == {
        "device_id",
        "user_compute_stream",
        "trt_profile_min_shapes",
        "trt_profile_opt_shapes",
        "trt_profile_max_shapes",
    }
    assert all(isinstance(value, str) for value in options.values())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : no memory\n\nmore", "no memory"),
        ("/onnxruntime_src/a/b.cc:729 void f(const X&, Y) Please install", "Please install"),
        (
            "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 std::conditional_t<"
            "THRW, void> onnxruntime::CudaCall(ERRTYPE, int) [with ERRTYPE = cudaError; bool THRW "
            "= true] /onnxruntime_src/cuda_call.cc:146 std::conditional_t<THRW, void> onnxruntime::"
            "CudaCall(ERRTYPE, int) [with ERRTYPE = cudaError] CUDA failure 35: CUDA driver "
            "version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=vm ; line=355",
            "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version",
        ),
        (
            "/onnxruntime_src/info.cc:63 static X onnxruntime::X::FromProviderOptions(const Y&) "
            "[ONNXRuntimeError] : 1 : FAIL : utils.h:182 Parse Unknown provider option",
            "utils.h:182 Parse Unknown provider option",
        ),
        (
            "/onnxruntime_src/state.cc:1180 std::shared_ptr<X> onnxruntime::Create(const X&, const "
            "Y&) [ERROR] [TensorRT] The value for the key 'a' should be 'True' or 'False'.\n",
            "The value for the key 'a' should be 'True' or 'False'.",
        ),
        ("plain", "plain"),
        ("", "RuntimeError"),
    ],
)
def test_the_first_line(text: str, line: str) -> None:
    assert first_line(RuntimeError(text)) == line


def test_a_cpu_of_a_machine_with_a_gpu_is_told_of(
    onnx_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "not_compiled_in", lambda _: None)
    monkeypatch.setattr(onnxruntime, "torch_without_gpu", lambda: "PyTorch 2 sees no GPU")
    engine = Engine(onnx_files["gan-mlp"], backend="onnxruntime")
    assert (engine.device, engine.notes) == ("cpu", ("on the CPU: PyTorch 2 sees no GPU",))


def test_what_does_not_start_is_an_error_if_it_was_asked_for(
    onnx_files: dict[str, Path], device: LateDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise BackendUnavailableError("libcublasLt.so.13 is missing")

    monkeypatch.setattr(_onnx_providers, "open_on_gpu", refuse)
    with pytest.raises(BackendUnavailableError, match="libcublasLt"):
        Engine(onnx_files["gan-mlp"], backend="onnxruntime", device="cuda")
    engine = Engine(onnx_files["gan-mlp"], backend="onnxruntime")
    assert (engine.device, engine.batch_size) == ("cpu", 32)
    assert engine.notes == ("on the CPU: libcublasLt.so.13 is missing",)
    assert engine.generate(2).shape == (2, 12, 12, 1)


def test_engines_that_tensorrt_builds_are_kept(
    onnx_files: dict[str, Path],
    tmp_path: Path,
    device: LateDevice,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, str]] = []

    def options(*given: Any) -> dict[str, str]:
        asked.append(tensorrt_options(*given))
        return {}

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(_onnx_providers, "TENSORRT", CPU)
    monkeypatch.setattr(_onnx_providers, "CUDA", "CUDAExecutionProvider")
    monkeypatch.setattr(_onnx_providers, "tensorrt_options", options)
    engine = Engine(onnx_files["gan-mlp"], backend="onnxruntime", batch_size=4)
    (folder,) = (tmp_path / "generator-engine" / "onnxruntime-tensorrt").iterdir()
    assert asked[0]["trt_engine_cache_path"] == str(folder)
    assert asked[0]["trt_profile_opt_shapes"] == "z:4x10"
    assert "TF32" in engine.explain()
    folder.rmdir()
    folder.write_text("in the way")
    assert "TensorRT builds anew at each start" in Engine(onnx_files["gan-mlp"]).explain()


def test_tensorrt_is_asked_for_by_name(onnx_files: dict[str, Path]) -> None:
    backend = backends.get("onnxruntime-tensorrt")
    reason = backend.unavailable()
    if reason is None:
        pytest.skip("TensorRT runs here")
    with pytest.raises(BackendUnavailableError, match="'onnxruntime-tensorrt' cannot run here: "):
        Engine(onnx_files["gan-mlp"], backend="onnxruntime-tensorrt")
    assert "onnxruntime-tensorrt" not in Engine(onnx_files["gan-mlp"]).explain()
