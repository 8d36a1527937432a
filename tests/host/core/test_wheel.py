"""What a user installs: the packages and the shipped models, no tests and no benchmarks."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_packages(names: list[str]) -> None:
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"engine", "kernels", "export", "training"}


def test_the_native_library_is_in_and_its_source_is_not(names: list[str]) -> None:
    native = {name for name in names if name.startswith("kernels/native/")}
    assert "kernels/native/libgenerator_kernels.so" in native
    assert not {name for name in native if name.endswith((".cpp", ".h", "CMakeLists.txt"))}


def test_every_source_file_is_in(names: list[str]) -> None:
    for package in ("engine", "kernels", "export", "training"):
        for file in (ROOT / package).rglob("*.py"):
            assert file.relative_to(ROOT).as_posix() in names


def test_shipped_models_are_in_with_their_cards(names: list[str]) -> None:
    models = [name for name in names if name.startswith("engine/zoo/") and name.endswith(".gen")]
    assert len(models) >= 4
    for name in models:
        assert name.replace(".gen", ".json") in names
    assert not [name for name in names if name.endswith(".onnx")]
    size = sum((ROOT / name).stat().st_size for name in models)
    assert size < 24e6
