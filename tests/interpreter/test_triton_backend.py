"""Whole networks through Engine on the Triton kernels, as they run on a GPU, interpreted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine import Engine
from engine.backends._triton.network import Network
from engine.backends._triton.session import Session
from engine.core.errors import NumericalError, OptionError
from engine.images import to_uint8
from engine.program import gen
from tests.cases.small_programs import GENERATORS, dcgan, weights
from tests.host.backends.late_device import LateDevice

# Relative to outputs of size 1: a few roundings of the operand's type (2^-11, 2^-8, 2^-24) a layer,
# for five layers at most, each magnified by sums that cancel.
BOUNDS = {"fp16": 20 * 2.0**-11, "bf16": 20 * 2.0**-8, "fp32": 40 * 2.0**-24}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("gen")
    for name, make in GENERATORS.items():
        gen.write(folder / f"{name}.gen", make())
    return {name: folder / f"{name}.gen" for name in GENERATORS}


def opened(path: Path, precision: str = "fp32", **options: Any) -> Engine:
    return Engine(path, backend="triton", precision=precision, **{"batch_size": 3, **options})


def reference(path: Path, n: int, **options: Any) -> NDArray[np.float32]:
    made: NDArray[np.float32] = Engine(path, backend="numpy").generate(
        n, output="float32", **options
    )
    return made


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("dcgan", "fp16"),
        ("dcgan", "bf16"),
        ("dcgan", "fp32"),
        ("mlp", "fp16"),
        ("vae", "fp16"),
        ("vae", "fp32"),
    ],
)
def test_networks_agree_with_the_executor(
    name: str, precision: str, files: dict[str, Path]
) -> None:
    engine = opened(files[name], precision)
    wanted = reference(files[name], 3, seed=5)
    images = engine.generate(3, seed=5, output="float32")
    assert images.dtype == np.float32
    assert np.abs(images - wanted).max() <= BOUNDS[precision]
    levels = engine.generate(3, seed=5).astype(int)
    low, high = engine.spec.output.range
    allowed = BOUNDS[precision] * 255 / (high - low) + 0.5
    exact = (wanted.transpose(0, 2, 3, 1) - low) * 255 / (high - low)
    assert np.abs(levels - exact).max() <= allowed + 1e-3


def test_images_are_rounded_as_everywhere(files: dict[str, Path]) -> None:
    engine = opened(files["dcgan"])
    floats = engine.generate(3, output="float32")
    different = engine.generate(3) != to_uint8(floats, engine.spec.output.range)
    assert different.mean() < 0.01


def test_batches_and_their_tails(files: dict[str, Path]) -> None:
    engine = opened(files["mlp"])
    wanted = reference(files["mlp"], 7)
    whole = engine.generate(7)
    for n, start in ((1, 0), (2, 0), (3, 0), (4, 2), (1, 5)):
        images = engine.generate(n, start=start, output="float32")
        assert images.shape == (n, 1, 6, 6)
        assert np.abs(images - wanted[start : start + n]).max() <= BOUNDS["fp32"]
        np.testing.assert_array_equal(engine.generate(n, start=start), whole[start : start + n])


def test_nothing_is_refused_and_one_makes_one(files: dict[str, Path]) -> None:
    engine = opened(files["mlp"])
    with pytest.raises(OptionError, match="n=0 must be at least 1"):
        engine.generate(0)
    assert engine.decode(np.empty((0, 10), np.float32)).shape == (0, 1, 6, 6)
    assert engine.generate(1).shape == (1, 6, 6, 1)


def test_labels_choose_the_class(files: dict[str, Path]) -> None:
    engine = opened(files["vae"])
    labels = ["dog", "cat", "bird"]
    images = engine.generate(3, labels=labels, output="float32")
    wanted = reference(files["vae"], 3, labels=labels)
    assert np.abs(images - wanted).max() <= BOUNDS["fp32"]
    other = reference(files["vae"], 1, labels="cat")
    assert np.abs(images[0] - other[0]).max() > 100 * BOUNDS["fp32"]


def test_the_encoder_runs(files: dict[str, Path]) -> None:
    images = reference(files["vae"], 4, labels=1)
    ours = opened(files["vae"]).posterior(images, labels=1)
    wanted = Engine(files["vae"], backend="numpy").posterior(images, labels=1)
    for a, b in zip(ours, wanted, strict=True):
        assert np.abs(a - b).max() <= BOUNDS["fp32"] * max(1.0, np.abs(b).max())


def test_tensors_stay_when_the_next_batch_runs(files: dict[str, Path]) -> None:
    engine = opened(files["mlp"])
    first, second = engine.stream(6, output="torch")
    kept = first.clone()
    assert not (first == second).all()
    engine.generate(3, seed=9, output="torch")
    assert (first == kept).all()


def test_what_overflows_is_found_behind_uint8(tmp_path: Path) -> None:
    model = dcgan()
    # Units of 1e5 are beyond float16, and well within float32.
    model.programs["decoder"].operations[0].weight[...] *= 1e5
    gen.write(tmp_path / "x.gen", model)
    engine = opened(tmp_path / "x.gen", "fp16")
    with pytest.raises(NumericalError, match="sample 0 of 'tiny'"):
        engine.generate(2)
    assert opened(tmp_path / "x.gen", "fp32").generate(2).shape == (2, 4, 4, 3)


def test_what_runs_otherwise_is_told(files: dict[str, Path]) -> None:
    engine = opened(files["vae"])
    engine.generate(1)
    assert "Triton's interpreter" in engine.explain()
    assert "through torch" not in engine.explain()


def strangers_onnx(path: Path) -> Path:
    """Gemm, batch norm, ReLU, a transposed convolution and tanh, in channels first."""
    arrays = {
        "w": weights(1, 6, 16),
        "scale": weights(2, 4) + 1,
        "shift": weights(3, 4),
        "mean": weights(4, 4),
        "variance": weights(5, 4) ** 2 + 0.5,
        "k": weights(6, 4, 3, 4, 4),
        "shape": np.array([-1, 4, 2, 2]),
    }
    nodes = [
        helper.make_node("Gemm", ["z", "w"], ["h"]),
        helper.make_node("Reshape", ["h", "shape"], ["m"]),
        helper.make_node("BatchNormalization", ["m", "scale", "shift", "mean", "variance"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("ConvTranspose", ["r", "k"], ["u"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["u"], ["x"]),
    ]
    graph = helper.make_graph(
        nodes,
        "stranger",
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def test_a_strangers_onnx_file_is_lowered_and_run(tmp_path: Path) -> None:
    path = strangers_onnx(tmp_path / "stranger.onnx")
    engine = opened(path, "fp32")
    assert "through torch" not in engine.explain()
    wanted = Engine(path, backend="onnxruntime")
    difference = engine.generate(3, output="float32") - wanted.generate(3, output="float32")
    assert np.abs(difference).max() <= BOUNDS["fp32"]
    assert np.abs(engine.generate(3).astype(int) - wanted.generate(3)).max() <= 1


@pytest.mark.parametrize(("name", "precision"), [("mlp", "fp16"), ("vae", "fp32")])
def test_batches_in_flight_have_the_same_bits(
    name: str, precision: str, files: dict[str, Path]
) -> None:
    one_by_one, engine = (opened(files[name], precision) for _ in range(2))
    backend = cast(Any, engine)._backend
    # As on a GPU, but for a device that runs nothing before it is waited for.
    backend.in_flight, backend._session._gpu = 2, LateDevice()
    # One form of each: the interpreter takes seconds a batch.
    form: Any = {"mlp": "float32", "vae": "uint8"}[name]
    wanted = one_by_one.generate(4, start=1, output=form)
    assert (engine.generate(4, start=1, output=form) == wanted).all()
    if "encoder" in engine.spec.entry_points:
        images, labels = one_by_one.generate(2), [0, 1]
        assert (engine.encode(images, labels) == one_by_one.encode(images, labels)).all()


class NoGraphs:
    """Stands for a GPU that cannot capture; what surrounds it is the same."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    def capture(self, _: Network) -> None:
        self.asked += 1
        raise self.error


def test_a_graph_that_cannot_be_captured_is_told(files: dict[str, Path]) -> None:
    session = Session(GENERATORS["mlp"](), "cpu", "fp32", 2)
    graphs = NoGraphs(RuntimeError("operation not permitted\nwhen capturing"))
    session._graphs = cast(Any, graphs)
    network = session.network("decoder", None)
    network.inputs["z"].fill_(0.5)
    # What is filled once is there for every launch: warm-ups and replays too.
    for _ in range(2):
        network.outputs["images"].fill_(float("nan"))
        session.launch(network)
        assert network.outputs["images"].isfinite().all()
    assert session.notes == (
        "without a CUDA graph, which could not be captured: operation not permitted",
    )
    assert graphs.asked == 1


def test_memory_that_runs_out_is_the_batch_size(files: dict[str, Path]) -> None:
    session = Session(GENERATORS["mlp"](), "cpu", "fp32", 2)
    session._graphs = cast(Any, NoGraphs(torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(OptionError, match="batches of 2 do not fit .* smaller batch_size"):
        session.launch(session.network("decoder", None))


def test_options(files: dict[str, Path]) -> None:
    engine = opened(files["mlp"], "auto")
    assert (engine.device, engine.precision, engine.batch_size) == ("cpu", "fp16", 3)
    with pytest.raises(OptionError, match="precision='int8' is not possible"):
        opened(files["mlp"], "int8")
    with pytest.raises(OptionError, match="device='cuda' is not possible"):
        opened(files["mlp"], device="cuda")
    engine.close()
    with pytest.raises(OptionError, match="is closed"):
        engine.generate(1)
