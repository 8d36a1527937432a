"""Commands where a package is missing: one line that names the extra, and help that still works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Stands for an environment without torch: it cannot be found, let alone imported.
WITHOUT_TORCH = """
import importlib.util, runpy, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else find(name, *rest)
sys.modules["torch"] = None
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "module",
    ["export.onnx", "export.gen", "export.tensorrt", "training", "training.evaluate", "engine"],
)
def test_help_works(module: str) -> None:
    result = run(module, "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage:" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("export.onnx", "{checkpoint}"), "torch,onnx"),
        (("export.gen", "{checkpoint}"), "torch,onnx"),
        (("export.tensorrt", "{checkpoint}"), "torch,onnx"),
        (("training", "dcgan", "--data", "digits", "-o", "{new}"), "train"),
        (("training.evaluate", "{checkpoint}", "--data", "digits"), "train"),
        (("engine", "generate", "{checkpoint}", "-n", "1", "-o", "{new}.png"), "torch"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
def test_a_missing_torch_names_the_extra(
    arguments: tuple[str, ...], extra: str, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    paths = {"checkpoint": str(checkpoints["dcgan"]), "new": str(tmp_path / "new.pt")}
    result = run(*(argument.format(**paths) for argument in arguments))
    assert result.returncode == 2, result.stderr
    assert f"generator-engine[{extra}]" in result.stderr
    assert len(result.stderr.splitlines()) == 1
