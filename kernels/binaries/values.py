"""A launch's arguments as the driver wants them: one address a parameter."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kernels.binaries.tensor_map import TensorMap
from kernels.launch import ALIGNMENT_BYTES, Launch
from kernels.parameters import Parameter, parameters

# Makes the tensor map of (Triton's record, address, shape, strides).
Encoder = Callable[[Mapping[str, Any], int, Sequence[int], Sequence[int]], TensorMap]


class Values:
    """Values in the order of the kernel's parameters; they live as long as this object."""

    def __init__(self, holders: Sequence[Any]) -> None:
        self._holders = holders
        addresses = [
            each.address if isinstance(each, TensorMap) else ctypes.addressof(each)
            for each in holders
        ]
        self._addresses = (ctypes.c_void_p * len(addresses))(*addresses)

    @property
    def address(self) -> int:
        """Where the array of addresses is: `kernelParams` of cuLaunchKernel."""
        return ctypes.addressof(self._addresses)


def values(
    launch: Launch, descriptors: Iterable[Mapping[str, Any]], encode: Encoder, scratch: int = 0
) -> Values:
    """Arguments of a launch; `scratch` is the address of global scratch memory, 0 for none.

    Raises ValueError for a tensor that is not at a multiple of 16 bytes: the code relies on it.
    """
    records = iter(descriptors)
    holders: list[Any] = []
    waiting: dict[str, list[Any]] = {}
    scratches = [scratch, 0]
    for parameter in parameters(launch):
        if parameter.kind == "scratch":
            holders.append(ctypes.c_void_p(scratches.pop(0)))
        elif parameter.kind in ("shape", "stride"):
            holders.append(waiting[parameter.argument].pop(0))
        else:
            holders.append(_value(launch, parameter, records, encode, waiting))
    return Values(holders)


def _value(
    launch: Launch,
    parameter: Parameter,
    records: Any,
    encode: Encoder,
    waiting: dict[str, list[Any]],
) -> Any:
    argument: Any = launch.arguments[parameter.argument]
    if parameter.kind == "integer":
        return ctypes.c_int32(argument)
    tensor = getattr(argument, "base", argument)
    address = tensor.data_ptr()
    if address % ALIGNMENT_BYTES:
        raise ValueError(
            f"{launch.name}: {parameter.argument} begins at {address:#x}, which is no multiple of "
            f"{ALIGNMENT_BYTES}"
        )
    if parameter.kind == "pointer":
        return ctypes.c_void_p(address)
    shape, strides = tuple(argument.shape), tuple(argument.strides)
    waiting[parameter.argument] = [
        *(ctypes.c_int32(size) for size in shape),
        *(ctypes.c_int64(stride) for stride in strides),
    ]
    return encode(next(records), address, shape, strides)
