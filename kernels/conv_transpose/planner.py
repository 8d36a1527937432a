"""Which design and tile a layer gets, and why: rules in order, then the cheapest tile by count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kernels.conv_transpose.design import Design, Tile
from kernels.conv_transpose.designs import load_design
from kernels.conv_transpose.packing import ceil_to, type_bytes
from kernels.conv_transpose.problem import Problem
from kernels.conv_transpose.tiles import (
    DEPTHS,
    EXACT_DEPTH,
    MACHINES,
    MOST_PADDING,
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
class Rule:
    """A design is taken where `when` holds of (problem, batch), for `reason`; else `unless`."""

    design: str
    reason: str
    unless: str
    when: Callable[[Problem, int], bool]


# Fewer rows than a tensor core takes: rows of a tile are positions then.
FEW_SAMPLES = 16
# Positions from which a map is large: its inputs are worth sharing between phases.
LARGE_MAP = 256
IMAGE_CHANNELS = 4
# Channels up to which all phases of a layer fit the columns of a tile.
NARROW = 64

RULES: tuple[Rule, ...] = (
    Rule(
        "grouped_columns",
        "an image: too few channels for the columns of a tile, so they are a stretch of its rows",
        "for up to 4 channels: wider outputs fill the columns of a tile",
        lambda problem, batch: problem.out_channels <= IMAGE_CHANNELS,
    ),
    Rule(
        "shifted_grid",
        "narrow output on a large map: all phases share the inputs they read",
        "many channels or a small map: position_major runs only taps inside the map",
        lambda problem, batch: (
            problem.out_channels <= NARROW and problem.geometry.positions_in >= LARGE_MAP
        ),
    ),
    Rule(
        "shifted_grid",
        "too few samples for the rows of a tile: rows are positions",
        "many channels or a small map: position_major runs only taps inside the map",
        lambda problem, batch: batch < FEW_SAMPLES and problem.geometry.positions_out > 1,
    ),
    Rule(
        "position_major",
        "rows are samples at one position: only taps inside the map run",
        "",
        lambda problem, batch: True,
    ),
    Rule(
        "general",
        "every design with tensor cores refuses it",
        "",
        lambda problem, batch: True,
    ),
)


def plan(problem: Problem, batch: int, architecture: int) -> Plan:
    """Choose for a batch and a compute capability (80 for 8.0).

    The first rule that holds and whose design does not refuse; then the tile of least estimated
    time. Raises ValueError for an architecture that is too old, or if every design refuses.
    """
    nearest(MACHINES, architecture)
    taken: Plan | None = None
    others: dict[str, str] = {}
    for rule in RULES:
        if taken and rule.design == taken.design:
            continue
        refusal = load_design(rule.design).refuses(problem, architecture)
        if refusal or not rule.when(problem, batch):
            others.setdefault(rule.design, refusal or rule.unless)
        elif taken:
            others.setdefault(rule.design, f"{taken.design} comes first: {taken.reason}")
        else:
            tile = choose_tile(rule.design, problem, batch, architecture)
            others.pop(rule.design, None)
            taken = Plan(rule.design, tile, rule.reason, others)
    if taken is None:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in others.items())
        raise ValueError(f"no design takes this layer: {reasons}")
    return taken


def choose_tile(design_name: str, problem: Problem, batch: int, architecture: int) -> Tile:
    """The tile of a design's table with the least estimated time; ValueError without a table."""
    item = type_bytes(problem.operand)
    design = load_design(design_name)
    table = tiles_of(design_name, item, architecture)
    if not table:
        raise ValueError(f"{design_name} has no tiles for {problem.operand}")
    candidates = [_with_depth(tile, design_name, problem) for tile in table]
    return min(
        candidates,
        key=lambda tile: _estimate(design, problem, tile, max(1, batch), architecture),
    )


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
    """Time of a batch in units of FLOPs: products and fills, by how full the machine is.

    A grid that is no multiple of the multiprocessors leaves some of them idle at its end.
    """
    machine = MACHINES[nearest(MACHINES, architecture)]
    work = design.work(problem, tile, batch)
    waves = -(-work.programs // machine.multiprocessors)
    idle = waves * machine.multiprocessors / max(1, work.programs)
    return (work.executed_flops + work.fill_bytes * machine.flops_per_fill_byte) * idle
