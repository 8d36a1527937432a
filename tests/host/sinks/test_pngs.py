from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import ArtifactError, NumericalError, OptionError, OutputError
from engine.sinks.manifest import Manifest, read_manifest, write_manifest
from engine.sinks.pngs import PngFolder

MANIFEST = Manifest(
    artifact="m.onnx",
    sha256="00",
    backend="null",
    device="cpu",
    precision="fp32",
    batch_size=4,
    n=10,
    shape=(4, 4, 1),
    start=3,
)


def make(run: range) -> Iterator[np.ndarray]:
    """Sample i is filled with i; batches of 4."""
    for first in range(run.start, run.stop, 4):
        indices = np.arange(first, min(first + 4, run.stop), dtype=np.uint8)
        yield np.broadcast_to(indices.reshape(-1, 1, 1, 1), (len(indices), 4, 4, 1))


def contents(folder: Path) -> dict[str, bytes]:
    return {item.name: item.read_bytes() for item in folder.iterdir()}


def test_files_are_named_by_sample_and_hashed(tmp_path: Path) -> None:
    labels = np.arange(10) * 2
    written = PngFolder(tmp_path, MANIFEST).write(make, labels)
    assert sorted(contents(tmp_path)) == [
        *(f"{index:08d}.png" for index in range(3, 13)),
        "manifest.json",
    ]
    assert read_manifest(tmp_path / "manifest.json") == written
    assert written.complete
    assert [record.label for record in written.files] == labels.tolist()


@pytest.mark.parametrize(
    "lost",
    [range(3, 13), range(3, 4), range(5, 8), (3, 7, 12)],
    ids=["all", "first", "run", "scattered"],
)
def test_resume_makes_the_same_set(tmp_path: Path, lost: object) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    PngFolder(whole, MANIFEST).write(make)
    PngFolder(broken, MANIFEST).write(make)
    for index in lost:
        (broken / f"{index:08d}.png").unlink()
    made: list[int] = []

    def recording(run: range) -> Iterator[np.ndarray]:
        made.extend(run)
        return make(run)

    PngFolder(broken, MANIFEST, resume=True).write(recording)
    assert made == list(lost)
    assert contents(broken) == contents(whole)


def test_damaged_and_foreign_files_are_made_again(tmp_path: Path) -> None:
    PngFolder(tmp_path, MANIFEST).write(make)
    before = contents(tmp_path)
    half = tmp_path / "00000004.png"
    half.write_bytes(half.read_bytes()[:20])
    (tmp_path / "00000006.png").write_bytes(before["00000007.png"])
    (tmp_path / ".00000009.png.123.tmp").write_bytes(b"leftover")
    folder = PngFolder(tmp_path, MANIFEST, resume=True)
    assert list(folder.missing()) == [range(4, 5), range(6, 7)]
    folder.write(make)
    assert contents(tmp_path) == before


def test_a_failure_between_leaves_whole_files_and_an_open_manifest(tmp_path: Path) -> None:
    def broken(run: range) -> Iterator[np.ndarray]:
        for number, batch in enumerate(make(run)):
            if number == 2:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        PngFolder(tmp_path, MANIFEST).write(broken)
    state = read_manifest(tmp_path / "manifest.json")
    assert state is not None
    assert not state.complete
    assert not list(tmp_path.glob(".*"))
    folder = PngFolder(tmp_path, MANIFEST, resume=True)
    folder.write(make)
    reference = tmp_path / "reference"
    PngFolder(reference, MANIFEST).write(make)
    assert dict(contents_of_files(tmp_path)) == dict(contents_of_files(reference))


def contents_of_files(folder: Path) -> list[tuple[str, bytes]]:
    return [(item.name, item.read_bytes()) for item in folder.iterdir() if item.is_file()]


def test_a_disk_that_fills_up_leaves_only_whole_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes, calls = Path.write_bytes, 0

    def full_after_six(self: Path, data: bytes) -> int:
        nonlocal calls
        calls += self.name.startswith(".0")
        if calls > 6:
            write_bytes(self, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(self, data)

    folder = PngFolder(tmp_path, MANIFEST)
    monkeypatch.setattr(Path, "write_bytes", full_after_six)
    with pytest.raises(OutputError, match=r"No space left on device.*--resume"):
        folder.write(make)
    monkeypatch.undo()
    assert len(list(tmp_path.glob("*.png"))) == 6
    assert not list(tmp_path.glob(".*"))
    assert PngFolder(tmp_path, MANIFEST, resume=True).kept == 6


def test_another_run_is_never_mixed_in(tmp_path: Path) -> None:
    PngFolder(tmp_path, MANIFEST).write(make)
    with pytest.raises(OptionError, match="--resume"):
        PngFolder(tmp_path, MANIFEST)
    with pytest.raises(OptionError, match=r"precision: .*; seed: 0, now 1"):
        PngFolder(tmp_path, MANIFEST.replace(seed=1, precision="fp16"), resume=True)


def test_a_failure_before_the_first_batch_leaves_nothing(tmp_path: Path) -> None:
    def broken(run: range) -> Iterator[np.ndarray]:
        raise NumericalError("NaN")
        yield

    folder = PngFolder(tmp_path / "deep" / "out", MANIFEST)
    with pytest.raises(NumericalError):
        folder.write(broken)
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_without_images_is_no_run(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.json", MANIFEST.replace(seed=1, complete=False))
    assert PngFolder(tmp_path, MANIFEST).write(make).seed == 0


def test_a_manifest_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    with pytest.raises(ArtifactError, match="manifest is"):
        PngFolder(tmp_path, MANIFEST)


def test_numbered_images_without_a_manifest_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "00000001.png").write_bytes(b"mine")
    with pytest.raises(OptionError, match=r"no manifest.json"):
        PngFolder(tmp_path, MANIFEST, resume=True)


def test_more_digits_where_the_indices_need_them(tmp_path: Path) -> None:
    folder = PngFolder(tmp_path, MANIFEST.replace(start=10**9))
    assert folder.name(10**9) == "1000000000.png"


def test_resume_of_nothing_begins(tmp_path: Path) -> None:
    folder = PngFolder(tmp_path / "new", MANIFEST, resume=True)
    assert folder.kept == 0
    assert folder.write(make).complete
