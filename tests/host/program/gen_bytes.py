"""A `.gen` file taken apart, and put together again with hashes that are right."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

from engine.program.packed import layout

Header = dict[str, Any]


def header_of(data: bytes) -> tuple[Header, bytes]:
    size = struct.unpack_from("<Q", data, 16)[0]
    start = layout.HEADER_START + layout.aligned(size)
    return json.loads(data[layout.HEADER_START :][:size]), data[start:]


def forged(header: Header | bytes, data: bytes, **prefix: int) -> bytes:
    """A file whose hashes are right, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    sizes = {"version": layout.VERSION, "zero": 0, "text": len(text), "size": len(data), **prefix}
    start = layout.PREFIX.pack(layout.MAGIC, *sizes.values())
    body = text + bytes(-len(text) % layout.ALIGNMENT)
    return start + hashlib.sha256(start + body).digest() + body + data
