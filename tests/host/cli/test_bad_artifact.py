"""Files that are no generator: one line, exit code 2, nothing executed, nothing written."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

torch = pytest.importorskip("torch")

Run = Callable[..., Result]


class Trap:
    """Unpickling this makes a file."""

    def __reduce__(self) -> tuple[object, ...]:
        return open, ("executed", "w")


def refused(run: Run, artifact: Path) -> str:
    result = run("generate", artifact, "-n", 2, "-o", "a.png")
    assert result.exit_code == 2, (result.stdout, result.stderr)
    assert not Path("a.png").exists()
    lines = result.stderr.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    assert "Traceback" not in result.stderr
    return lines[-1]


def test_a_checkpoint_cut_short(run: Run, checkpoints: dict[str, Path], here: Path) -> None:
    data = checkpoints["dcgan"].read_bytes()
    for size in (10, len(data) // 2, len(data) - 100):
        (here / "cut.pt").write_bytes(data[:size])
        assert "cut.pt" in refused(run, here / "cut.pt")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["zip", "bare"])
def test_a_pickle_with_code_is_not_executed(run: Run, here: Path, form: str) -> None:
    values = {"state_dict": Trap()}
    if form == "zip":
        torch.save(values, here / "trap.pt")
    else:
        (here / "trap.pt").write_bytes(pickle.dumps(values))
    assert "trap.pt" in refused(run, here / "trap.pt")
    assert not (here / "executed").exists()


def test_values_that_are_no_generator(run: Run, here: Path) -> None:
    torch.save({"weight": torch.zeros(3), "step": 7}, here / "values.pt")
    assert "holds no state dict" in refused(run, here / "values.pt")
    torch.save({"weight": torch.zeros(3, 2)}, here / "weights.pt")
    assert "arch" in refused(run, here / "weights.pt")


def test_nan_in_the_weights(run: Run, checkpoints: dict[str, Path], here: Path) -> None:
    values = torch.load(checkpoints["dcgan"], weights_only=True)
    first = next(iter(values["generator"]))
    values["generator"][first].flatten()[0] = float("nan")
    torch.save(values, here / "nan.pt")
    assert "NaN" in refused(run, here / "nan.pt")


def test_an_onnx_file_cut_short(run: Run, here: Path) -> None:
    pytest.importorskip("onnxruntime")
    (here / "cut.onnx").write_bytes(b"\x08\x0a\x12\x07pytorch" + b"\xff" * 20)
    assert "cut.onnx" in refused(run, here / "cut.onnx")


def test_an_onnx_file_that_is_no_generator(run: Run, here: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Equal", ["a", "b"], ["same"])],
        "compare",
        [value("a", onnx.TensorProto.STRING, [2]), value("b", onnx.TensorProto.STRING, [2])],
        [value("same", onnx.TensorProto.BOOL, [2])],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 19)], ir_version=10
    )
    onnx.save(model, here / "compare.onnx")
    assert "compare.onnx" in refused(run, here / "compare.onnx")
