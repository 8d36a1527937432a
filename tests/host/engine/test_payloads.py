"""Pickles that run code, in every kind of file that can hold one: refused, and nothing ran."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Engine
from engine.cli.decode import read_latents
from engine.core.errors import ArtifactError

torch = pytest.importorskip("torch")
SUFFIXES = (".pt", ".pth", ".ckpt", ".tar", ".bin")


class Payload:
    """Unpickling it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def zipped(value: Any, path: Path) -> None:
    torch.save({"generator": {"w": torch.zeros(2)}, "extra": value}, path)


def legacy(value: Any, path: Path) -> None:
    values = {"generator": {"w": torch.zeros(2)}, "extra": value}
    torch.save(values, path, _use_new_zipfile_serialization=False)


def bare(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps({"generator": value}, protocol=2))


FORMS: tuple[Callable[[Any, Path], None], ...] = (zipped, legacy, bare)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_checkpoints(form: Callable[[Any, Path], None], suffix: str, tmp_path: Path) -> None:
    mark, path = tmp_path / "executed", tmp_path / f"evil{suffix}"
    form(Payload(mark), path)
    with pytest.raises(ArtifactError, match="never executed|refused|not executed"):
        Engine(path)
    assert not mark.exists()
    # The payload is live.
    if form is bare:
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert mark.exists()


def test_latents(tmp_path: Path) -> None:
    mark, path = tmp_path / "executed", tmp_path / "evil.npy"
    np.save(path, np.array([Payload(mark)], object))
    with pytest.raises(ArtifactError, match="pickled; those are never executed"):
        read_latents(path)
    assert not mark.exists()
    np.load(path, allow_pickle=True)
    assert mark.exists()


def test_a_checkpoint_that_bursts(tmp_path: Path) -> None:
    """268 MB of zeros in less than one, which torch would inflate."""
    torch.save({"w": torch.zeros(2)}, tmp_path / "good.pt")
    path = tmp_path / "bomb.pt"
    with (
        zipfile.ZipFile(tmp_path / "good.pt") as good,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in good.namelist():
            bomb.writestr(name, good.read(name))
        with bomb.open("good/data/1", "w") as member:
            for _ in range(1 << 6):
                member.write(bytes(1 << 22))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ArtifactError, match="would inflate from"):
        Engine(path)


def test_a_checkpoint_that_was_compressed(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(2)}, tmp_path / "good.pt")
    path = tmp_path / "small.pt"
    with (
        zipfile.ZipFile(tmp_path / "good.pt") as good,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for name in good.namelist():
            small.writestr(name, good.read(name))
    with pytest.raises(ArtifactError, match="is compressed, which torch.save does not do"):
        Engine(path)


def test_a_weight_that_was_flipped(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """PyTorch's reader does not compare the checksums that its writer makes."""
    data = bytearray(checkpoints["dcgan"].read_bytes())
    with zipfile.ZipFile(checkpoints["dcgan"]) as archive:
        weight = max(archive.infolist(), key=lambda member: member.file_size)
    data[weight.header_offset + 200 + weight.file_size // 2] ^= 1
    path = tmp_path / "flipped.pt"
    path.write_bytes(data)
    torch.load(path, weights_only=True)
    with pytest.raises(ArtifactError, match="Bad CRC-32"):
        Engine(path)
