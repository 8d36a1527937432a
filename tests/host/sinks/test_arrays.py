from __future__ import annotations

import errno
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import NumericalError, OutputError
from engine.sinks.arrays import write_npy, write_npz

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 4, 5, 3), np.uint8)


def test_npy_is_what_numpy_writes(tmp_path: Path) -> None:
    write_npy(tmp_path / "a.npy", [IMAGES[:4], IMAGES[4:]], IMAGES.shape, np.uint8)
    reference = io.BytesIO()
    np.save(reference, IMAGES)
    assert (tmp_path / "a.npy").read_bytes() == reference.getvalue()


def test_npz_holds_the_extra_arrays_and_is_reproducible(tmp_path: Path) -> None:
    extra = {"labels": np.arange(10), "seed": np.asarray(7)}
    for name in ("a.npz", "b.npz"):
        write_npz(tmp_path / name, [IMAGES[:4], IMAGES[4:]], IMAGES.shape, np.uint8, extra)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as read:
        assert sorted(read) == ["images", "labels", "seed"]
        assert np.array_equal(read["images"], IMAGES)
        assert np.array_equal(read["labels"], np.arange(10))
        assert read["seed"] == 7
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_does_not_fit_the_disk_is_refused_before_the_first_batch(tmp_path: Path) -> None:
    def never() -> object:
        raise AssertionError("a batch was asked for")
        yield

    with pytest.raises(OutputError, match=r"would take 784 TB"):
        write_npy(tmp_path / "a.npy", never(), (10**12, 28, 28, 1), np.uint8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_npy, partial(write_npz, extra={})], ids=["npy", "npz"])
def test_a_failing_source_leaves_the_old_file(tmp_path: Path, write: Callable[..., None]) -> None:
    def broken() -> object:
        yield IMAGES[:4]
        raise NumericalError("NaN")

    path = tmp_path / "a.file"
    path.write_bytes(b"old")
    with pytest.raises(NumericalError):
        write(path, broken(), IMAGES.shape, np.uint8)
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_disk_that_fills_up_is_one_error_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_npy(tmp_path / "a.npy", [IMAGES], IMAGES.shape, np.uint8)
    assert list(tmp_path.iterdir()) == []


def test_too_few_samples_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="values came"):
        write_npy(tmp_path / "a.npy", [IMAGES[:4]], IMAGES.shape, np.uint8)
    assert list(tmp_path.iterdir()) == []
