"""Tensor maps: the 128-byte descriptors of the copy engine (TMA), made on the host or by a kernel.

The hardware's encoding is not public, so this has its own; both makers go through it, and nothing
else looks inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.formats import Array

BYTES = 128
LAYOUT = np.dtype(
    [
        ("address", "<u8"),
        ("rank_less_one", "u1"),
        ("element_type", "u1"),
        ("interleave", "u1"),
        ("swizzle", "u1"),
        ("fill", "u1"),
        ("unused", "u1", 7),
        ("box", "<u4", 5),
        ("size", "<u4", 5),
        ("element_stride", "<u4", 5),
        ("unused_word", "<u4"),
        ("stride", "<u8", 4),
    ]
)
# Fields as tensormap.replace calls them.
FIELDS = {
    "global_address": "address",
    "rank": "rank_less_one",
    "box_dim": "box",
    "global_dim": "size",
    "global_stride": "stride",
    "element_stride": "element_stride",
    "elemtype": "element_type",
    "interleave_layout": "interleave",
    "swizzle_mode": "swizzle",
    "fill_mode": "fill",
}
# Bytes of an element, by the number of its type (u8, u16, u32, s32, u64, s64, f16, f32, ...).
_ELEMENT_BYTES = (1, 2, 4, 4, 8, 8, 2, 4, 4, 8, 2, 4, 4)
_TYPE_OF_SIZE = {1: 0, 2: 6, 4: 7, 8: 9}
# Bytes that a row of a swizzled box spans, by swizzle mode, and the bits that are exchanged.
SWIZZLE_SPAN = {0: 0, 1: 32, 2: 64, 3: 128}
SWIZZLE_BITS = {1: 1, 2: 3, 3: 7}


@dataclass(frozen=True)
class TensorMap:
    """A host-made descriptor argument: a view of a buffer in elements, padded with zeros.

    shape and strides are outermost first, strides in elements with the last one 1; `offset` is in
    bytes. `record` is the entry of Triton's tensordesc_meta for this argument; None (below sm_90,
    where Triton passes plain pointers instead) is not implemented.
    """

    buffer: Array
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    element_bytes: int
    record: Mapping[str, Any] | None
    offset: int = 0

    def words(self, address: int) -> list[Any]:
        """The parameters it becomes: the map, its shape and its strides."""
        return [self._encode(address + self.offset), *self.shape, *self.strides]

    def _encode(self, address: int) -> Array:
        record = self.record
        if record is None:
            raise Unimplemented("host tensor descriptors below sm_90")
        if record.get("is_im2col") or record.get("fp4_padded"):
            raise Unimplemented("im2col and fp4 tensor maps")
        if record["elem_size"] != self.element_bytes:
            raise ValueError(
                f"elements of {self.element_bytes} bytes for a map of {record['elem_size']} bytes"
            )
        rank, made = len(self.shape), np.zeros((), LAYOUT)
        made["address"], made["rank_less_one"] = address, rank - 1
        made["element_type"] = _TYPE_OF_SIZE[self.element_bytes]
        made["swizzle"] = record["swizzle"]
        made["box"][:rank] = list(record["block_size"])[::-1]
        made["size"][:rank] = self.shape[::-1]
        made["element_stride"][:rank] = 1
        made["stride"][: rank - 1] = [s * self.element_bytes for s in self.strides[:-1]][::-1]
        return np.frombuffer(made.tobytes().ljust(BYTES, b"\0"), np.uint8)


@dataclass(frozen=True)
class Decoded:
    """A checked tensor map; axes innermost first, strides in bytes."""

    address: int
    element_bytes: int
    box: Array
    size: Array
    stride: Array
    swizzle: int

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.box)


def decode(raw: Array) -> Decoded:
    """Read a map [128]. Raises SimulationError for one that the driver would refuse."""
    found = np.frombuffer(raw.tobytes()[: LAYOUT.itemsize], LAYOUT)[0]
    rank = int(found["rank_less_one"]) + 1
    kind = int(found["element_type"])
    if rank > 5 or kind >= len(_ELEMENT_BYTES):
        raise SimulationError(f"invalid tensor map: rank {rank}, element type {kind}")
    element = _ELEMENT_BYTES[kind]
    box = found["box"][:rank].astype(np.int64)
    size = found["size"][:rank].astype(np.int64)
    outer = found["stride"][: rank - 1].astype(np.int64)
    inner = int(box[0]) * element
    span = SWIZZLE_SPAN.get(int(found["swizzle"]))
    valid = {
        "box 1 .. 256": ((box >= 1) & (box <= 256)).all(),
        "sizes of at least 1": (size >= 1).all(),
        "element strides of 1": (found["element_stride"][:rank] == 1).all(),
        "an address that is a multiple of 16": int(found["address"]) % 16 == 0,
        "strides that are multiples of 16 below 2^40": (
            (outer % 16 == 0) & (outer < 1 << 40)
        ).all(),
        "a known swizzle": span is not None,
        "an inner box of whole 16 bytes": inner % 16 == 0,
        "no interleave, zero fill": not found["interleave"] and not found["fill"],
        "an inner box within the swizzle span": not span or inner <= span,
    }
    broken = [rule for rule, holds in valid.items() if not holds]
    if broken:
        raise SimulationError(f"invalid tensor map: it needs {broken[0]}")
    if span and inner != span:
        raise Unimplemented("an inner box narrower than the swizzle span")
    stride = np.concatenate([[element], outer])
    return Decoded(int(found["address"]), element, box, size, stride, int(found["swizzle"]))
