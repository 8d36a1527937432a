from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import ArtifactError, NumericalError, OptionError, OutputError
from engine.sinks import encoders
from engine.sinks.coding import plan_coding
from engine.sinks.image_folder import ImageFolder
from engine.sinks.manifest import Manifest, read_manifest, write_manifest
from tests.cases import sinks
from tests.cases.sinks import contents, numbered

MANIFEST = sinks.MANIFEST.replace(start=3)
make = numbered(4, 4, 1)
PNG = plan_coding("png")


def folder(
    path: Path, manifest: Manifest = MANIFEST, resume: bool = False, format: str = "png"
) -> ImageFolder:
    coding = plan_coding(format)
    return ImageFolder(path, manifest, coding, encoders.choose(coding, "pillow").encode, resume)


def twice(run: range) -> np.ndarray:
    return np.arange(run.start, run.stop) * 2


def test_files_are_named_by_sample_and_hashed_together(tmp_path: Path) -> None:
    written = folder(tmp_path).write(make, twice)
    names = [f"{index:08d}.png" for index in range(3, 13)]
    assert sorted(contents(tmp_path)) == [*names, "manifest.json", "metadata.csv"]
    assert read_manifest(tmp_path / "manifest.json") == written
    assert written.complete
    (record,) = written.files
    assert (record.name, record.index, record.count) == ("{00000003..00000012}.png", 3, 10)
    everything = b"".join((tmp_path / name).read_bytes() for name in names)
    assert record.sha256 == hashlib.sha256(everything).hexdigest()
    rows = [f"{name},{2 * index}" for index, name in enumerate(names, 3)]
    assert (tmp_path / "metadata.csv").read_text().splitlines() == ["file_name,label", *rows]


@pytest.mark.parametrize("format", ["png", "jpg", "webp"])
def test_every_format_is_read_back(tmp_path: Path, format: str) -> None:
    folder(tmp_path, format=format).write(make)
    for index in range(3, 13):
        with Image.open(tmp_path / f"{index:08d}.{format}") as image:
            pixels = np.asarray(image.convert("L"))
        assert pixels.shape == (4, 4)
        assert np.abs(pixels.astype(int) - index).max() <= (0 if format == "png" else 2)


def test_many_images_make_few_records(tmp_path: Path) -> None:
    manifest = MANIFEST.replace(n=2500, start=0, shape=(1, 1, 1))

    def dots(run: range) -> Iterator[np.ndarray]:
        yield np.zeros((len(run), 1, 1, 1), np.uint8)

    written = folder(tmp_path, manifest).write(dots)
    assert [(record.index, record.count) for record in written.files] == [
        (0, 1024),
        (1024, 1024),
        (2048, 452),
    ]
    again = folder(tmp_path, manifest, resume=True)
    assert again.kept == 2500
    assert again.write(dots) == written


@pytest.mark.parametrize("format", ["png", "jpg", "webp"])
@pytest.mark.parametrize(
    "lost",
    [range(3, 13), range(3, 4), range(5, 8), (3, 7, 12)],
    ids=["all", "first", "run", "scattered"],
)
def test_resume_makes_the_same_set(tmp_path: Path, lost: object, format: str) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    folder(whole, format=format).write(make)
    folder(broken, format=format).write(make)
    for index in lost:
        (broken / f"{index:08d}.{format}").unlink()
    made: list[int] = []

    def recording(run: range) -> Iterator[np.ndarray]:
        made.extend(run)
        return make(run)

    folder(broken, resume=True, format=format).write(recording)
    assert made == list(lost)
    assert contents(broken) == contents(whole)


def test_a_damaged_file_of_a_finished_run_has_its_group_made_again(tmp_path: Path) -> None:
    folder(tmp_path).write(make)
    before = contents(tmp_path)
    (tmp_path / "00000006.png").write_bytes(before["00000007.png"])
    again = folder(tmp_path, resume=True)
    assert list(again.missing()) == [range(3, 13)]
    again.write(make)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("format", ["png", "jpg", "webp"])
def test_what_a_killed_run_left_damaged_is_made_again(tmp_path: Path, format: str) -> None:
    written = folder(tmp_path, format=format).write(make)
    before = contents(tmp_path)
    write_manifest(tmp_path / "manifest.json", written.replace(complete=False, files=()))
    half = tmp_path / f"00000004.{format}"
    half.write_bytes(half.read_bytes()[:-20])
    (tmp_path / f"00000006.{format}").write_bytes(b"")
    (tmp_path / f".00000009.{format}.123.tmp").write_bytes(b"leftover")
    again = folder(tmp_path, resume=True, format=format)
    assert list(again.missing()) == [range(4, 5), range(6, 7)]
    again.write(make)
    assert contents(tmp_path) == before


def test_a_failure_between_leaves_whole_files_and_an_open_manifest(tmp_path: Path) -> None:
    def broken(run: range) -> Iterator[np.ndarray]:
        for number, batch in enumerate(make(run)):
            if number == 2:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        folder(tmp_path).write(broken)
    state = read_manifest(tmp_path / "manifest.json")
    assert state is not None
    assert not state.complete
    assert not list(tmp_path.glob(".*"))
    folder(tmp_path, resume=True).write(make)
    reference = tmp_path / "reference"
    folder(reference).write(make)
    assert contents(tmp_path) == contents(reference)


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

    images = folder(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", full_after_six)
    with pytest.raises(OutputError, match=r"No space left on device.*--resume"):
        images.write(make)
    monkeypatch.undo()
    assert len(list(tmp_path.glob("*.png"))) == 6
    assert not list(tmp_path.glob(".*"))
    assert folder(tmp_path, resume=True).kept == 6


def test_another_run_is_never_mixed_in(tmp_path: Path) -> None:
    folder(tmp_path).write(make)
    with pytest.raises(OptionError, match="--resume"):
        folder(tmp_path)
    with pytest.raises(OptionError, match=r"precision: .*; seed: 0, now 1"):
        folder(tmp_path, MANIFEST.replace(seed=1, precision="fp16"), resume=True)
    with pytest.raises(OptionError, match=r'encoder: null, now "x 2"'):
        folder(tmp_path, MANIFEST.replace(encoder="x 2"), resume=True)


def test_a_failure_before_the_first_batch_leaves_nothing(tmp_path: Path) -> None:
    def broken(run: range) -> Iterator[np.ndarray]:
        raise NumericalError("NaN")
        yield

    images = folder(tmp_path / "deep" / "out")
    with pytest.raises(NumericalError):
        images.write(broken)
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_without_images_is_no_run(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.json", MANIFEST.replace(seed=1, complete=False))
    assert folder(tmp_path).write(make).seed == 0


def test_a_manifest_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    with pytest.raises(ArtifactError, match="manifest is"):
        folder(tmp_path)


@pytest.mark.parametrize("name", ["00000001.png", "00000001.jpg", "samples-000000.tar"])
def test_numbered_files_without_a_manifest_are_not_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(OptionError, match=rf"{name}.*no manifest.json"):
        folder(tmp_path, resume=True)


def test_more_digits_where_the_indices_need_them(tmp_path: Path) -> None:
    assert folder(tmp_path, MANIFEST.replace(start=10**9)).name(10**9) == "1000000000.png"


def test_resume_of_nothing_begins(tmp_path: Path) -> None:
    images = folder(tmp_path / "new", resume=True)
    assert images.kept == 0
    assert images.write(make).complete
