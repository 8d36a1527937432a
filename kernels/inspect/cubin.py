"""A GPU binary's own records: the kernel's parameters, registers, stack and static shared memory.

A cubin is an ELF file. Next to the code of a kernel NAME it has a list of attributes in the section
`.nv.info.NAME`, and one for all kernels in `.nv.info`. NVIDIA publishes neither; the numbers below
are those that `cuobjdump -elf` prints names for, and hold for sm_80 to sm_120.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = b"\x7fELF\x02\x01"
_SYMBOL_TABLE = 2
_SYMBOL = struct.Struct("<IBBHQQ")

# Attributes: byte 0 is the form (4: a length and that many bytes; else a 16-bit value), byte 1 the
# number. Words of the per-kernel ones follow; the common ones begin with the kernel's symbol.
_LONG_FORM = 4
_FRAME_SIZE, _PARAMETERS_IN_BANK, _PARAMETER, _REGISTERS = 0x11, 0x0A, 0x17, 0x2F


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its place among the others, and where it lies in bytes."""

    ordinal: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Cubin:
    """What a cubin with one kernel says of itself; sizes in bytes.

    parameter_base is where parameters begin in constant bank 0.
    """

    name: str
    registers: int
    stack_bytes: int
    static_shared_bytes: int
    parameter_base: int
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    kind: int
    data: bytes
    size: int


def read_cubin(data: bytes) -> Cubin:
    """Read a cubin's records. Raises ValueError if it is damaged or has not exactly one kernel."""
    try:
        sections = {section.name: section for section in _sections(data)}
        names = [name.removeprefix(".text.") for name in sections if name.startswith(".text.")]
        kernels = [name for name in names if f".nv.info.{name}" in sections]
        if len(kernels) != 1:
            raise ValueError(f"a cubin with {len(kernels)} kernels; one was expected")
        return _read_kernel(kernels[0], sections)
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"damaged cubin: {error!r}") from error


def _read_kernel(name: str, sections: dict[str, _Section]) -> Cubin:
    symbol = _symbols(sections).index(name)
    registers = stack = base = None
    for number, value in _attributes(sections[".nv.info"].data):
        if number in (_REGISTERS, _FRAME_SIZE):
            owner, amount = struct.unpack_from("<II", value)
            if owner == symbol and number == _REGISTERS:
                registers = amount
            elif owner == symbol:
                stack = amount
    parameters = []
    for number, value in _attributes(sections[f".nv.info.{name}"].data):
        if number == _PARAMETER:
            _, ordinal, offset, flags = struct.unpack_from("<IHHI", value)
            parameters.append(Parameter(ordinal, offset, flags >> 18))
        elif number == _PARAMETERS_IN_BANK:
            base = struct.unpack_from("<IH", value)[1]
    if registers is None or stack is None or base is None:
        raise ValueError(f"the cubin of {name} lacks its register, frame or parameter record")
    shared = sections.get(f".nv.shared.{name}")
    return Cubin(
        name=name,
        registers=registers,
        stack_bytes=stack,
        static_shared_bytes=shared.size if shared else 0,
        parameter_base=base,
        parameters=tuple(sorted(parameters, key=lambda parameter: parameter.ordinal)),
    )


def _sections(data: bytes) -> Iterator[_Section]:
    if data[:6] != _MAGIC:
        raise ValueError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", data, 0x28)
    entry, count, names_index = struct.unpack_from("<HHH", data, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", data, table + entry * i) for i in range(count)]
    names = headers[names_index]
    for name_at, kind, _, _, offset, size in headers:
        start = names[4] + name_at
        name = data[start : data.index(b"\0", start)].decode()
        # Kind 8 takes space when loaded, but none in the file.
        yield _Section(name, kind, b"" if kind == 8 else data[offset : offset + size], size)


def _symbols(sections: dict[str, _Section]) -> list[str]:
    strings = sections[".strtab"].data
    table = next(section for section in sections.values() if section.kind == _SYMBOL_TABLE)
    starts = [_SYMBOL.unpack_from(table.data, at)[0] for at in range(0, table.size, _SYMBOL.size)]
    return [strings[start : strings.index(b"\0", start)].decode() for start in starts]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        form, number, length = struct.unpack_from("<BBH", data, at)
        at += 4
        if form == _LONG_FORM:
            yield number, data[at : at + length]
            at += length
        else:
            yield number, struct.pack("<H", length)
