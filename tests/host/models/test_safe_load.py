"""Reading checkpoints: what is let through, and every way a file can be wrong."""

from __future__ import annotations

import argparse
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.errors import ArtifactError
from engine.models.safe_load import read_values

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3)}


class Evil:
    """Unpickling it would make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_torch_files(legacy: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save({"model": WEIGHTS}, path, _use_new_zipfile_serialization=not legacy)
    assert torch.equal(read_values(path)["model"]["a.weight"], WEIGHTS["a.weight"])


def test_without_checksums(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(WEIGHTS, tmp_path / "x.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(read_values(tmp_path / "x.pt")["a.weight"], WEIGHTS["a.weight"])


def test_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(WEIGHTS, tmp_path / "x.safetensors")
    assert torch.equal(read_values(tmp_path / "x.safetensors")["a.weight"], WEIGHTS["a.weight"])


def test_inert_companions_of_weights(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    options = argparse.Namespace(lr=0.1)
    torch.save({"w": WEIGHTS, "best": np.float64(0.5), "step": np.int64(7), "args": options}, path)
    values = read_values(path)
    assert (values["best"], values["step"], values["args"].lr) == (0.5, 7, 0.1)


@pytest.mark.parametrize("by_torch", [True, False], ids=["torch.save", "plain pickle"])
def test_code_is_refused_and_not_run(by_torch: bool, tmp_path: Path) -> None:
    path, target = tmp_path / "evil.pt", tmp_path / "made"
    if by_torch:
        torch.save({"model": Evil(target)}, path)
    else:
        path.write_bytes(pickle.dumps(Evil(target)))
    with pytest.raises(ArtifactError, match=r"evil\.pt: .*Save the weights alone") as caught:
        read_values(path)
    assert "\n" not in str(caught.value)
    if by_torch:
        assert "posix.system" in str(caught.value)
    assert not target.exists()


def test_a_whole_module_is_refused_by_name(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(ArtifactError, match=r"Python objects \(torch\.nn\.modules\.linear\.Linear"):
        read_values(tmp_path / "module.pt")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("junk.pt", b"hello there", "not a PyTorch checkpoint"),
        ("picture.pt", b"\x89PNG\r\n\x1a\n" + bytes(90), "not a PyTorch checkpoint"),
        ("empty.pt", b"", "damaged checkpoint, or cut short"),
        ("zip.pt", b"PK\x03\x04" + bytes(50), "damaged checkpoint, or cut short"),
        ("x.safetensors", b"\x08", "not a readable safetensors file"),
        ("y.safetensors", b"\xff" * 40, "not a readable safetensors file"),
    ],
    ids=["text", "picture", "empty", "broken zip", "short safetensors", "broken safetensors"],
)
def test_damaged(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        read_values(path)


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_cut_short(legacy: bool, keep: float, tmp_path: Path) -> None:
    path = tmp_path / "cut.pt"
    weights = {"w": torch.zeros(64, 64), "v": torch.zeros(10)}
    torch.save(weights, path, _use_new_zipfile_serialization=not legacy)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(ArtifactError, match=r"cut\.pt: "):
        read_values(path)


def doubled(depth: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for _ in range(depth):
        values = {"a": values, "b": values}
    return values


def around() -> dict[str, Any]:
    values: dict[str, Any] = {}
    values["model"] = [values]
    return values


def deep(depth: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for _ in range(depth):
        values = {"a": values}
    return values


@pytest.mark.parametrize(
    "values", [doubled(60), around(), deep(120)], ids=["wide", "round", "deep"]
)
def test_values_without_end(values: dict[str, Any], tmp_path: Path) -> None:
    torch.save(values, tmp_path / "x.pt")
    assert (tmp_path / "x.pt").stat().st_size < 1 << 15
    with pytest.raises(ArtifactError, match="hold themselves, or one another again and again"):
        read_values(tmp_path / "x.pt")


def test_shared_values_are_read(tmp_path: Path) -> None:
    torch.save(doubled(10), tmp_path / "x.pt")
    assert read_values(tmp_path / "x.pt") == doubled(10)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such file"):
        read_values(tmp_path / "nothing.pt")


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_torchscript_archive_says_what_it_is(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "script.pt")
    with pytest.raises(ArtifactError, match=r"script\.pt: a TorchScript archive") as caught:
        read_values(tmp_path / "script.pt")
    assert "\n" not in str(caught.value)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="a folder; give the checkpoint file"):
        read_values(tmp_path)


def test_arrays_of_npz_by_name(tmp_path: Path) -> None:
    """Numbers become tensors, text is left out; Chainer's names become PyTorch's."""
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.savez(tmp_path / "a.npz", weight=kernel, count=np.int64(3), name=np.array("net"))
    values = read_values(tmp_path / "a.npz")
    assert list(values) == ["weight", "count"]
    assert torch.equal(values["weight"], torch.from_numpy(kernel))
    chainer = {"res1/conv1/W": kernel, "res1/conv1/b": kernel[0], "bn/avg_var": kernel[1]}
    np.savez(tmp_path / "b.npz", **chainer)
    names = ["res1.conv1.weight", "res1.conv1.bias", "bn.running_var"]
    assert list(read_values(tmp_path / "b.npz")) == names
    np.savez(tmp_path / "c.npz", **chainer, other=kernel)
    assert "res1/conv1/W" in read_values(tmp_path / "c.npz")


def test_a_damaged_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ArtifactError, match=r"a\.npz: not an archive, damaged, or cut short"):
        read_values(path)
