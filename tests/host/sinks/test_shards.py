from __future__ import annotations

import errno
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import NumericalError, OptionError, OutputError
from engine.sinks import shard_file, shards
from engine.sinks.manifest import FileRecord, Manifest, read_manifest, write_manifest
from engine.sinks.npy_shards import NpyShards
from engine.sinks.shard_plan import shard_size_for
from engine.sinks.shards import ShardFolder
from tests.cases import sinks
from tests.cases.sinks import contents, numbered

SHAPE = (3, 2, 1)
MANIFEST = sinks.MANIFEST.replace(n=23, shape=SHAPE, start=5, shard_size=6)
make = numbered(*SHAPE)
NAMES = [f"samples-{number:06d}.npy" for number in range(4)]


def folder(path: Path, manifest: Manifest = MANIFEST, resume: bool = False) -> ShardFolder:
    return ShardFolder(path, manifest, NpyShards(manifest.shape, manifest.dtype), resume)


def test_shards_are_arrays_that_can_be_mapped(tmp_path: Path) -> None:
    written = folder(tmp_path).write(make)
    assert sorted(contents(tmp_path)) == ["index.json", "manifest.json", *NAMES]
    parts = [np.load(tmp_path / name, mmap_mode="r") for name in NAMES]
    assert [part.shape for part in parts] == [(6, *SHAPE)] * 3 + [(5, *SHAPE)]
    assert np.array_equal(np.concatenate(parts)[:, 0, 0, 0], np.arange(5, 28))
    assert written.complete
    assert written == read_manifest(tmp_path / "manifest.json")
    assert [(item.name, item.index, item.count) for item in written.files] == [
        (NAMES[0], 5, 6),
        (NAMES[1], 11, 6),
        (NAMES[2], 17, 6),
        (NAMES[3], 23, 5),
    ]
    for item in written.files:
        assert hashlib.sha256((tmp_path / item.name).read_bytes()).hexdigest() == item.sha256
    index = json.loads((tmp_path / "index.json").read_text())
    assert (index["shape"], index["dtype"]) == ([3, 2, 1], "|u1")
    assert index["shards"][3] == {"name": NAMES[3], "first": 23, "count": 5}


def test_numbers_that_take_more_than_a_byte(tmp_path: Path) -> None:
    manifest = MANIFEST.replace(dtype="float32", n=7)

    def floats(run: range) -> Iterator[np.ndarray]:
        for batch in make(run):
            yield np.asfortranarray(batch.astype(np.float64) / 3)

    folder(tmp_path, manifest).write(floats)
    first = np.load(tmp_path / NAMES[0])
    assert first.dtype == np.float32
    assert np.array_equal(first[:, 0, 0, 0], (np.arange(5, 11) / 3).astype(np.float32))


@pytest.mark.parametrize(
    "lost", [(0, 1, 2, 3), (0,), (1, 2), (0, 3)], ids=["all", "first", "middle", "ends"]
)
def test_resume_makes_the_lost_shards_and_no_others(tmp_path: Path, lost: tuple[int, ...]) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    folder(whole).write(make)
    folder(broken).write(make)
    for number in lost:
        (broken / NAMES[number]).unlink()
    made: list[int] = []

    def recording(run: range) -> Iterator[np.ndarray]:
        made.extend(run)
        return make(run)

    again = folder(broken, resume=True)
    missing = [index for number in lost for index in again.plan.samples_of(number)]
    assert again.kept == 23 - len(missing)
    again.write(recording)
    assert made == missing
    assert contents(broken) == contents(whole)


def test_a_shard_whose_bytes_changed_is_made_again(tmp_path: Path) -> None:
    folder(tmp_path).write(make)
    before = contents(tmp_path)
    damaged = bytearray(before[NAMES[1]])
    damaged[-1] ^= 1
    (tmp_path / NAMES[1]).write_bytes(damaged)
    for leftover in (
        f".{NAMES[2]}.123.tmp",
        ".manifest.json.x_1.tmp.json",
        ".index.json.y.tmp.json",
    ):
        (tmp_path / leftover).write_bytes(b"leftover")
    again = folder(tmp_path, resume=True)
    assert again.kept == 17
    again.write(make)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, NumericalError], ids=["Ctrl-C", "NaN"])
def test_what_stops_a_run_leaves_recorded_shards(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def broken(run: range) -> Iterator[np.ndarray]:
        for number, batch in enumerate(make(run)):
            if number == 4:
                # What was handed over is written while the model works.
                while not (tmp_path / NAMES[1]).exists():
                    pass
                raise error
            yield batch

    with pytest.raises(error):
        folder(tmp_path).write(broken)
    state = read_manifest(tmp_path / "manifest.json")
    assert state is not None
    assert not state.complete
    assert [record.name for record in state.files] == NAMES[:2]
    assert sorted(contents(tmp_path)) == ["manifest.json", *NAMES[:2]]
    again = folder(tmp_path, resume=True)
    assert again.kept == 12
    again.write(make)
    folder(tmp_path / "reference").write(make)
    reference = contents(tmp_path / "reference")
    (tmp_path / "reference").rename(tmp_path.parent / f"{tmp_path.name}-reference")
    assert contents(tmp_path) == reference


def test_a_shard_that_was_not_recorded_is_made_again(tmp_path: Path) -> None:
    # Killed between the renaming and the manifest.
    written = folder(tmp_path).write(make)
    state = written.replace(complete=False, files=written.files[:1])
    (tmp_path / "manifest.json").write_text(state.to_json())
    assert folder(tmp_path, resume=True).kept == 6


def test_a_disk_that_fills_up_keeps_whole_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def full(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    run = folder(tmp_path)
    monkeypatch.setattr(shard_file, "_sync", full)
    with pytest.raises(OutputError, match=r"No space left on device; whole shards are kept.*--res"):
        run.write(make)
    monkeypatch.undo()
    assert sorted(contents(tmp_path)) == ["manifest.json", *NAMES[:2]]


def test_a_failure_before_the_first_batch_leaves_nothing(tmp_path: Path) -> None:
    def broken(run: range) -> Iterator[np.ndarray]:
        raise NumericalError("NaN")
        yield

    run = folder(tmp_path / "deep" / "out")
    with pytest.raises(NumericalError):
        run.write(broken)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("n", "message"),
    [(20, "20 samples came where 23 were due"), (26, "more samples came than the 23")],
    ids=["few", "many"],
)
def test_another_number_of_samples_is_an_error(tmp_path: Path, n: int, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        folder(tmp_path).write(lambda run: make(range(run.start, run.start + n)))


def test_another_run_is_never_mixed_in(tmp_path: Path) -> None:
    folder(tmp_path).write(make)
    with pytest.raises(OptionError, match="holds a run already; continue it with --resume"):
        folder(tmp_path)
    with pytest.raises(OptionError, match="shard_size: 6, now 7"):
        folder(tmp_path, MANIFEST.replace(shard_size=7), resume=True)


def test_too_little_room_is_told_before_the_first_sample(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"would take 60 TB and .* free"):
        folder(tmp_path / "out", MANIFEST.replace(n=10**13, shard_size=10**6))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "shape", "dtype", "expected"),
    [
        (None, (64, 64, 3), "uint8", 10_000),
        (None, (1024, 1024, 3), "uint8", 341),
        (None, (3, 20_000, 20_000), "float32", 1),
        (7, (1,), "uint8", 7),
    ],
    ids=["small", "large", "huge", "asked for"],
)
def test_how_many_samples_a_shard_holds(
    asked: int | None, shape: tuple[int, ...], dtype: str, expected: int
) -> None:
    assert shard_size_for(asked, shape, dtype) == expected


def test_an_empty_shard_is_refused() -> None:
    with pytest.raises(OptionError, match="shard size 0 must be at least 1 sample, like 10000"):
        shard_size_for(0, (1,), "uint8")


def test_records_survive_the_manifest(tmp_path: Path) -> None:
    record = FileRecord(NAMES[0], "ab", 5, 6)
    assert Manifest.from_json(MANIFEST.replace(files=(record,)).to_json()).files == (record,)


def test_what_a_first_shard_that_was_killed_left_is_removed(tmp_path: Path) -> None:
    folder(tmp_path).say()
    for leftover in (f".{NAMES[0]}.123.tmp", ".manifest.json.x_1.tmp.json"):
        (tmp_path / leftover).write_bytes(b"leftover")
    (tmp_path / ".mine.tmp").write_bytes(b"not ours")
    folder(tmp_path).write(make)
    expected = [".mine.tmp", "index.json", "manifest.json", *NAMES]
    assert sorted(contents(tmp_path)) == expected


def test_a_folder_without_a_manifest_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / f".{NAMES[0]}.123.tmp").write_bytes(b"of another run, perhaps")
    folder(tmp_path).write(make)
    assert f".{NAMES[0]}.123.tmp" in contents(tmp_path)


def test_many_small_shards_write_few_manifests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = 0

    def counted(path: Path, manifest: Manifest) -> None:
        nonlocal lines
        lines += len(manifest.files)
        write_manifest(path, manifest)

    monkeypatch.setattr(shards, "write_manifest", counted)
    many = MANIFEST.replace(n=200, shard_size=1, start=0)
    written = folder(tmp_path, many).write(make)
    assert len(written.files) == 200
    # As a whole after each shard they would be 20,000.
    assert lines < 11_000
    assert read_manifest(tmp_path / "manifest.json") == written


def test_a_stop_among_many_small_shards_loses_none(tmp_path: Path) -> None:
    def broken(run: range) -> Iterator[np.ndarray]:
        for number, batch in enumerate(make(run)):
            if number == 40:
                while not (tmp_path / "samples-000150.npy").exists():
                    time.sleep(0.01)
                raise KeyboardInterrupt
            yield batch

    many = MANIFEST.replace(n=200, shard_size=1, start=0)
    with pytest.raises(KeyboardInterrupt):
        folder(tmp_path, many).write(broken)
    there = len(list(tmp_path.glob("samples-*.npy")))
    assert there > 150
    assert folder(tmp_path, many, resume=True).kept == there
