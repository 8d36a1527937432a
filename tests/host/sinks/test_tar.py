from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sinks.tar import pack, trailer


def reference(first: int, digits: int, contents: list[tuple[str, list[bytes]]]) -> bytes:
    """The same archive as `tarfile` writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for row in range(len(contents[0][1])):
            for extension, items in contents:
                member = tarfile.TarInfo(f"{first + row:0{digits}d}.{extension}")
                member.size = len(items[row])
                archive.addfile(member, io.BytesIO(items[row]))
    return buffer.getvalue()


CONTENTS = st.lists(
    st.tuples(st.binary(max_size=1100), st.binary(max_size=20)), min_size=1, max_size=20
)


@given(rows=CONTENTS, first=st.integers(0, 10**7))
@settings(max_examples=60, deadline=None)
def test_the_bytes_are_those_of_tarfile(rows: list[tuple[bytes, bytes]], first: int) -> None:
    images, notes = (list(column) for column in zip(*rows, strict=True))
    contents = [("jpg", images), ("json", notes)]
    members = pack(first, 8, contents)
    whole = members.data + trailer(len(members.data))
    assert len(whole) % 10240 == 0
    assert _without_owners(whole) == _without_owners(reference(first, 8, contents))


def _without_owners(data: bytes) -> list[tuple[str, int, int, int, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data), errorlevel=2) as archive:
        return [
            (item.name, item.size, item.mode, item.mtime, archive.extractfile(item).read())
            for item in archive.getmembers()
        ]


def test_headers_are_those_of_tarfile_to_the_byte() -> None:
    # tarfile writes device numbers too, which mean nothing for a file.
    contents = [("png", [b"x" * 700]), ("cls", [b"3"])]
    ours, theirs = pack(42, 8, contents).data, reference(42, 8, contents)
    for offset in (0, 512 + 1024):
        mine, other = bytearray(ours[offset : offset + 512]), theirs[offset : offset + 512]
        mine[329:345] = other[329:345]
        mine[148:156] = other[148:156]
        assert bytes(mine) == other
        header = tarfile.TarInfo.frombuf(ours[offset : offset + 512], "ascii", "strict")
        assert header.type == tarfile.REGTYPE


def test_offsets_lead_to_the_contents() -> None:
    contents = [("png", [b"abc", b"d" * 512, b""]), ("json", [b"{}", b"[1]", b"2"])]
    members = pack(7, 8, contents)
    for row in range(3):
        for kind, (_, items) in enumerate(contents):
            begin, size = members.offsets[row, kind], members.sizes[row, kind]
            assert members.data[begin : begin + size] == items[row]


def test_names_grow_with_the_digits() -> None:
    members = pack(12_345_678_901, 11, [("npy", [b"1"])])
    data = members.data + trailer(len(members.data))
    assert [name for name, *_ in _without_owners(data)] == ["12345678901.npy"]


@pytest.mark.parametrize("length", [0, 512, 9216, 9728, 10240])
def test_the_end_is_two_empty_blocks_and_a_full_record(length: int) -> None:
    end = trailer(length)
    assert len(end) >= 1024
    assert not any(end)
    assert (length + len(end)) % 10240 == 0
    assert len(end) < 1024 + 10240


def test_the_tar_command_reads_it(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).bytes(3000)
    members = pack(0, 8, [("jpg", [pixels, b"2"]), ("cls", [b"1", b"0"])])
    path = tmp_path / "a.tar"
    path.write_bytes(members.data + trailer(len(members.data)))
    try:
        listed = subprocess.run(
            ["tar", "-tf", str(path)], capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        pytest.skip("there is no tar command")
    assert listed.stderr == ""
    names = ["00000000.jpg", "00000000.cls", "00000001.jpg", "00000001.cls"]
    assert listed.stdout.split() == names
