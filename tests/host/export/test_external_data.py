"""ONNX files whose weights lie in other files: beside them they are read, elsewhere refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import set_external_data

from engine import Engine
from engine.core.artifacts import open_artifact
from engine.core.errors import EngineError
from engine.models.load import load_generator
from engine.program.lowering import lower
from export.pack import export_gen


def outside(source: Path, out: Path, location: str, length: int | None = None) -> Path:
    """The graph with its largest weight at a location; the file there is written beside `out`."""
    model = onnx.load(source)
    weight = max(model.graph.initializer, key=lambda item: len(item.raw_data))
    (out.parent / location).write_bytes(weight.raw_data[:length])
    set_external_data(weight, location=location, offset=0, length=len(weight.raw_data))
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    # onnx.save would read the weight again.
    out.write_bytes(model.SerializeToString())
    return out


READERS: dict[str, Callable[[Path], Any]] = {
    "onnxruntime": lambda path: Engine(path, backend="onnxruntime"),
    "native": lambda path: Engine(path, backend="native"),
    "eager": load_generator,
    "lower": lower,
    "gen": lambda path: export_gen(open_artifact(path), path.with_name("x.gen")),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_beyond_the_folder_is_refused(
    reader: str, absolute: bool, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    location = str(tmp_path / "secret.bin") if absolute else "../secret.bin"
    path = outside(onnx_files["gan-mlp"], folder / "m.onnx", location)
    with pytest.raises(EngineError, match=r"(?i)outside|escapes|absolute|not allowed"):
        READERS[reader](path)
    assert [file.name for file in folder.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("reader", READERS)
def test_cut_short_is_refused(reader: str, onnx_files: dict[str, Path], tmp_path: Path) -> None:
    path = outside(onnx_files["gan-mlp"], tmp_path / "m.onnx", "weights.bin", length=100)
    with pytest.raises(EngineError):
        READERS[reader](path)


def test_beside_the_file_it_is_read(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    path = outside(onnx_files["gan-mlp"], tmp_path / "m.onnx", "weights.bin")
    with Engine(path) as ours, Engine(onnx_files["gan-mlp"]) as theirs:
        np.testing.assert_array_equal(ours.generate(5), theirs.generate(5))
