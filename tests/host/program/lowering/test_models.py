"""The networks that ship, those of the tests, and those that others trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import benchmarks
from tests.cases import public_networks as public
from tests.host.program.lowering.support import BATCH, agree, kinds, model, node

ZOO = sorted(Path(benchmarks.__file__).parent.glob("models/*.onnx"))
TESTED = ["dcgan", "dcgan-classes", "vae", "vae-classes", "gan-mlp"]
# Nothing but layers, and what turns labels and vectors into their input.
LAYERS = {"convolution", "linear", "reshape", "embedding", "concat"}


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.name)
def test_models_that_ship(path: Path) -> None:
    program = agree(str(path))
    assert set(kinds(program)) <= LAYERS
    assert "permute" not in kinds(program)


@pytest.mark.parametrize("name", TESTED)
def test_models_of_the_tests(name: str, onnx_files: dict[str, Path]) -> None:
    files = [onnx_files[name]]
    if name.startswith("vae"):
        files.append(files[0].with_suffix(".encoder.onnx"))
    for path in files:
        assert path.is_file()
        assert set(kinds(agree(str(path)))) <= LAYERS


def test_faces_of_gan_face_generate(tmp_path: Path) -> None:
    from engine.core.options import LoadOptions
    from engine.models.load import load_generator
    from export.convert import export_onnx

    weights = public.fetched(public.FACES, tmp_path)
    export_onnx(load_generator(weights, LoadOptions()), tmp_path / "faces.onnx")
    program = agree(str(tmp_path / "faces.onnx"))
    assert kinds(program) == ["reshape"] + ["convolution"] * 5


def test_upscaling_of_waifu2x(tmp_path: Path) -> None:
    weights = np.load(public.fetched(public.WAIFU2X, tmp_path))
    nodes, name = [], "x"
    for index in range(1, 7):
        inputs = [name, f"conv{index}/W", f"conv{index}/b"]
        nodes.append(node("Conv", inputs, f"a{index}"))
        nodes.append(node("LeakyRelu", [f"a{index}"], f"h{index}", alpha=0.1))
        name = f"h{index}"
    up = {"strides": [2, 2], "pads": [3, 3, 3, 3]}
    nodes.append(node("ConvTranspose", [name, "conv7/W"], "y", **up))
    proto = model(nodes, {"x": [BATCH, 3, 18, 20]}, {key: weights[key] for key in weights.files})
    program = agree(proto, batch=2)
    assert kinds(program) == ["convolution"] * 7
    # 6 valid convolutions take 12 off a side, the last doubles and takes 2 off each edge.
    assert program.outputs[0].shape == (8, 12, 3)


@pytest.mark.parametrize("part", ["enc", "dec"])
def test_spelling_to_sound_of_g2p_en(part: str, tmp_path: Path) -> None:
    """PyTorch's gates are r, z, n; ONNX's are z, r, h."""
    weights = np.load(public.fetched(public.G2P, tmp_path))

    def gates(name: str) -> np.ndarray:
        r, z, n = np.split(weights[f"{part}_{name}"], 3)
        return np.concatenate([z, r, n])

    constants = {
        "table": weights[f"{part}_emb"],
        "w": gates("w_ih")[None],
        "r": gates("w_hh")[None],
        "b": np.concatenate([gates("b_ih"), gates("b_hh")])[None],
        "fc": weights["fc_w"],
        "bias": weights["fc_b"],
        "first": [0],
    }
    nodes = [
        node("Gather", ["table", "tokens"], "e"),
        node(
            "GRU",
            ["e", "w", "r", "b", "", "state"],
            ["s", "last"],
            hidden_size=256,
            linear_before_reset=1,
        ),
        node("Squeeze", ["last", "first"], "h"),
        node("Gemm", ["h", "fc", "bias"], "y", transB=1),
    ]
    steps = 5 if part == "enc" else 1
    proto = model(
        nodes,
        {"tokens": [steps, BATCH], "state": [1, BATCH, 256]},
        constants,
        outputs=["y", "last"],
        integers=["tokens"],
    )
    program = agree(proto, largest=29)
    assert [kind for kind in kinds(program) if kind != "reshape"] == [
        "embedding",
        "recurrent",
        "linear",
    ]


def test_style_transfer(tmp_path: Path) -> None:
    path = public.fetched(public.STYLES, tmp_path)
    program = agree(str(path), batch=2, input_shapes={"image": (1, 3, 16, 20)})
    found = kinds(program)
    assert found.count("instance_norm") == found.count("convolution") == 18
    # Both upsamplings are followed by a margin that mirrors, which no convolution's padding does.
    assert found.count("upsample") == 2
    weights = next(value for value in program.inputs if value.name == "style_weights")
    assert weights.layout.batch is None
    assert len(onnx.load(path).graph.node) > 3 * len(found)
