"""The bytes of a `.kernels` file: a JSON header, then cubins and PTX, all under one hash.

    magic (8 bytes), version (4), length of the header (4), SHA-256 of the rest (32), header, blobs

Numbers are little-endian; the hash also covers the version and the length. Equal entries make
equal files.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.binaries.identity import identity, recipe
from kernels.compile import Compiled
from kernels.inspect.cubin import read_cubin
from kernels.inspect.reading import check_parameters
from kernels.parameters import parameters

MAGIC = b"\x89KERNELS"
VERSION = 1
_PREFIX = struct.Struct("<8sII")
_START = _PREFIX.size + hashlib.sha256().digest_size


@dataclass(frozen=True)
class Entry:
    """One kernel for one architecture. `record` is what a launch has to know, as JSON values.

    record: kernel (name in the binary), num_warps, shared_bytes, scratch_bytes (a program),
    parameters (kind of each, in order), descriptors (Triton's record of each tensor map), recipe.
    """

    identity: str
    architecture: int
    record: Mapping[str, Any]
    cubin: bytes
    ptx: bytes


@dataclass(frozen=True)
class Contents:
    """A file that has been checked: what it says of its making, and its entries."""

    about: Mapping[str, Any]
    entries: tuple[Entry, ...]

    @property
    def architectures(self) -> tuple[int, ...]:
        """The compute capabilities there are binaries for (90 for 9.0), rising."""
        return tuple(sorted({entry.architecture for entry in self.entries}))


def make_entry(compiled: Compiled) -> Entry:
    """The entry of a kernel compiled for an NVIDIA architecture.

    Raises ValueError unless the binary's own records have the name and the parameters that a
    launch will pass, TypeError for another make of GPU.
    """
    if not isinstance(compiled.architecture, int):
        raise TypeError(f"{compiled.architecture!r} has no cubin")
    launch, metadata = compiled.launch, compiled.metadata
    passed = parameters(launch)
    cubin = read_cubin(compiled.asm["cubin"])
    check_parameters(cubin, passed)
    if cubin.name != compiled.name:
        raise ValueError(f"the binary calls its kernel {cubin.name!r}, not {compiled.name!r}")
    if getattr(metadata, "num_ctas", 1) != 1 or getattr(metadata, "profile_scratch_size", 0):
        raise ValueError(f"{compiled.name}: clusters and profiling are not packed")
    record = {
        "kernel": compiled.name,
        "num_warps": compiled.num_warps,
        "shared_bytes": compiled.shared_bytes,
        "scratch_bytes": compiled.scratch_bytes,
        "parameters": [parameter.kind for parameter in passed],
        "descriptors": [dict(each) for each in getattr(metadata, "tensordesc_meta", None) or ()],
        "recipe": recipe(launch),
    }
    return Entry(
        identity(launch),
        compiled.architecture,
        record,
        compiled.asm["cubin"],
        compiled.asm["ptx"].encode(),
    )


def pack(entries: Sequence[Entry], about: Mapping[str, Any]) -> bytes:
    """The bytes of a file, entries in order of identity and architecture."""
    blobs: list[bytes] = []
    described = []
    at = 0
    for entry in sorted(entries, key=lambda each: (each.identity, each.architecture)):
        described.append(
            {
                "identity": entry.identity,
                "architecture": entry.architecture,
                "record": dict(entry.record),
                "cubin": [at, len(entry.cubin)],
                "ptx": [at + len(entry.cubin), len(entry.ptx)],
            }
        )
        blobs += [entry.cubin, entry.ptx]
        at += len(entry.cubin) + len(entry.ptx)
    values = {"about": dict(about), "entries": described}
    header = json.dumps(values, sort_keys=True, allow_nan=False, indent=1).encode()
    prefix = _PREFIX.pack(MAGIC, VERSION, len(header))
    rest = header + b"".join(blobs)
    return prefix + hashlib.sha256(prefix + rest).digest() + rest


def read(path: str | Path) -> Contents:
    """Read a file and check every byte. Raises ValueError naming the path, or OSError."""
    data = Path(path).read_bytes()
    try:
        return unpack(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def unpack(data: bytes) -> Contents:
    """What `pack` made of it. Raises ValueError for any other bytes."""
    if not data.startswith(MAGIC):
        raise ValueError("not a .kernels file, or one changed by a text-mode transfer")
    if len(data) < _START:
        raise ValueError(f"cut short: {len(data)} bytes")
    _, version, length = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise ValueError(
            f"format version {version}, and this package reads version {VERSION}; make the file "
            "again with python -m export.kernels"
        )
    stated, rest = data[_PREFIX.size : _START], data[_START:]
    if hashlib.sha256(data[: _PREFIX.size] + rest).digest() != stated:
        raise ValueError("damaged (the hash differs); make it again with python -m export.kernels")
    try:
        return _contents(json.loads(rest[:length]), memoryview(rest)[length:])
    # The hash is no signature: somebody else may have made it.
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its header is none that this package writes: {error!r}") from error


def _contents(header: Any, blobs: memoryview) -> Contents:
    return Contents(
        header["about"],
        tuple(
            Entry(
                each["identity"],
                each["architecture"],
                each["record"],
                _blob(blobs, *each["cubin"]),
                _blob(blobs, *each["ptx"]),
            )
            for each in header["entries"]
        ),
    )


def _blob(blobs: memoryview, start: int, size: int) -> bytes:
    return bytes(blobs[start : start + size])
