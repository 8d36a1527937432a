"""A `.kernels` file beside an artifact: used on a GPU, refused if damaged, its reasons told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.backends._triton import ahead
from engine.backends._triton.ahead import AheadOfTime
from engine.core.errors import ArtifactError
from kernels.launch import Launch

GPU = torch.device("cuda")


class Kernel:
    """Stands for a Triton kernel: says that it was compiled."""

    def __init__(self) -> None:
        self.compiled = 0

    def __getitem__(self, grid: Any) -> Any:
        def run(**_: Any) -> None:
            self.compiled += 1

        return run


class Opened:
    """Stands for opened binaries that have one of two kernels."""

    reasons = ("other: no binary was made for this shape and type",)

    def run(self, launch: Launch) -> bool:
        return launch.name == "known"


def test_launches_go_through_the_binaries_and_the_rest_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.kernels").write_bytes(b"")
    monkeypatch.setattr(ahead.Binaries, "open", lambda *_: Opened())
    binaries = AheadOfTime(tmp_path / "x.gen", GPU)
    kernel = Kernel()
    known, other = (Launch(name, kernel, (1, 1, 1), {}, {}) for name in ("known", "other"))
    with binaries.launching():
        known.run()
        assert kernel.compiled == 0
        other.run()
    assert kernel.compiled == 1
    known.run()
    assert kernel.compiled == 2
    assert binaries.notes == Opened.reasons


def test_without_a_file_or_a_gpu_kernels_are_compiled(tmp_path: Path) -> None:
    assert AheadOfTime(tmp_path / "x.gen", GPU).notes == ()
    (tmp_path / "x.kernels").write_bytes(b"not read")
    binaries = AheadOfTime(tmp_path / "x.gen", torch.device("cpu"))
    kernel = Kernel()
    with binaries.launching():
        Launch("known", kernel, (1, 1, 1), {}, {}).run()
    assert kernel.compiled == 1


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.kernels").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=r"x\.kernels"):
        AheadOfTime(tmp_path / "x.gen", GPU)


def test_no_driver_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("cuda-bindings is not installed")

    (tmp_path / "x.kernels").write_bytes(b"")
    monkeypatch.setattr(ahead.Binaries, "open", refuse)
    (note,) = AheadOfTime(tmp_path / "x.gen", GPU).notes
    assert note.startswith("x.kernels is not used")
    assert "cuda-bindings" in note
