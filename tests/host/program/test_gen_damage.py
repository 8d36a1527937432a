"""Damaged, cut, lying and foreign `.gen` files: an error that names the file, and nothing else."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import ArtifactError
from engine.program import gen
from engine.program.packed import layout
from tests.cases.small_programs import dcgan
from tests.host.program.gen_bytes import Header, forged, header_of


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gen") / "x.gen"
    gen.write(path, dcgan())
    return path.read_bytes()


def refused(data: bytes, folder: Path, match: str) -> None:
    path = folder / "bad.gen"
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=match) as caught:
        gen.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_forging_works(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.gen"
    path.write_bytes(forged(*header_of(good)))
    assert gen.read(path).spec == dcgan().spec


def test_every_flipped_byte_is_found(good: bytes, tmp_path: Path) -> None:
    # All of the prefix, and a seeded draw of every later region.
    draw = np.random.default_rng(0)
    later = draw.integers(layout.HEADER_START, len(good), 150)
    path = tmp_path / "bad.gen"
    for place in (*range(layout.HEADER_START), *later.tolist(), len(good) - 1):
        data = bytearray(good)
        data[place] ^= 1 << int(draw.integers(8))
        path.write_bytes(data)
        with pytest.raises(ArtifactError, match=r"bad\.gen: "):
            gen.read(path)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 31, 63, 64, 200, -64, -1])
def test_a_file_cut_short(keep: int, good: bytes, tmp_path: Path) -> None:
    refused(good[:keep], tmp_path, "not a .gen file|cut short")


def test_bytes_after_the_end(good: bytes, tmp_path: Path) -> None:
    refused(good + b"\0", tmp_path, "cut short or damaged")


def test_another_version_is_named(good: bytes, tmp_path: Path) -> None:
    refused(
        forged(*header_of(good), version=2), tmp_path, "version 2, and this package reads version 1"
    )


@pytest.mark.parametrize(
    ("prefix", "match"),
    [
        ({"text": 2**63}, "cut short or damaged"),
        ({"text": 2**25}, "cut short or damaged"),
        ({"size": 2**62}, "cut short or damaged"),
        ({"text": 0}, "cut short or damaged"),
        ({"zero": 1}, "cut short or damaged"),
    ],
    ids=["huge header", "large header", "huge data", "no header", "flags"],
)
def test_sizes_that_lie(prefix: dict[str, int], match: str, good: bytes, tmp_path: Path) -> None:
    refused(forged(*header_of(good), **prefix), tmp_path, match)


def offset_on(header: Header) -> None:
    header["arrays"][1]["offset"] += 64


def offset_back(header: Header) -> None:
    header["arrays"][1]["offset"] = 0


def offset_negative(header: Header) -> None:
    header["arrays"][0]["offset"] = -64


def huge_shape(header: Header) -> None:
    header["arrays"][0]["shape"] = [2**40, 2**40]


def product_overflows(header: Header) -> None:
    header["arrays"][0]["shape"] = [4096] * 8


def negative_shape(header: Header) -> None:
    header["arrays"][0]["shape"] = [-1, 4]


def float_shape(header: Header) -> None:
    header["arrays"][0]["shape"] = [4.0]


def many_axes(header: Header) -> None:
    header["arrays"][0]["shape"] = [1] * 40


def unknown_type(header: Header) -> None:
    header["arrays"][0]["dtype"] = "object"


def too_few_arrays(header: Header) -> None:
    header["arrays"].pop()


def no_entry(header: Header) -> None:
    header["arrays"][0] = None


@pytest.mark.parametrize(
    "lie",
    [
        offset_on,
        offset_back,
        offset_negative,
        huge_shape,
        product_overflows,
        negative_shape,
        float_shape,
        many_axes,
        unknown_type,
        too_few_arrays,
        no_entry,
    ],
    ids=lambda lie: lie.__name__,
)
def test_an_array_table_that_lies(
    lie: Callable[[Header], None], good: bytes, tmp_path: Path
) -> None:
    header, data = header_of(good)
    lie(header)
    refused(forged(header, data), tmp_path, r"array|arrays")


def decoder(header: Header) -> Header:
    program: Header = header["content"]["programs"]["decoder"]
    return program


def unknown_kind(header: Header) -> None:
    decoder(header)["operations"][0]["kind"] = "attention"


def unknown_field(header: Header) -> None:
    decoder(header)["operations"][0]["bits"] = 4


def missing_field(header: Header) -> None:
    del decoder(header)["operations"][0]["weight"]


def weight_out_of_range(header: Header) -> None:
    decoder(header)["operations"][0]["weight"] = 99


def weight_of_another(header: Header) -> None:
    decoder(header)["operations"][0]["weight"] = 3


def wrong_type(header: Header) -> None:
    decoder(header)["operations"][0]["name"] = 3


def bad_geometry(header: Header) -> None:
    decoder(header)["operations"][2]["geometry"]["stride"] = [0, 0]


def huge_output(header: Header) -> None:
    decoder(header)["operations"][2]["geometry"]["output_size"] = [2**31, 2**31]


def huge_value(header: Header) -> None:
    decoder(header)["values"][2]["shape"] = [2**31, 2**31, 8]


def no_such_value(header: Header) -> None:
    decoder(header)["outputs"] = ["nothing"]


def value_twice(header: Header) -> None:
    decoder(header)["values"].append(decoder(header)["values"][0])


def reads_too_early(header: Header) -> None:
    decoder(header)["operations"].reverse()


def not_finite(header: Header) -> None:
    decoder(header)["operations"][0]["activation"]["alpha"] = "nan"


def other_entry_points(header: Header) -> None:
    header["content"]["programs"]["encoder"] = decoder(header)


def no_programs(header: Header) -> None:
    del header["content"]["programs"]


def no_spec(header: Header) -> None:
    header["content"]["spec"] = None


def other_latent(header: Header) -> None:
    header["content"]["spec"]["latent"]["shape"] = [17]


@pytest.mark.parametrize(
    ("lie", "match"),
    [
        (unknown_kind, "'attention' of 'first' is unknown here"),
        (unknown_field, "newer version"),
        (missing_field, "linear 'first': linear lacks the field 'weight'"),
        (weight_out_of_range, "weight: 99 is not"),
        (weight_of_another, "linear 'first': weight"),
        (wrong_type, "name: 3 is not of the type"),
        (bad_geometry, r"stride=\(0, 0\)"),
        (huge_output, "convolution 'u': gives"),
        (huge_value, "cannot have the shape"),
        (no_such_value, "'nothing'"),
        (value_twice, "stands twice"),
        (reads_too_early, "before it is made"),
        (not_finite, "'nan' is no number"),
        (other_entry_points, "programs for decoder, encoder"),
        (no_programs, "lists no programs"),
        (no_spec, "spec must be a JSON object"),
        (other_latent, "the decoder takes 'z'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_program_that_lies(
    lie: Callable[[Header], None], match: str, good: bytes, tmp_path: Path
) -> None:
    header, data = header_of(good)
    lie(header)
    refused(forged(header, data), tmp_path, match)


@pytest.mark.parametrize(
    "text",
    [b"[" * 200_000, b"{}", b"null", b"\xff\xfe", b'{"content":1e999}', b"1" * 5000],
    ids=["deep", "empty", "null", "no utf-8", "infinite", "long number"],
)
def test_a_header_that_is_no_header(text: bytes, tmp_path: Path) -> None:
    refused(forged(text, b""), tmp_path, "the header")


def test_weights_that_are_not_finite(good: bytes, tmp_path: Path) -> None:
    header, data = header_of(good)
    poisoned = bytearray(data)
    poisoned[:4] = struct.pack("<f", float("inf"))
    header["data_sha256"] = hashlib.sha256(poisoned).hexdigest()
    refused(forged(header, bytes(poisoned)), tmp_path, "array 0 holds NaN or infinity")


def test_damaged_weights_are_not_read_for_the_spec(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.gen"
    path.write_bytes(good[:-70] + bytes(70))
    assert gen.read_spec(path) == dcgan().spec
    with pytest.raises(ArtifactError, match="the weights are damaged"):
        gen.read(path)
    with pytest.raises(ArtifactError, match="cannot be read"):
        gen.read(tmp_path / "missing.gen")
