"""What an import pulls in, seen from a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "onnx", "onnxscript", "onnxruntime", "tensorrt", "tensorrt_rtx", "triton")


def imported_by(code: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in result.stdout.splitlines()[-1].split()}


def test_engine_needs_numpy_alone() -> None:
    third_party = imported_by("import engine") - imported_by("import numpy")
    extra = {name for name in third_party if name not in sys.stdlib_module_names}
    assert extra <= {"engine", "kernels"}


@pytest.mark.parametrize(
    "code", ["import engine.cli", "import export", "import training"], ids=lambda code: code
)
def test_packages_import_nothing_heavy(code: str) -> None:
    assert not imported_by(code) & set(HEAVY)


def test_sampling_an_onnx_file_imports_no_torch(onnx_files: dict[str, Path]) -> None:
    code = f"from engine import Engine\nEngine({str(onnx_files['vae'])!r}).generate(2)"
    assert imported_by(code) & set(HEAVY) == {"onnxruntime"}
