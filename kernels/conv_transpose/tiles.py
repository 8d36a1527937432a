"""Tile tables: which tiles a design may take on an architecture. Data alone.

Tables are keyed by design and by the bytes of an operand; a table without an entry for an
architecture takes that of the architecture it follows. Tiles are here because they were compiled
for sm_80, sm_90, sm_100 and sm_120 without a spill; named configurations (`kernels.configurations`)
are gated in tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernels.conv_transpose.design import Tile

# Depths of a step by the bytes of an operand, deepest first: fewer steps, less overhead.
DEPTHS: Mapping[int, tuple[int, ...]] = {2: (64, 32, 16), 4: (32, 16)}
# A shallower step is taken where a deeper one pads the input channels to more than this: a step
# costs about as much as a few channels more. 1.28 is 100 latents in steps of 64 or 32.
MOST_PADDING = 1.28
# Designs whose depth divides the input channels, and whose columns divide the output channels.
EXACT_DEPTH = frozenset({"grouped_columns"})
EXACT_COLUMNS = frozenset({"descriptors"})

# Wide tiles fill shared memory least; narrow ones leave fewer rows and columns empty.
_HALF = (
    Tile(rows=256, columns=128, depth=64),
    Tile(rows=128, columns=256, depth=64),
    Tile(rows=128, columns=128, depth=64),
    Tile(rows=256, columns=64, depth=64),
    Tile(rows=128, columns=64, depth=64, warps=4),
    Tile(rows=128, columns=32, depth=64, warps=4),
    Tile(rows=128, columns=16, depth=64, warps=4),
    Tile(rows=64, columns=128, depth=64, warps=4),
    Tile(rows=64, columns=64, depth=64, warps=4),
    Tile(rows=64, columns=32, depth=64, warps=4),
    Tile(rows=32, columns=64, depth=64, warps=4),
    Tile(rows=32, columns=32, depth=64, warps=4),
    Tile(rows=16, columns=128, depth=64, warps=4),
    Tile(rows=16, columns=64, depth=64, warps=4),
    Tile(rows=16, columns=32, depth=64, warps=2),
)
# tf32x3 holds the high and the low part of both operands in registers.
_SINGLE = (
    Tile(rows=128, columns=128, depth=32),
    Tile(rows=128, columns=64, depth=32),
    Tile(rows=64, columns=64, depth=32, warps=4),
    Tile(rows=32, columns=64, depth=32, warps=4),
    Tile(rows=16, columns=64, depth=32, warps=4),
)
# Neither products in shared memory nor depth: a tile is a block of outputs.
_GENERAL = (
    Tile(rows=64, columns=16, depth=1, warps=4, stages=1),
    Tile(rows=256, columns=1, depth=1, warps=4, stages=1),
)

# Columns are phases times channels, rows sample-position pairs: there are always enough of both.
# Every row costs a mask and an address in the loop: none has more rows than 128.
_PHASES = (
    Tile(rows=128, columns=256, depth=64),
    Tile(rows=128, columns=128, depth=64),
    Tile(rows=128, columns=64, depth=64, warps=4),
    Tile(rows=128, columns=32, depth=64, warps=4),
    Tile(rows=64, columns=128, depth=64, warps=4),
    Tile(rows=64, columns=64, depth=64, warps=4),
    Tile(rows=32, columns=64, depth=64, warps=4),
    Tile(rows=32, columns=32, depth=64, warps=4),
    Tile(rows=16, columns=64, depth=64, warps=4),
    Tile(rows=16, columns=32, depth=64, warps=2),
)

# A step of 32 at 128 columns spills on sm_120.
_PHASES_SINGLE = (Tile(rows=128, columns=128, depth=16), *_SINGLE[1:])

# Columns are a chunk of an image row, and a program walks over `group` of them: whole rows load
# every input once, shorter stretches make more programs of small batches.
_WHOLE_ROW = 1024
_IMAGE = (
    Tile(rows=256, columns=32, depth=64, group=_WHOLE_ROW),
    Tile(rows=128, columns=32, depth=64, group=_WHOLE_ROW),
    Tile(rows=128, columns=32, depth=64, group=4),
    Tile(rows=64, columns=32, depth=64, warps=4, group=4),
    Tile(rows=64, columns=32, depth=64, warps=4, group=1),
    Tile(rows=16, columns=32, depth=64, warps=4, group=1),
)
_IMAGE_SINGLE = (
    Tile(rows=128, columns=32, depth=32, group=_WHOLE_ROW),
    Tile(rows=64, columns=32, depth=32, group=4),
    Tile(rows=16, columns=32, depth=32, warps=4, group=1),
)

# Four warps and four stages make the shortest loops; they spill on sm_100 at 128 columns.
_BOXES = (
    Tile(rows=256, columns=128, depth=64),
    Tile(rows=128, columns=128, depth=64, warps=4, stages=4),
    Tile(rows=256, columns=64, depth=64, warps=4),
    Tile(rows=128, columns=64, depth=64, warps=4, stages=4),
    Tile(rows=64, columns=64, depth=64, warps=4, stages=4),
)
_BOXES_100 = (_BOXES[0], Tile(rows=128, columns=128, depth=64), *_BOXES[2:])

TILES: Mapping[tuple[str, int], Mapping[int, tuple[Tile, ...]]] = {
    ("position_major", 2): {80: _HALF},
    ("position_major", 4): {80: _SINGLE},
    ("position_rows", 2): {80: _HALF},
    ("position_rows", 4): {80: _SINGLE},
    ("shifted_grid", 2): {80: _PHASES},
    ("shifted_grid", 4): {80: _PHASES_SINGLE},
    ("grouped_columns", 2): {80: _IMAGE},
    ("grouped_columns", 4): {80: _IMAGE_SINGLE},
    ("descriptors", 2): {90: _BOXES, 100: _BOXES_100, 120: _BOXES},
    ("general", 2): {80: _GENERAL},
    ("general", 4): {80: _GENERAL},
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What ranks tiles on an architecture, of its common part; estimates, good for an order only.

    flops_per_fill_byte: tensor-core FLOPs in the time that one byte takes from L2 to shared memory.
    """

    multiprocessors: int
    flops_per_fill_byte: int


# Time of a design beyond its counted work, which decides between equals: with TMA the loop has no
# addresses to compute, and position_rows has a mask to compute in every step.
TIME_FACTORS: Mapping[str, float] = {"descriptors": 0.97, "position_rows": 1.2}

MACHINES: Mapping[int, Machine] = {
    80: Machine(108, 80),
    86: Machine(84, 60),
    89: Machine(128, 90),
    90: Machine(132, 180),
    100: Machine(148, 300),
    120: Machine(84, 90),
}


def nearest(table: Mapping[int, object], architecture: int) -> int:
    """The newest entry that is not newer than an architecture; ValueError below all entries."""
    known = [entry for entry in table if entry <= architecture]
    if not known:
        raise ValueError(
            f"compute capability {architecture / 10} is not supported; kernels need "
            f"{min(table) / 10} or later"
        )
    return max(known)


def tiles_of(design: str, operand_bytes: int, architecture: int) -> tuple[Tile, ...]:
    """The tiles of a design for an operand size on an architecture; none if it has no table."""
    table = TILES.get((design, operand_bytes))
    return table[nearest(table, architecture)] if table else ()
