"""Steps of a native network: one kind of operation each, on tensors that have no place yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.backends._native.forms import Tensor
from engine.program.graph import Floats

# Rows of an input, 0 .. end - 1, that rows 0 .. end - 1 of the output need.
Reads = Callable[[int], int]

# Rows of inputs that no step makes: what reads them in bands finds them whole.
ELSEWHERE = 0


def row_by_row(end: int) -> int:
    """What every element for itself needs."""
    return end


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation of `kernels/native/README.md`.

    rows: size of the output's outermost axis if the kind can run in bands of it, else 1.
    input_rows: size of the inputs' outermost axis as the kind sees it.
    rows_first: whether the kind's integers begin with the rows that it shall have.
    reads: which rows of the inputs a band needs.
    grain: bands begin at multiples of this, so that no tile of the kernel is cut.
    weight_bytes: read again for each band.
    """

    kind: str
    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    integers: tuple[int, ...] = ()
    numbers: tuple[float, ...] = ()
    arrays: tuple[Floats | None, ...] = ()
    rows: int = 1
    input_rows: int = 1
    rows_first: bool = False
    reads: Reads = row_by_row
    grain: int = 1
    weight_bytes: int = 0
