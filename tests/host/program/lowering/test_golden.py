"""Graphs as two exporters of two versions of torch write them, and the Programs they become."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.program.dump import dump
from engine.program.lowering import lower
from tests.host.program.lowering.support import agree

FOLDER = Path(__file__).parents[1] / "golden"
FILES = sorted(FOLDER.glob("*.onnx"))
NAMES = ("conditional", "decoder", "encoder", "residual", "text")
# Kinds of the operations, whoever wrote the graph.
KINDS = {
    "conditional": ["embedding", "concat", "linear", "reshape", "convolution"],
    "decoder": ["convolution"] * 3,
    "encoder": ["convolution", "reshape", "linear", "linear"],
    "residual": ["convolution", "elementwise", "convolution", "add", "convolution"],
    "text": ["embedding", "recurrent", "linear"],
}
# This exporter of torch 2.6 unrolls a GRU into its steps; they lower one by one, and agree.
UNROLLED = "text-dynamo-2.6"


def test_two_exporters_of_two_versions_wrote_each_network() -> None:
    written = {tuple(path.stem.split("-")) for path in FILES}
    versions = {version for _, _, version in written}
    assert len(versions) >= 2
    assert written == {
        (name, exporter, version)
        for name in NAMES
        for exporter in ("dynamo", "torchscript")
        for version in versions
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_program_is_as_recorded_and_agrees(path: Path) -> None:
    program = agree(str(path))
    kinds = [operation.kind for operation in program.operations]
    if path.stem != UNROLLED:
        expected = KINDS[path.stem.split("-")[0]]
        assert [k for k in kinds if k != "reshape"] == [k for k in expected if k != "reshape"]
    # Made by: python -m engine.program FILE.onnx, after it was read and found right.
    assert dump(lower(path)) == path.with_suffix(".txt").read_text()
