"""ONNX files that nobody here exported: generators are opened, the rest is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Engine
from engine.core.errors import ArtifactError, OptionError

onnx = pytest.importorskip("onnx")


def write(
    path: Path,
    inputs: list[tuple[str, Any, list[Any]]],
    nodes: list[Any],
    output: list[Any],
    initializers: tuple[Any, ...] = (),
    opset: int = 18,
) -> Path:
    """A graph with one float output `y`."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*tensor) for tensor in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
        list(initializers),
    )
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def reshape(path: Path, latent: list[Any], output: list[Any]) -> Path:
    """y = z repeated into `output`, all but the batch fixed."""
    from onnx import TensorProto, helper, numpy_helper

    shape = numpy_helper.from_array(np.array([0, *output[1:]], np.int64), "shape")
    return write(
        path,
        [("noise", TensorProto.FLOAT, latent)],
        [helper.make_node("Reshape", ["noise", "shape"], ["y"])],
        output,
        (shape,),
    )


def test_a_generator_without_metadata(tmp_path: Path) -> None:
    path = reshape(tmp_path / "g.onnx", ["n", 48], ["n", 3, 4, 4])
    engine = Engine(path, batch_size=4)
    assert engine.spec.inferred
    assert engine.spec.latent.name == "noise"
    assert "inferred" in engine.explain()
    floats = engine.generate(6, output="float32")
    assert (floats.reshape(6, 48) == engine.latents(6)).all()
    narrow = Engine(path, output_range=(0.0, 1.0)).generate(1)
    assert (narrow == np.rint(floats[:1].clip(0, 1) * 255).transpose(0, 2, 3, 1)).all()


def test_a_graph_with_a_fixed_batch(tmp_path: Path) -> None:
    path = reshape(tmp_path / "g.onnx", [2, 16], [2, 1, 4, 4])
    engine = Engine(path)
    assert engine.batch_size == 2
    assert engine.generate(5).shape == (5, 4, 4, 1)
    with pytest.raises(OptionError, match=r"batch_size=8 does not fit: .* batches of 2"):
        Engine(path, batch_size=8)


def test_a_class_input_wants_the_number_of_classes(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    path = write(
        tmp_path / "c.onnx",
        [("z", TensorProto.FLOAT, ["n", 16]), ("which", TensorProto.INT64, ["n"])],
        [
            helper.make_node("Cast", ["which"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["f", "column"], ["c"]),
            helper.make_node("Mul", ["z", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "c"], ["s"]),
            helper.make_node("Reshape", ["s", "shape"], ["y"]),
        ],
        ["n", 1, 4, 4],
        (
            numpy_helper.from_array(np.array([-1, 1], np.int64), "column"),
            numpy_helper.from_array(np.array(0.0, np.float32), "zero"),
            numpy_helper.from_array(np.array([0, 1, 4, 4], np.int64), "shape"),
        ),
    )
    with pytest.raises(ArtifactError, match=r"input 'which' asks for a class; .*--classes N"):
        Engine(path)
    engine = Engine(path, classes=3)
    assert engine.generate(4, labels=[0, 1, 2, 1], output="float32")[:, 0, 0, 0].tolist() == [
        0,
        1,
        2,
        1,
    ]


def test_no_generator(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    path = reshape(tmp_path / "open.onnx", ["n", "k"], ["n", 1, 4, 4])
    with pytest.raises(ArtifactError, match="input 'noise' has the open shape"):
        Engine(path)
    mean = helper.make_node("ReduceMean", ["noise"], ["y"], axes=[1, 2, 3], keepdims=0)
    image = [("noise", TensorProto.FLOAT, ["n", 3, 8, 8])]
    path = write(tmp_path / "far.onnx", image, [mean], ["n"], opset=17)
    with pytest.raises(ArtifactError, match=r"output 'y' has the open shape"):
        Engine(path)
    mean = helper.make_node("ReduceMean", ["noise"], ["y"], axes=[2, 3], keepdims=0)
    path = write(tmp_path / "far.onnx", image, [mean], ["n", 3], opset=17)
    with pytest.raises(ArtifactError, match=r"it turns \[3, 8, 8\] into \[3\], which is far less"):
        Engine(path)


@pytest.mark.parametrize("shape", [[7, 4, 4], [112], [1, 4, 4, 7], [14, 8]], ids=str)
def test_samples_that_are_neither_images_nor_sound(shape: list[int], tmp_path: Path) -> None:
    engine = Engine(reshape(tmp_path / "x.onnx", ["n", 112], ["n", *shape]), batch_size=2)
    assert engine.spec.modality == "tensor"
    assert engine.generate(3).shape == (3, *shape)


def test_a_network_that_is_given_an_image(tmp_path: Path) -> None:
    """Twice as large, and of any size: the user says which."""
    from onnx import TensorProto, helper, numpy_helper

    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")
    inputs = [("x", TensorProto.FLOAT, ["n", 3, "h", "w"])]
    path = write(tmp_path / "sr.onnx", inputs, [node], ["n", 3, "hh", "ww"], (scales,))
    with pytest.raises(ArtifactError, match=r"input 'x' has the open shape .*--input-shape"):
        Engine(path)
    engine = Engine(path, input_shape=(3, 8, 10))
    assert engine.spec.output.shape == (3, 16, 20)
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 10, 3), np.uint8)
    made = engine.decode(images, output="uint8")
    assert (made == images.repeat(2, 1).repeat(2, 2)).all()
    floats = images.transpose(0, 3, 1, 2) / np.float32(127.5) - 1
    assert (engine.decode(floats, output="uint8") == made).all()
    for call in (engine.generate, engine.stream):
        with pytest.raises(OptionError, match=r"'x' \[3, 8, 10\] is yours to give"):
            call(2)


def test_further_inputs_cannot_be_drawn(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    inputs = [(name, TensorProto.FLOAT, ["n", 1, 8, 8]) for name in ("x", "style")]
    add = helper.make_node("Add", ["x", "style"], ["y"])
    path = write(tmp_path / "two.onnx", inputs, [add], ["n", 1, 8, 8])
    engine = Engine(path, backend="onnxruntime", batch_size=2)
    with pytest.raises(OptionError, match=r"'style' \[1, 8, 8\] are yours to give"):
        engine.generate(2)
    x = np.ones((3, 1, 8, 8), np.float32)
    assert (engine.decode({"x": x, "style": 2 * x}) == 3).all()


def test_an_open_output_is_measured(tmp_path: Path) -> None:
    path = reshape(tmp_path / "x.onnx", ["n", 48], ["n", 3, 4, 4])
    model = onnx.load(path)
    for dim in model.graph.output[0].type.tensor_type.shape.dim[2:]:
        dim.Clear()
        dim.dim_param = "open"
    onnx.save(model, path)
    assert Engine(path).spec.output.shape == (3, 4, 4)


@pytest.mark.parametrize("content", [b"not onnx at all", b"\x08\x09"], ids=["text", "empty model"])
def test_damaged(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"x\.onnx"):
        Engine(path)


def test_an_encoder_is_no_generator(onnx_files: dict[str, Path]) -> None:
    encoder = onnx_files["vae"].with_name("vae.encoder.onnx")
    with pytest.raises(ArtifactError, match=r"this is the encoder of a generator; open vae\.onnx"):
        Engine(encoder)


def test_a_decoder_without_its_encoder(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(onnx_files["vae"].read_bytes())
    engine = Engine(alone)
    images = engine.generate(1)
    with pytest.raises(ArtifactError, match=r"alone\.encoder\.onnx: no such file"):
        engine.encode(images)


def cast_output(path: Path, kind: int) -> Path:
    """The same graph with its output of another type."""
    from onnx import helper

    model = onnx.load(path)
    model.graph.node[-1].output[0] = "before"
    model.graph.node.append(helper.make_node("Cast", ["before"], ["y"], to=kind))
    model.graph.output[0].type.tensor_type.elem_type = kind
    onnx.save(model, path)
    return path


def test_other_float_types_come_as_float32(tmp_path: Path) -> None:
    path = cast_output(reshape(tmp_path / "g.onnx", ["n", 16], ["n", 1, 4, 4]), 10)
    engine = Engine(path, batch_size=4)
    assert engine.precision == "fp16"
    batch = next(engine.stream(4, output="float32"))
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch.reshape(4, 16), engine.latents(4), rtol=1e-3, atol=1e-6)


def test_an_output_of_bytes_is_refused(tmp_path: Path) -> None:
    path = cast_output(reshape(tmp_path / "g.onnx", ["n", 16], ["n", 1, 4, 4]), 2)
    with pytest.raises(ArtifactError, match=r"output 'y' has the type tensor\(uint8\)"):
        Engine(path)


def with_spec(path: Path, **changes: Any) -> Path:
    """A graph with the metadata of a spec that may not fit it."""
    from engine.core.spec import SPEC_KEY, GeneratorSpec, Noise, Output

    spec = GeneratorSpec(
        "g", "test", Noise((16,), name="noise"), Output((1, 4, 4), "CHW", name="y")
    )
    model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, spec.replace(**changes).to_json()
    onnx.save(model, path)
    return path


def test_a_graph_that_differs_from_its_spec(tmp_path: Path) -> None:
    from engine.core.spec import Noise, Output

    def graph() -> Path:
        return reshape(tmp_path / "g.onnx", ["n", 16], ["n", 1, 4, 4])

    assert Engine(with_spec(graph())).generate(2).shape == (2, 4, 4, 1)
    cases: dict[str, dict[str, Any]] = {
        "takes noise, its spec says z": {"latent": Noise((16,))},
        r"'noise' has the shape .* its spec says \[8\]": {"latent": Noise((8,), name="noise")},
        "gives y, its spec says images": {"output": Output((1, 4, 4))},
        r"'y' has the shape .* its spec says \[1, 2, 8\]": {"output": Output((1, 2, 8), name="y")},
        "takes noise, its spec says noise, eps": {"noise": (Noise((3,), name="eps"),)},
    }
    for message, changes in cases.items():
        with pytest.raises(ArtifactError, match=message):
            Engine(with_spec(graph(), **changes))


def test_a_graph_that_fails_on_the_batch(tmp_path: Path) -> None:
    from onnx import helper, numpy_helper

    path = reshape(tmp_path / "g.onnx", ["n", 16], ["n", 1, 4, 4])
    model = onnx.load(path)
    fixed = numpy_helper.from_array(np.array([1, 1, 4, 4], np.int64), "shape")
    del model.graph.initializer[:]
    model.graph.initializer.append(fixed)
    model.graph.node.append(helper.make_node("Identity", ["y"], ["unused"]))
    onnx.save(model, path)
    assert Engine(path, batch_size=1).generate(2).shape == (2, 4, 4, 1)
    with pytest.raises(ArtifactError, match=r"fails on batches of 4 \(try batch_size=1\)"):
        Engine(path, batch_size=4).generate(2)
