"""Arrays of a `.npz` file: what numpy writes is read, what lies, bursts or runs code is refused."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.errors import ArtifactError
from engine.core.npz import read_npz

ARRAYS: dict[str, Any] = {
    "l0/W": np.arange(12, dtype=np.float32).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(5, dtype=">i4"),
    "scalar": np.int64(7),
    "empty": np.zeros((0, 3), np.float16),
    "text": np.array(["a", "bc"]),
    "flags": np.array([True, False]),
}


class Payload:
    """Pickled, it makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def header(text: str, version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode()


def numbers(shape: str, descr: str = "<f4") -> bytes:
    return header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")


def archive(path: Path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, data in members:
            made.writestr(name, data)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes(save: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, **ARRAYS)
    found = read_npz(path)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == np.asarray(array).dtype.newbyteorder("=")


def test_headers_of_other_writers(tmp_path: Path) -> None:
    python2 = numbers("(2L, 1L)") + bytes(8)
    second = header("{'shape': (3,), 'descr': '<i2', 'fortran_order': True}", 2) + bytes(6)
    found = read_npz(archive(tmp_path / "a.npz", ("x.npy", python2), ("y.npy", second)))
    assert {name: array.shape for name, array in found.items()} == {"x": (2, 1), "y": (3,)}


def refused(path: Path, match: str, **limit: int) -> None:
    with pytest.raises(ArtifactError, match=match) as caught:
        read_npz(path, **limit)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pickle_is_not_executed(tmp_path: Path) -> None:
    made = tmp_path / "executed"
    path = tmp_path / "a.npz"
    np.savez(path, W=np.array([Payload(made)], object))
    refused(path, "'W.npy': holds Python objects, pickled")
    assert not made.exists()
    np.load(path, allow_pickle=True)["W"]
    assert made.exists()


@pytest.mark.parametrize(
    ("member", "match"),
    [
        (numbers("(3,)") + bytes(8), "has 75 bytes, and its header speaks of 79"),
        (numbers("(1,)") + bytes(8), "header speaks of"),
        (numbers("(1099511627776, 1099511627776)"), "speaks of the shape"),
        (numbers("(0, 999999999999999999)"), "speaks of the shape"),
        (numbers("(-1,)"), "speaks of the shape"),
        (numbers("(" + "1" * 5000 + ",)"), "speaks of the shape"),
        (numbers("(" + "1," * 33 + ")"), "speaks of the shape"),
        (numbers("(2,)", "|V4") + bytes(8), "neither numbers nor text"),
        (numbers("(2,)", "<f3") + bytes(6), "neither numbers nor text"),
        (numbers("(2,)", "<U0"), "neither numbers nor text"),
        (header("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}"), "damaged"),
        (header("[" * 60000), "damaged"),
        (header("{}")[:9], "cut short"),
        (header("{}" * 90000, 2), "cut short, or damaged"),
        (header("{}", 9), "version 9"),
        (b"cnn", "not a .npy array"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_a_member_that_lies(member: bytes, match: str, tmp_path: Path) -> None:
    refused(archive(tmp_path / "a.npz", ("x.npy", member)), match)


def test_bombs(tmp_path: Path) -> None:
    # 256 MiB of zeros in 260 kB.
    size = 1 << 28
    bomb = archive(
        tmp_path / "bomb.npz",
        ("x.npy", numbers(f"({size >> 2},)") + bytes(size)),
        compression=zipfile.ZIP_DEFLATED,
    )
    assert bomb.stat().st_size < 1 << 19
    refused(bomb, "would inflate from .* kB to 268 MB; at most 67.1 MB are read")
    stored = archive(tmp_path / "a.npz", ("x.npy", numbers("(256,)") + bytes(1024)))
    assert read_npz(stored, limit_bytes=2000)["x"].shape == (256,)
    refused(stored, "at most 1 kB are read", limit_bytes=1000)


def test_members_that_share_their_bytes(tmp_path: Path) -> None:
    data = numbers("(1024,)") + bytes(4096)
    path = archive(tmp_path / "a.npz", ("x.npy", data), ("y.npy", b""))
    content = path.read_bytes()
    first, second = content.index(b"PK\1\2"), content.rindex(b"PK\1\2")
    # The second is given the first one's checksum, sizes and place.
    forged = bytearray(content)
    forged[second + 16 : second + 28] = forged[first + 16 : first + 28]
    forged[second + 42 : second + 46] = forged[first + 42 : first + 46]
    path.write_bytes(forged)
    refused(path, "overlap")


def test_names_and_kinds_of_members(tmp_path: Path) -> None:
    good = numbers("(1,)") + bytes(4)
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "twice.npz", ("x.npy", good), ("x.npy", good))
    refused(path, "'x.npy' stands twice")
    refused(archive(tmp_path / "other.npz", ("code.py", b"1")), "'code.py' is no .npy array")
    lzma = archive(tmp_path / "lzma.npz", ("x.npy", good), compression=zipfile.ZIP_LZMA)
    refused(lzma, "compressed in an unknown way")
    refused(tmp_path / "none.npz", "no such file")
    array = tmp_path / "array.npz"
    array.write_bytes(good)
    refused(array, "not a zip file")


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_anywhere(compressed: bool, tmp_path: Path) -> None:
    stream = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    weights = np.random.default_rng(0).standard_normal(40).astype(np.float32)
    save(stream, W=weights, b=weights[:3])
    good = stream.getvalue()
    path = tmp_path / "a.npz"
    for place in range(0, len(good), 3):
        path.write_bytes(good[:place])
        refused(path, "a.npz: ")
        damaged = bytearray(good)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            found = read_npz(path)
        except ArtifactError:
            continue
        # A time stamp, a comment, an attribute: nothing that the arrays are made of.
        assert [array.tolist() for array in found.values()] == [
            weights.tolist(),
            weights[:3].tolist(),
        ]
