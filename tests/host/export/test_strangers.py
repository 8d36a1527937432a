"""Strangers' networks through all formats: images, attributes and states in, several outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from engine import Engine
from engine.cli import cli
from engine.core.artifacts import open_artifact
from engine.core.errors import ArtifactError, OptionError
from engine.core.options import LoadOptions
from engine.models.load import load_generator
from export.bundle import export_bundle
from export.convert import export_onnx
from export.pack import export_gen
from export.program import export_program
from tests.cases import stranger_networks

onnxruntime = pytest.importorskip("onnxruntime")

CASES: dict[str, dict[str, Any]] = {
    "TwoBranches": {"classes": 5},
    "InfoGan": {"input_shape": ((6,), (2,)), "classes": 5},
    "Squeezing": {},
    "Modulated": {"input_shape": (6,)},
    "Upscaler": {"input_shape": (3, 8, 10)},
    "StarGan": {"input_shape": ((3, 8, 8), (2,))},
    "CharRnn": {"input_shape": ((2, 4), (2, 4)), "classes": 7},
}


def exported(name: str, folder: Path) -> tuple[torch.nn.Module, Path]:
    network, path = stranger_networks.saved(name, folder)
    options = LoadOptions(arch=f"{stranger_networks.FILE}:{name}", **CASES[name])
    export_onnx(load_generator(path, options), folder / "net.onnx")
    return network, folder / "net.onnx"


@pytest.mark.parametrize("name", CASES)
def test_onnx_and_gen_agree_with_pytorch(name: str, tmp_path: Path) -> None:
    """Each exporter compares its file with PyTorch, or raises."""
    _, onnx = exported(name, tmp_path)
    report = export_gen(open_artifact(onnx), tmp_path / "net.gen")
    assert report.errors["decoder"] < 1e-5


@pytest.mark.parametrize("name", ["InfoGan", "Squeezing", "CharRnn"])
def test_programs_of_torch_export(name: str, tmp_path: Path) -> None:
    _, path = stranger_networks.saved(name, tmp_path)
    options = LoadOptions(arch=f"{stranger_networks.FILE}:{name}", **CASES[name])
    assert export_program(load_generator(path, options), tmp_path / "net.pt2").error < 1e-5
    loaded = load_generator(tmp_path / "net.pt2")
    assert loaded.spec.output.shape == load_generator(path, options).spec.output.shape


def test_the_eager_engine_leaves_tensors_of_other_ranks_alone(tmp_path: Path) -> None:
    network, path = stranger_networks.saved("Modulated", tmp_path)
    arch = f"{stranger_networks.FILE}:Modulated"
    with Engine(path, backend="eager", arch=arch, input_shape=(6,), batch_size=2) as engine:
        z = engine.latents(3)
        with torch.inference_mode():
            expected = network([torch.from_numpy(z)])[0].numpy()
        np.testing.assert_allclose(engine.decode(z), expected, atol=1e-5)


def test_a_step_in_onnxruntime_itself(tmp_path: Path) -> None:
    """Names and shapes by which others write the loop: every axis 0 is the batch."""
    network, onnx = exported("CharRnn", tmp_path)
    session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    assert [(item.name, item.shape[1:]) for item in session.get_inputs()] == [
        ("hidden_0", [2, 4]),
        ("labels", []),
        ("hidden_1", [2, 4]),
    ]
    feed = {name: np.zeros((3, 2, 4), np.float32) for name in ("hidden_0", "hidden_1")}
    hidden = (torch.zeros(2, 3, 4), torch.zeros(2, 3, 4))
    for token in ([1, 4, 6], [0, 2, 5]):
        names = ["output", "next_hidden_0", "next_hidden_1"]
        scores, *states = session.run(names, {"labels": np.array(token), **feed})
        feed = dict(zip(feed, states, strict=True))
        with torch.inference_mode():
            expected, hidden = network(torch.tensor(token), hidden)
        np.testing.assert_allclose(scores, expected, atol=1e-6)
    with pytest.raises(ArtifactError, match="one step of a recurrent network, .*next_hidden_0"):
        Engine(onnx, backend="onnxruntime")
    told = CliRunner().invoke(cli, ["info", str(onnx)])
    assert told.exit_code == 0
    assert "next_hidden_1 [n, 2, 4] float32, beside the samples" in told.output


def test_images_of_the_caller(tmp_path: Path) -> None:
    network, onnx = exported("Upscaler", tmp_path)
    export_gen(open_artifact(onnx), tmp_path / "net.gen")
    images = np.random.default_rng(1).uniform(-1, 1, (3, 3, 8, 10)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    for path in (onnx, tmp_path / "net.gen"):
        with Engine(path, precision="fp32") as engine:
            np.testing.assert_allclose(engine.decode(images), expected, atol=1e-5)
            with pytest.raises(OptionError, match=r"'x' .* is yours to give, with Engine\.decode"):
                engine.generate(2)
            with pytest.raises(OptionError, match="'x' .* is yours to give"):
                engine.interpolate(0, 1, 2)
            way = engine.interpolate(images[0], images[1], 2, output="float32")
            np.testing.assert_allclose(way, expected[:2], atol=1e-5)
            pixels = np.zeros((8, 10, 3), np.uint8)
            assert engine.interpolate(pixels, pixels, 2).shape == (2, 16, 20, 3)
    # A Program lays out the pixels of PixelShuffle with its channels last.
    _verified(onnx, tmp_path / "net.gen@native:fp32")


def _verified(*sides: object) -> None:
    """Both sides are the same, layer by layer."""
    told = CliRunner().invoke(cli, ["verify", "--layers", "-n", "3", *map(str, sides)])
    assert told.exit_code == 0, told.output
    assert "first layer beyond tolerance: none\n" in told.output


def test_a_plan_of_a_step_and_of_a_graph_of_any_size(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    from onnx import TensorProto, helper, save

    from export.plan_options import BatchProfile, BuildOptions
    from export.tensorrt import export_tensorrt

    build = BuildOptions(BatchProfile(1, 2, 4))
    _, onnx = exported("CharRnn", tmp_path)
    (report,) = export_tensorrt(open_artifact(onnx), tmp_path / "net.plan", build)
    outputs = [tensor.name for tensor in report.plan.tensors if tensor.mode == "output"]
    assert outputs == ["output", "next_hidden_0", "next_hidden_1"]

    shape = ["n", 80, "frames"]
    graph = helper.make_graph(
        [helper.make_node("Tanh", ["mel"], ["y"])],
        "g",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    opsets = [helper.make_opsetid("", 18)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "open.onnx")
    sized = open_artifact(tmp_path / "open.onnx", LoadOptions(input_shape=(80, 12)))
    (report,) = export_tensorrt(sized, tmp_path / "open.plan", build)
    assert [tensor.shape for tensor in report.plan.tensors] == [(-1, 80, 12)] * 2
    assert export_gen(sized, tmp_path / "open.gen").gen.spec.output.shape == (80, 12)


def test_a_vector_beside_a_graph_for_one_image(tmp_path: Path) -> None:
    """Weights of styles without a batch, as in style transfer."""
    from onnx import TensorProto, helper, save

    inputs = {"image": [1, 2, "h", "w"], "weights": [3]}
    nodes = [
        helper.make_node("ReduceSum", ["weights"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["image", "sum"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, inputs["image"])],
    )
    opsets = [helper.make_opsetid("", 18)]
    path = tmp_path / "styles.onnx"
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    artifact = open_artifact(path, LoadOptions(input_shape=(2, 4, 6)))
    report = export_gen(artifact, tmp_path / "styles.gen")
    assert [(item.name, item.shape) for item in report.gen.spec.noise] == [("weights", (3,))]
    image = np.random.default_rng(2).normal(size=(3, 2, 4, 6)).astype(np.float32)
    weights = np.array([[1, 2, 3], [0, 0, 1], [0.5, 0, 0]], np.float32)
    for file, options in ((path, {"input_shape": (2, 4, 6)}), (tmp_path / "styles.gen", {})):
        for backend in ("onnxruntime",) if file == path else ("native", "numpy"):
            with Engine(file, backend=backend, batch_size=1, **options) as engine:
                made = engine.decode({"image": image, "weights": weights})
            expected = image * weights.sum(1)[:, None, None, None]
            np.testing.assert_allclose(made, expected, rtol=1e-5)
    # The sizes that were said go into every part.
    bundle = tmp_path / "styles.bundle"
    assert not export_bundle(artifact, bundle).left_out
    _verified(bundle / "model.onnx", bundle / "model.gen@native:fp32")


def test_several_inputs_of_open_sizes(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    def value(name: str, channels: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "h", "w"])

    node = helper.make_node("Mul", ["image", "mask"], ["y"])
    graph = helper.make_graph([node], "g", [value("image", 3), value("mask", 1)], [value("y", 3)])
    opsets = [helper.make_opsetid("", 18)]
    path = tmp_path / "masked.onnx"
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    numbers = np.random.default_rng(3)
    given = {"image": numbers.normal(size=(3, 3, 4, 6)), "mask": numbers.normal(size=(3, 1, 4, 6))}
    given = {name: array.astype(np.float32) for name, array in given.items()}
    for backend in ("onnxruntime", "native", "numpy"):
        with Engine(path, backend=backend, input_shape=((3, 4, 6), (1, 4, 6))) as engine:
            made = engine.decode(given)
        np.testing.assert_allclose(made, given["image"] * given["mask"], rtol=1e-2)


def test_all_inputs_by_name(tmp_path: Path) -> None:
    network, onnx = exported("StarGan", tmp_path)
    export_gen(open_artifact(onnx), tmp_path / "net.gen")
    numbers = np.random.default_rng(1)
    given = {"x": numbers.normal(size=(3, 3, 8, 8)), "c": numbers.normal(size=(3, 2))}
    with torch.inference_mode():
        expected = network(*(torch.tensor(item).float() for item in given.values())).numpy()
    for path in (onnx, tmp_path / "net.gen"):
        with Engine(path, precision="fp32", batch_size=2) as engine:
            np.testing.assert_allclose(engine.decode(given), expected, atol=1e-5)
            for wrong, message in (
                (given["x"], r"'x' were given, and the model needs 'x', 'c'; .*'c': \[n, 2\]"),
                ({**given, "d": 1}, "inputs 'x', 'c', 'd' were given"),
                ({**given, "c": given["c"][:2]}, "different lengths: 3 of 'x', 2 of 'c'"),
            ):
                with pytest.raises(OptionError, match=message):
                    engine.decode(wrong)
            with pytest.raises(OptionError, match=r"'x' \[3, 8, 8\], 'c' \[2\] are yours to give"):
                engine.generate(1)
            with pytest.raises(OptionError, match="takes 'c' beside 'x', so that one way"):
                engine.interpolate(given["x"][0], given["x"][1], 2)
    _verified(onnx, tmp_path / "net.gen@native:fp32")
    np.save(tmp_path / "x.npy", given["x"])
    asked = ["--latents", str(tmp_path / "x.npy"), "-o", str(tmp_path / "made")]
    told = CliRunner().invoke(cli, ["decode", str(onnx), *asked])
    assert told.exit_code == 2
    assert "takes 'c' beside 'x', and --latents holds one of them" in told.stderr


def test_vaes_of_vectors_encode_them(tmp_path: Path) -> None:
    network, path = stranger_networks.saved("ConditionalVae", tmp_path)
    arch = f"{stranger_networks.FILE}:ConditionalVae"
    x = np.random.default_rng(1).uniform(-1, 1, (3, 16)).astype(np.float32)
    labels = np.array([0, 4, 2])
    with torch.inference_mode():
        one_hot = torch.nn.functional.one_hot(torch.from_numpy(labels), 5).float()
        z = network.encode(torch.from_numpy(x), one_hot)[0]
        expected = network.decode(z, one_hot).numpy()
    with Engine(path, backend="eager", arch=arch, classes=5) as engine:
        np.testing.assert_allclose(engine.encode(x, labels), z.numpy(), atol=1e-5)
        np.testing.assert_allclose(engine.reconstruct(x, labels), expected, atol=1e-5)
        for wrong, message in ((x[:, 1:], r"takes \(n, 16\)"), (x.astype(np.uint8), "type uint8")):
            with pytest.raises(OptionError, match=message):
                engine.encode(wrong, labels)
    asked = ["--arch", arch, "--classes", "5", "-o", str(tmp_path / "x.png")]
    told = CliRunner().invoke(cli, ["reconstruct", str(path), "x.npy", *asked])
    assert told.exit_code == 2
    assert "makes tensor, no images; use Engine.reconstruct" in told.output


def test_noise_may_be_given_too(tmp_path: Path) -> None:
    _, onnx = exported("InfoGan", tmp_path)
    with Engine(onnx, backend="onnxruntime", batch_size=4) as engine:
        z, labels = engine.latents(4), engine.labels(4)
        drawn = engine.decode(z, labels)
        assert np.array_equal(drawn, engine.generate(4, output="float32"))
        codes = [
            engine.decode({"z": z, "code": np.full((4, 2), code)}, labels) for code in (0.0, 3.0)
        ]
        assert not np.allclose(*codes)
        assert engine.decode({"z": z}, labels).tobytes() == drawn.tobytes()
