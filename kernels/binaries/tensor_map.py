"""CUtensorMap of a host tensor descriptor, as Triton's own launcher makes it.

The C function is called through ctypes: cuda-bindings gives the driver a result address that is
only 16-byte aligned, and the API demands 64.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

_BYTES, _ALIGNMENT = 128, 64
# CUtensorMapDataType: Triton's numbers for the device's types to those of the host's API.
_HOST_TYPE = {8: 10, 9: 8, 10: 9}
_INTERLEAVE_NONE, _PROMOTE_128, _FILL_ZEROS = 0, 2, 0


class TensorMap:
    """128 bytes at an aligned address, which live as long as this object."""

    def __init__(self) -> None:
        self._memory = ctypes.create_string_buffer(_BYTES + _ALIGNMENT)
        start = ctypes.addressof(self._memory)
        self.address = start + -start % _ALIGNMENT

    @property
    def data(self) -> bytes:
        """The bytes of the map."""
        return ctypes.string_at(self.address, _BYTES)


def encode(
    driver: Any,
    record: Mapping[str, Any],
    address: int,
    shape: Sequence[int],
    strides: Sequence[int],
) -> TensorMap:
    """Encode for a tensor at a device address; shape and strides in elements, outermost first.

    record is Triton's of the compiled kernel (block size, swizzle, element). driver is a ctypes
    library with cuTensorMapEncodeTiled. Raises RuntimeError if the driver refuses.
    """
    rank = len(shape)
    element = record["elem_size"]
    kind = record["elem_type"]
    made = TensorMap()
    sizes = (ctypes.c_uint64 * rank)(*reversed(shape))
    # The innermost stride is one element, and is not passed.
    steps = (ctypes.c_uint64 * max(1, rank - 1))(*(s * element for s in reversed(strides[:-1])))
    box = (ctypes.c_uint32 * rank)(*reversed(record["block_size"]))
    ones = (ctypes.c_uint32 * rank)(*[1] * rank)
    status = driver.cuTensorMapEncodeTiled(
        ctypes.c_void_p(made.address),
        ctypes.c_int(_HOST_TYPE.get(kind, kind)),
        ctypes.c_uint32(rank),
        ctypes.c_void_p(address),
        sizes,
        steps,
        box,
        ones,
        ctypes.c_int(_INTERLEAVE_NONE),
        ctypes.c_int(record["swizzle"]),
        ctypes.c_int(_PROMOTE_128),
        ctypes.c_int(_FILL_ZEROS),
    )
    if status:
        raise RuntimeError(f"cuTensorMapEncodeTiled refused {tuple(shape)} with error {status}")
    return made
