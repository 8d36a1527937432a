"""Operands of an instruction: what they read and write, resolved once when it is decoded.

`reader(kind)` gives a function of the block that returns one value a thread [threads] in the numpy
type of a PTX type; `writer()` gives a function (block, values, mask) that writes where mask holds,
sign- or zero-extending a narrower value as its own type asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.formats import NUMPY, SIGNED, UNSIGNED, Array, size_of

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block

Reader: TypeAlias = "Callable[[Block], Array]"
Writer: TypeAlias = "Callable[[Block, Array, Array], None]"

_AXES = "xyz"


class Operand:
    """Any operand; what it cannot do raises."""

    text: str

    def reader(self, kind: str) -> Reader:
        """A function that reads the operand as a PTX type."""
        raise Unimplemented(f"operand `{self.text}` as a source")

    def writer(self) -> Writer:
        """A function that writes the operand."""
        raise Unimplemented(f"operand `{self.text}` as a destination")


@dataclass(frozen=True)
class Register(Operand):
    """A register by its index in the block's register file."""

    text: str
    index: int
    kind: str

    def reader(self, kind: str) -> Reader:
        """A view of the register, or its low bits."""
        index = self.index
        if kind == "pred":
            return lambda block: block.registers[index]
        if self.kind == "b128":
            raise Unimplemented("128-bit registers")
        dtype = NUMPY[kind]
        if size_of(self.kind) == dtype.itemsize:
            return lambda block: block.registers[index].view(dtype)
        bits = UNSIGNED[dtype.itemsize]
        return lambda block: block.registers[index].astype(bits).view(dtype)

    def writer(self) -> Writer:
        """Write the register, extending a narrower value."""
        index = self.index
        if self.kind == "b128":
            raise Unimplemented("128-bit registers")
        size = size_of(self.kind)

        def write(block: Block, values: Array, mask: Array) -> None:
            register = block.registers[index]
            if values.dtype.itemsize != size:
                widths = SIGNED if values.dtype.kind == "i" else UNSIGNED
                values = values.astype(widths[size])
            np.copyto(register, values.view(register.dtype), where=mask)
            if block.written is not None:
                block.written[index, mask.reshape(-1, 32).any(1)] = block.clock

        return write


class Sink(Operand):
    """The `_` that throws a result away."""

    text = "_"

    def writer(self) -> Writer:
        """Write nothing."""
        return lambda block, values, mask: None


@dataclass(frozen=True)
class Immediate(Operand):
    """A number: decimal, hexadecimal, 0f (float32 bits) or 0d (float64 bits)."""

    text: str
    threads: int

    def reader(self, kind: str) -> Reader:
        """The same number for all threads."""
        constant = np.full(self.threads, self.scalar(kind))
        constant.flags.writeable = False
        return lambda block: constant

    def scalar(self, kind: str) -> Any:
        """The number in the numpy type of a PTX type."""
        dtype, prefix = NUMPY[kind], self.text[:2].lower()
        if prefix in ("0f", "0d"):
            bits = np.uint32 if prefix == "0f" else np.uint64
            floats = np.float32 if prefix == "0f" else np.float64
            number = np.array(int(self.text[2:], 16), bits).view(floats)
            same = number.itemsize == dtype.itemsize
            return (number.view(dtype) if same else number.astype(dtype))[()]
        value = int(self.text.rstrip("U"), 0)
        if kind == "pred":
            return np.bool_(value != 0)
        bits_mask = (1 << 8 * dtype.itemsize) - 1
        return np.array(value & bits_mask, UNSIGNED[dtype.itemsize]).view(dtype)[()]


@dataclass(frozen=True)
class Symbol(Operand):
    """A name: a parameter (its offset), a variable in shared memory (offset 0) or a label."""

    text: str
    threads: int
    value: int = 0

    def reader(self, kind: str) -> Reader:
        """The same address for all threads."""
        constant = np.full(self.threads, self.value, UNSIGNED[size_of(kind)]).view(NUMPY[kind])
        return lambda block: constant


@dataclass(frozen=True)
class Special(Operand):
    """A special register such as %tid.x. Clusters have one block."""

    text: str
    threads: int

    def reader(self, kind: str) -> Reader:
        """What the hardware would say."""
        dtype, name, axis = NUMPY[kind], *self._parts()
        lanes = np.arange(self.threads)
        if name in ("tid", "laneid", "warpid"):
            values = {"tid": lanes * (axis == 0), "laneid": lanes % 32, "warpid": lanes // 32}
            constant = values[name].astype(dtype)
            return lambda block: constant
        fixed = {"ntid": (self.threads, 1, 1)[axis], "cluster_ctarank": 0, "cluster_ctaid": 0}
        fixed |= {"cluster_nctarank": 1, "cluster_nctaid": 1, "globaltimer": 0, "clock": 0}
        if name in fixed:
            constant = np.full(self.threads, fixed[name]).astype(dtype)
            return lambda block: constant
        if name in ("ctaid", "clusterid"):
            return lambda block: np.full(block.threads, block.index[axis]).astype(dtype)
        if name in ("nctaid", "nclusterid"):
            return lambda block: np.full(block.threads, block.grid[axis]).astype(dtype)
        raise Unimplemented(f"special register {self.text}")

    def _parts(self) -> tuple[str, int]:
        name, _, axis = self.text.lstrip("%").partition(".")
        return re.sub(r"(?<=clock)\d+$|(?<=timer)_\w+$", "", name), _AXES.find(axis or "x")


@dataclass(frozen=True)
class Negated(Operand):
    """A predicate with `!`."""

    text: str
    operand: Operand

    def reader(self, kind: str) -> Reader:
        """The opposite."""
        read = self.operand.reader(kind)
        return lambda block: ~read(block)


@dataclass(frozen=True)
class Vector(Operand):
    """`{a, b, ...}`."""

    text: str
    elements: tuple[Operand, ...]


@dataclass(frozen=True)
class Pair(Operand):
    """`a|b`: a result and a predicate."""

    text: str
    first: Operand
    second: Operand


@dataclass(frozen=True)
class Address(Operand):
    """`[base + offset]`, or `[base, {coordinates}]` of a tensor map."""

    text: str
    base: Operand
    offset: int
    coordinates: tuple[Operand, ...] = ()

    def reader(self, kind: str = "b64") -> Reader:
        """A function that gives int64 addresses."""
        offset = self.offset
        read = self.base.reader(
            "b32" if isinstance(self.base, Register) and _narrow(self.base) else "b64"
        )
        return lambda block: read(block).astype(np.int64) + offset


def _narrow(register: Register) -> bool:
    return size_of(register.kind) <= 4


def split(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets."""
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char in "{[(") - (char in "}])")
        if char == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += char
    return [*parts, current.strip()] if current.strip() else parts


@dataclass(frozen=True)
class Names:
    """What names mean where an operand stands."""

    threads: int
    registers: Mapping[str, Register]
    parameters: Mapping[str, int]

    def operand(self, text: str) -> Operand:
        """Parse one operand."""
        text = text.strip()
        if text in self.registers:
            return self.registers[text]
        if text == "_":
            return Sink()
        if text[0] == "{":
            return Vector(text, tuple(self.operand(part) for part in split(text[1:-1])))
        if text[0] == "[":
            return self._address(text)
        if text[0] == "!":
            return Negated(text, self.operand(text[1:]))
        if "|" in text:
            first, second = text.split("|")
            return Pair(text, self.operand(first), self.operand(second))
        if re.match(r"-?\d", text):
            return Immediate(text, self.threads)
        if text[0] == "%":
            return Special(text, self.threads)
        return Symbol(text, self.threads, self.parameters.get(text, 0))

    def _address(self, text: str) -> Address:
        parts = split(text[1:-1])
        match = re.fullmatch(r"([%\w$#]+)\s*(?:\+\s*(-?\w+))?", parts[0])
        if match is None:
            raise Unimplemented(f"address {text}")
        offset = int(match[2], 0) if match[2] else 0
        coordinates: tuple[Operand, ...] = ()
        if len(parts) > 1:
            coordinates = tuple(self.operand(part) for part in split(parts[1][1:-1]))
        return Address(text, self.operand(match[1]), offset, coordinates)


def elements(operand: Operand) -> tuple[Operand, ...]:
    """The elements of a vector; a plain operand is a vector of one."""
    return operand.elements if isinstance(operand, Vector) else (operand,)


def constant(operand: Operand) -> int:
    """An operand that has to be a plain number. Raises SimulationError for another."""
    if not isinstance(operand, Immediate):
        raise SimulationError(f"operand `{operand.text}` must be a constant")
    return int(operand.text.rstrip("U"), 0)
