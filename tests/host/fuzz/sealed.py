"""Damage below checksums, which are made right again: what somebody with bad intent would do."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import zipfile

from engine.program.packed import layout
from tests.host.fuzz.damage import damaged
from tests.host.program.gen_bytes import forged, header_of


def zipped(data: bytes, draw: random.Random) -> bytes:
    """A member of an archive is damaged, lost or doubled; checksums are right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    # Most members are tensors; what describes them is worth more.
    small = [name for name, content in members.items() if 0 < len(content) < 1 << 16]
    # An archive is told by these; others end there.
    name = draw.choice([name for name in small if "/data/" not in name or draw.random() < 0.3])
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for other, content in members.items():
            if other == name and draw.random() < 0.05:
                continue
            info = zipfile.ZipInfo(other)
            # PyTorch aligns its members to 64 bytes.
            info.extra = b"FB" + struct.pack("<H", filler := -(made.tell() + 34 + len(other)) % 64)
            info.extra += bytes(filler)
            archive.writestr(info, damaged(content, draw) if other == name else content)
    return made.getvalue()


def gen(data: bytes, draw: random.Random) -> bytes:
    """The header or the weights of a `.gen` file; both hashes are right."""
    header, weights = header_of(data)
    if draw.random() < 0.3:
        weights = damaged(weights, draw)
    header["data_sha256"] = hashlib.sha256(weights).hexdigest()
    text = json.dumps(header).encode()
    if draw.random() < 0.8:
        text = damaged(text, draw)
    weights += bytes(-len(weights) % layout.ALIGNMENT)
    return forged(text, weights)


def kernels(data: bytes, draw: random.Random) -> bytes:
    """The header or the blobs of a `.kernels` file; the hash is right."""
    prefix, rest = data[:16], data[48:]
    length = struct.unpack_from("<I", prefix, 12)[0]
    header = damaged(rest[:length], draw)
    rest = header + rest[length:]
    prefix = prefix[:12] + struct.pack("<I", len(header))
    return prefix + hashlib.sha256(prefix + rest).digest() + rest
