"""`verify --layers`: which layer of two real models is the first to differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from kernels.native import library

pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

Run = Callable[..., Result]


def report(result: Result) -> dict[str, Any]:
    assert result.exit_code in (0, 1), result.output
    values: dict[str, Any] = json.loads(result.stdout)
    return values


def scaled(source: Path, target: Path, factors: dict[str, float], place: Any = ...) -> Path:
    """A copy of an ONNX file with weights, or some of their numbers, multiplied."""
    model = onnx.load(source)
    for item in model.graph.initializer:
        if item.name in factors:
            array = onnx.numpy_helper.to_array(item).copy()
            array[place] *= np.float32(factors[item.name])
            item.CopyFrom(onnx.numpy_helper.from_array(array, item.name))
    onnx.save(model, target)
    return target


@pytest.mark.parametrize("layer", ["layers.0", "layers.6", "layers.9"])
def test_one_tap_of_one_layer(
    layer: str, run: Run, onnx_files: dict[str, Path], checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    tap = (..., 1, 1)
    other = scaled(onnx_files["dcgan"], tmp_path / "o.onnx", {f"{layer}.weight": 1.01}, tap)
    # A checkpoint has weights by name, and so has its ONNX file; a Program has neither.
    for a in (checkpoints["dcgan"], onnx_files["dcgan"], f"{onnx_files['dcgan']}@numpy"):
        found = report(run("verify", a, other, "-n", 4, "--layers", "--json"))
        assert found["first_beyond"] == {"entry_point": "decoder", "name": layer}
        assert found["unmatched"] == []
    told = run("verify", onnx_files["dcgan"], other, "-n", 4, "--layers").stdout
    assert f"first layer beyond tolerance: {layer}\n" in told
    wide = run("verify", onnx_files["dcgan"], other, "-n", 4, "--layer-tolerance", "5")
    assert "first layer beyond tolerance: none\n" in wide.stdout


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("onnxruntime", "dcgan-classes"),
        ("onnxruntime", "vae-classes"),
        ("numpy", "vae-classes"),
        ("numpy", "gan-mlp"),
        ("torch", "vae"),
        ("native", "vae"),
        ("native", "dcgan-classes"),
    ],
    ids="-".join,
)
def test_a_model_against_itself(
    backend: str,
    name: str,
    run: Run,
    checkpoints: dict[str, Path],
    onnx_files: dict[str, Path],
) -> None:
    if backend == "native" and library.unavailable():
        pytest.skip(str(library.unavailable()))
    precision = ":fp32" if backend in ("torch", "native") else ""
    b = f"{onnx_files[name]}@{backend}{precision}"
    found = report(run("verify", checkpoints[name], b, "-n", 8, "--layers", "--json"))
    assert (found["passed"], found["first_beyond"], found["unmatched"]) == (True, None, [])
    layers = found["layers"]
    assert {row["entry_point"] for row in layers} == (
        {"decoder", "encoder"} if "vae" in name else {"decoder"}
    )
    assert layers[0]["name"] == ("project" if "vae" in name else "layers.0")
    # The order of sums differs, so that equal numbers everywhere would be the same run twice.
    assert max(row["max_error"] for row in layers) > 0


def test_an_encoder_is_read_too(run: Run, onnx_files: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(onnx_files["vae"].read_bytes())
    encoder = onnx_files["vae"].with_name("vae.encoder.onnx")
    scaled(encoder, tmp_path / "broken.encoder.onnx", {"layers.3.weight": 1.5})
    found = report(run("verify", onnx_files["vae"], broken, "-n", 4, "--layers", "--json"))
    assert found["first_beyond"] == {"entry_point": "encoder", "name": "layers.3"}
    alone = run(
        "verify", onnx_files["vae"], broken, "-n", 4, "--layers", "--json", "--decoder-only"
    )
    assert report(alone)["first_beyond"] is None


def test_a_layer_that_overflows(run: Run, onnx_files: dict[str, Path], tmp_path: Path) -> None:
    from engine.core.spec import PRECISION_KEY
    from export.mixed import all_nodes, layers, typed

    factors = {"layers.0.weight": 1e3, "layers.3.weight": 1e4, "layers.6.weight": 1e-3}
    exact = scaled(onnx_files["dcgan"], tmp_path / "exact.onnx", factors)
    model = onnx.load(exact)
    half = typed(model, all_nodes(layers(model)), "fp16")
    for entry in half.metadata_props:
        if entry.key == PRECISION_KEY:
            entry.value = "fp16"
    onnx.save(half, tmp_path / "half.onnx")
    found = report(run("verify", exact, tmp_path / "half.onnx", "-n", 4, "--layers", "--json"))
    assert found["b"]["precision"] == "fp16"
    assert found["first_beyond"]["name"] == "layers.3"
    by_name = {row["name"]: row for row in found["layers"]}
    assert by_name["layers.0"]["finite"] == {"a": True, "b": True}
    assert by_name["layers.3"]["finite"] == {"a": True, "b": False}
    assert by_name["layers.3"]["max_error"] is None
    told = run("verify", exact, tmp_path / "half.onnx", "-n", 4, "--layers").stdout
    assert "beyond: NaN or infinity in B" in told


def test_quantised_images_have_the_layers_of_floats(
    run: Run, checkpoints: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    from engine.models.load import load_generator
    from export.convert import export_onnx

    path = tmp_path / "int8.onnx"
    export_onnx(load_generator(checkpoints["dcgan"]), path, precision="int8", output="uint8")
    found = report(run("verify", onnx_files["dcgan"], path, "-n", 4, "--layers", "--json"))
    assert found["unmatched"] == []
    names = [row["name"] for row in found["layers"]]
    assert names == ["inputs", "layers.0", "layers.3", "layers.6", "layers.9"]
    # Rounding to one of 255 numbers does what the ReLU did, which is gone from the graph.
    assert all(1e-4 < row["relative_error"] < 0.05 for row in found["layers"])


def cells(path: Path) -> Path:
    """z [batch, 6, 3] through a GRU to sound [batch, 1, 6]."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(4)
    shapes = {"w": (1, 12, 3), "r": (1, 12, 4), "out.weight": (4, 1)}
    weights = [
        numpy_helper.from_array(random.normal(0, 0.5, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    weights.append(numpy_helper.from_array(np.array([1]), "axis"))
    nodes = [
        helper.make_node("Transpose", ["z"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("GRU", ["steps", "w", "r"], ["states", "last"], hidden_size=4),
        helper.make_node("Squeeze", ["states", "axis"], ["one"]),
        helper.make_node("Transpose", ["one"], ["ours"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["ours", "out.weight"], ["mixed"]),
        helper.make_node("Tanh", ["mixed"], ["bounded"]),
        helper.make_node("Transpose", ["bounded"], ["audio"], perm=[0, 2, 1]),
    ]
    given = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 6, 3])
    made = helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", 1, 6])
    graph = helper.make_graph(nodes, "cells", [given], [made], weights)
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def test_cells_are_read_with_the_batch_first(run: Run, tmp_path: Path) -> None:
    path = cells(tmp_path / "cells.onnx")
    other = scaled(path, tmp_path / "o.onnx", {"r": 1.1})
    for b in (path, f"{path}@numpy"):
        same = report(run("verify", path, b, "-n", 4, "--layers", "--json"))
        assert (same["passed"], same["first_beyond"], same["unmatched"]) == (True, None, [])
        assert [row["operator"] for row in same["layers"]] == ["GRU", "MatMul"]
        assert same["layers"][0]["shape"] == [6, 4]
        found = report(run("verify", other, b, "-n", 4, "--layers", "--json"))
        assert found["first_beyond"]["name"] == same["layers"][0]["name"]


def test_sides_without_layers_are_refused(run: Run, onnx_files: dict[str, Path]) -> None:
    result = run("verify", onnx_files["dcgan"], f"{onnx_files['dcgan']}@null", "--layers")
    assert result.exit_code == 2
    assert "'null' has no layers" in result.stderr


def test_the_worst_sample_is_among_those_compared(
    run: Run, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    other = scaled(onnx_files["dcgan"], tmp_path / "o.onnx", {"layers.0.weight": 1.1})
    found = report(run("verify", onnx_files["dcgan"], other, "--layers", "--json"))
    assert found["layer_samples"] == sorted({0, 1, 2, found["worst_sample"]})
    last = found["layers"][-1]["max_error"]
    assert last == pytest.approx(found["max_error"], rel=1e-3)
    assert np.isfinite(last)
