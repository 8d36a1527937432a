from __future__ import annotations

import errno
import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import NumericalError, OutputError
from engine.sinks import arrays
from engine.sinks.arrays import Parts, write_npy, write_npz

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 4, 5, 3), np.uint8)


def images(parts: Iterable[np.ndarray], shape: tuple[int, ...] = IMAGES.shape) -> Parts:
    return Parts(parts, shape, np.dtype(np.uint8))


def test_npy_is_what_numpy_writes_and_can_be_mapped(tmp_path: Path) -> None:
    digest = write_npy(tmp_path / "a.npy", images([IMAGES[:4], IMAGES[4:]]))
    reference = io.BytesIO()
    np.save(reference, IMAGES)
    assert (tmp_path / "a.npy").read_bytes() == reference.getvalue()
    assert digest == hashlib.sha256(reference.getvalue()).hexdigest()
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert np.array_equal(mapped[3:5], IMAGES[3:5])


def test_parts_that_are_strided_or_of_another_dtype_are_converted(tmp_path: Path) -> None:
    floats = np.arange(24, dtype=np.float64).reshape(4, 6)
    parts = Parts([floats[::2], floats[1::2, ::-1]], (4, 6), np.dtype(np.float32))
    write_npy(tmp_path / "a.npy", parts)
    expected = np.concatenate([floats[::2], floats[1::2, ::-1]]).astype(np.float32)
    assert np.array_equal(np.load(tmp_path / "a.npy"), expected)


def test_large_parts_are_handed_over_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two images, and less than one.
    for piece_bytes in (130, 1):
        monkeypatch.setattr(arrays, "_PIECE_BYTES", piece_bytes)
        write_npy(tmp_path / "a.npy", images([IMAGES[:7], IMAGES[7:]]))
        assert np.array_equal(np.load(tmp_path / "a.npy"), IMAGES)


def test_npz_holds_all_arrays_and_is_reproducible(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        extra = {"labels": Parts.of(np.arange(10)), "seed": Parts.of(np.asarray(7))}
        write_npz(tmp_path / name, {"images": images([IMAGES[:4], IMAGES[4:]]), **extra})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        assert sorted(read) == ["images", "labels", "seed"]
        assert np.array_equal(read["images"], IMAGES)
        assert np.array_equal(read["labels"], np.arange(10))
        assert read["seed"] == 7
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_does_not_fit_the_disk_is_refused_before_the_first_batch(tmp_path: Path) -> None:
    def never() -> Iterable[np.ndarray]:
        raise AssertionError("a batch was asked for")
        yield

    with pytest.raises(OutputError, match=r"would take 784 TB"):
        write_npy(tmp_path / "a.npy", images(never(), (10**12, 28, 28, 1)))
    assert list(tmp_path.iterdir()) == []


def write_images_npz(path: Path, parts: Parts) -> None:
    write_npz(path, {"images": parts})


@pytest.mark.parametrize("write", [write_npy, write_images_npz], ids=["npy", "npz"])
def test_a_failing_source_leaves_the_old_file(tmp_path: Path, write: object) -> None:
    def broken() -> Iterable[np.ndarray]:
        yield IMAGES[:4]
        raise NumericalError("NaN")

    path = tmp_path / "a.file"
    path.write_bytes(b"old")
    with pytest.raises(NumericalError):
        write(path, images(broken()))
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_disk_that_fills_up_is_one_error_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(arrays, "npy_header", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_npy(tmp_path / "a.npy", images([IMAGES]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("parts", [[IMAGES[:4]], [IMAGES, IMAGES[:1]]], ids=["few", "many"])
def test_another_number_of_samples_is_not_published(
    tmp_path: Path, parts: list[np.ndarray]
) -> None:
    with pytest.raises(OutputError, match="values came"):
        write_npy(tmp_path / "a.npy", images(parts))
    assert list(tmp_path.iterdir()) == []
