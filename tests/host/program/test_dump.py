from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.program.__main__ import main
from engine.program.cost import flops, parameters
from engine.program.lowering import lower
from tests.host.program.lowering.support import BATCH, floats, model, node


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    nodes = [
        node("Gemm", ["z", "w", "b"], "a"),
        node("Reshape", ["a", "shape"], "m"),
        node("ConvTranspose", ["m", "v"], "c", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Tanh", ["c"], "images"),
    ]
    constants = {
        "w": floats(5, 24),
        "b": floats(24),
        "shape": [0, 4, 2, 3],
        "v": floats(4, 3, 4, 4),
    }
    path = tmp_path / "tiny.onnx"
    proto = model(nodes, {"z": [BATCH, 5]}, constants, outputs=["images"])
    path.write_bytes(proto.SerializeToString())
    return path


def test_the_text(graph: Path) -> None:
    result = CliRunner().invoke(main, [str(graph)])
    assert result.exit_code == 0, result.output
    words = [" ".join(line.split()) for line in result.output.splitlines()]
    assert words == [
        f"{graph}: program small",
        "input z float32 [5] ONNX [batch, 5], axes [1]",
        "linear node_a z [5] -> a [24] weight [5, 24], shift [24]; 144 numbers, 240 FLOP",
        "reshape node_c a [24] -> a@node_c [2, 3, 4]",
        "convolution node_c a@node_c [2, 3, 4] -> images [4, 6, 3] transposed kernel 4x4 "
        "stride 2x2 padding 1x1, weight [4, 4, 4, 3], tanh; 192 numbers, 1,440 FLOP",
        "output images float32 [4, 6, 3] ONNX [batch, 3, 4, 6], axes [2, 3, 1]",
        "total: 3 operations, 336 numbers (1.3 KiB), 1,680 FLOP a sample",
        "",
    ]


def test_useful_work_leaves_out_taps_beyond_the_map(graph: Path) -> None:
    program = lower(graph)
    layer = program.operations[-1]
    # An axis of n inputs has 4n meetings, less one beyond each of its two edges.
    assert flops(layer, program.values) == 2 * 4 * 3 * (4 * 2 - 2) * (4 * 3 - 2)
    assert parameters(layer) == 4 * 4 * 4 * 3


def test_several_files_as_json(graph: Path) -> None:
    result = CliRunner().invoke(main, ["--json", str(graph), str(graph)])
    assert result.exit_code == 0, result.output
    first, second = (json.loads(line) for line in result.output.splitlines())
    assert first == second
    assert [operation["kind"] for operation in first["operations"]] == [
        "linear",
        "reshape",
        "convolution",
    ]
    assert first["inputs"] == [
        {
            "name": "z",
            "shape": [5],
            "dtype": "float32",
            "onnx_shape": [-1, 5],
            "onnx_axes": [1],
            "onnx_batch_axis": 0,
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.onnx"], "none.onnx: no such file"),
        (["none.gen"], "none.gen"),
        (["FILE", "--input-shape", "z"], "--input-shape 'z' is not NAME:SIZES"),
        (["FILE", "--input-shape", "z:0x5"], "--input-shape 'z:0x5' is not NAME:SIZES"),
        (["FILE", "--input-shape", "y:1x5"], "there is no input 'y'"),
    ],
    ids=["no file", "no .gen", "no sizes", "size 0", "no input"],
)
def test_mistakes_are_one_line_and_exit_2(graph: Path, arguments: list[str], message: str) -> None:
    given = [str(graph) if argument == "FILE" else argument for argument in arguments]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_plan_names_kernels_and_buffers(graph: Path) -> None:
    pytest.importorskip("triton")
    result = CliRunner().invoke(main, [str(graph), "--plan", "--target", "sm80", "--batch", "64"])
    assert result.exit_code == 0, result.output
    assert "plan of small for sm80, fp16, batches of 64" in result.output
    assert "grouped_columns" in result.output or "position_major" in result.output
    assert "bytes 0 to" in result.output


def test_a_target_that_is_none(graph: Path) -> None:
    pytest.importorskip("triton")
    result = CliRunner().invoke(main, [str(graph), "--plan", "--target", "h100"])
    assert result.exit_code == 2
    assert "'h100'" in result.output


def test_shapes_of_a_gen_file_are_fixed(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(tmp_path / "x.gen"), "--input-shape", "z:-1x5"])
    assert result.exit_code == 2
    assert "--input-shape is for ONNX files" in result.output
