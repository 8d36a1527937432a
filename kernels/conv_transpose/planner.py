"""Which design and tile a layer gets, and why: levels of designs in order, the cheapest in a level.

Levels, what each design is for, tile tables and machines are data (here and in `tiles`); what a
design would do with a tile is counted by the design itself (`Design.work`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kernels.conv_transpose.design import Design, Tile
from kernels.conv_transpose.designs import load_design
from kernels.conv_transpose.packing import ceil_to, type_bytes
from kernels.conv_transpose.problem import Problem
from kernels.conv_transpose.tiles import (
    DEPTHS,
    EXACT_COLUMNS,
    EXACT_DEPTH,
    MACHINES,
    MOST_PADDING,
    TIME_FACTORS,
    nearest,
    tiles_of,
)


@dataclass(frozen=True)
class Plan:
    """The design and tile of a layer, the reason, and why each other design was not taken."""

    design: str
    tile: Tile
    reason: str
    others: Mapping[str, str]


@dataclass(frozen=True)
class Level:
    """Designs that are weighed against each other, by name with what each is good for.

    `takes` says which problems the level is for; `unless` is why it is passed over for others.
    """

    designs: Mapping[str, str]
    takes: Callable[[Problem], bool] = lambda problem: True
    unless: str = ""


# Up to so many channels an output is an image: its rows, not its channels, fill a tile's columns.
IMAGE_CHANNELS = 4

LEVELS: tuple[Level, ...] = (
    Level(
        {"grouped_columns": "few channels: columns are a stretch of an image row"},
        lambda problem: problem.out_channels <= IMAGE_CHANNELS,
        f"for up to {IMAGE_CHANNELS} channels: wider outputs fill the columns of a tile",
    ),
    Level(
        {
            "position_major": "rows are samples at one position: only taps inside the map run",
            "position_rows": "rows are positions of one phase, taps outside the map masked by row",
            "shifted_grid": "rows are positions: phases share the inputs they read",
            "descriptors": "rows are boxes of positions, copied without addresses (TMA)",
        }
    ),
    Level({"general": "designs with tensor cores refuse it"}),
)


def plan(problem: Problem, batch: int, architecture: int) -> Plan:
    """Choose for a batch and a compute capability (80 for 8.0).

    The first level with a design that does not refuse; in it, the design and tile of least
    estimated time. Raises ValueError for an architecture that is too old, or if all refuse.
    """
    nearest(MACHINES, architecture)
    taken: tuple[str, Tile, str] | None = None
    others: dict[str, str] = {}
    for level in LEVELS:
        times: dict[str, tuple[float, Tile]] = {}
        for name in level.designs:
            refusal = load_design(name).refuses(problem, architecture)
            if refusal is None and not level.takes(problem):
                refusal = level.unless
            if refusal:
                others[name] = refusal
            elif taken:
                others[name] = f"{taken[0]} comes first: {taken[2]}"
            elif fastest := _cheapest(name, problem, batch, architecture):
                times[name] = fastest
            else:
                others[name] = f"none of its tiles fits {problem.out_channels} channels"
        if times:
            best = min(times, key=lambda name: times[name][0])
            taken = (best, times[best][1], level.designs[best])
            for name in times.keys() - {best}:
                ratio = times[name][0] / max(times[best][0], 1.0)
                others[name] = f"estimated at {ratio:.2f} times the time of {best}"
    if taken is None:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in others.items())
        raise ValueError(f"no design takes this layer: {reasons}")
    return Plan(*taken, others)


def choose_tile(design_name: str, problem: Problem, batch: int, architecture: int) -> Tile:
    """The tile of a design's table with the least estimated time; ValueError if none fits."""
    fastest = _cheapest(design_name, problem, batch, architecture)
    if fastest is None:
        raise ValueError(
            f"{design_name} has no tile for {problem.operand}, {problem.out_channels} channels and "
            f"sm_{architecture}"
        )
    return fastest[1]


def _cheapest(
    name: str, problem: Problem, batch: int, architecture: int
) -> tuple[float, Tile] | None:
    """A design's least estimated time and its tile, or None if no tile of its table fits."""
    design = load_design(name)
    fastest: tuple[float, Tile] | None = None
    for entry in tiles_of(name, type_bytes(problem.operand), architecture):
        if name in EXACT_COLUMNS and problem.out_channels % entry.columns:
            continue
        tile = _with_depth(entry, name, problem)
        time = _estimate(design, problem, tile, max(1, batch), architecture)
        if fastest is None or time < fastest[0]:
            fastest = (time, tile)
    return fastest


def _with_depth(tile: Tile, design_name: str, problem: Problem) -> Tile:
    """A tile with the deepest step, up to its own, that does not pad the channels too much."""
    if tile.depth == 1:
        return tile
    channels = problem.in_channels // problem.groups
    most = 1.0 if design_name in EXACT_DEPTH else MOST_PADDING
    depths = [depth for depth in DEPTHS[type_bytes(problem.operand)] if depth <= tile.depth]
    fitting = (depth for depth in depths if ceil_to(channels, depth) <= most * channels)
    return replace(tile, depth=next(fitting, depths[-1]))


def _estimate(design: Design, problem: Problem, tile: Tile, batch: int, architecture: int) -> float:
    """Time of a batch in units of FLOPs: products and fills, by how full the machine is."""
    machine = MACHINES[nearest(MACHINES, architecture)]
    work = design.work(problem, tile, batch)
    waves = max(1, work.programs) / machine.multiprocessors
    # The last wave is half empty on average; programs that share a multiprocessor hide half of it.
    elapsed = max(1.0, waves + 0.25)
    time = work.executed_flops + work.fill_bytes * machine.flops_per_fill_byte
    return time * elapsed / waves * TIME_FACTORS.get(design.NAME, 1.0)
