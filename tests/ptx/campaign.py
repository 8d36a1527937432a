"""Mutants of shipped kernels' PTX: a seeded draw, each run against the checks that tests use.

A mutant is caught if the simulator raises, or if an output is wrong by the table of bounds or never
written. Candidates are the instructions that the launch executes at all.

    python -m tests.ptx.campaign --draw 60 --seed 0
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from kernels.compile import Compiled, compile_launch
from kernels.conv_transpose.design import Tile
from kernels.conv_transpose.designs import load_design
from kernels.inspect.survey import workers
from kernels.ptxsim import SimulationError, simulate
from kernels.ptxsim.scheduler import Schedule
from tests.cases import conv_transpose
from tests.cases.conv_transpose import Case, Data, transposed
from tests.ptx.equivalence import Proof
from tests.ptx.mutants import Mutant, mutants

# Maps small enough to be cheap, whose positions have different numbers of taps along both axes.
_UP = transposed((2, 2), (3, 3), stride=(2, 1), padding=1, output_padding=(1, 0))
_MAP = transposed((2, 2), (4, 4), stride=2, padding=1)
_SMALL = Tile(rows=16, columns=32, depth=32, warps=4, stages=3)
_WIDE = Tile(rows=64, columns=32, depth=32, warps=4, stages=3)
SEEDS = (0, 1)


@dataclass(frozen=True)
class Target:
    """A kernel on an architecture at a small shape."""

    design: str
    case: Case
    architecture: int


TARGETS: Mapping[str, Target] = {
    "position_major sm_80": Target(
        "position_major", Case("m", _UP(40, 20, activation="relu"), 17, _SMALL), 80
    ),
    "position_major sm_90": Target(
        "position_major", Case("m", _UP(40, 20, activation="relu"), 65, _WIDE), 90
    ),
    "position_major sm_100": Target(
        "position_major", Case("m", _UP(40, 20, activation="relu"), 65, _WIDE), 100
    ),
    "descriptors sm_90": Target(
        "descriptors", Case("m", _MAP(72, 32, activation="relu"), 15, _WIDE), 90
    ),
}


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: how it was caught, or why it may live, or neither."""

    target: str
    mutant: Mutant
    caught: str
    excused: str


def fresh(name: str) -> tuple[Compiled, Data]:
    target = TARGETS[name]
    data = conv_transpose.make(target.case)
    design = load_design(target.design)
    packed = conv_transpose.pack(design, target.case, data)
    (launch,) = design.launches(packed, data.x, data.out)
    return compile_launch(launch, target.architecture), data


@cache
def _prepared(name: str) -> tuple[Compiled, Data, int, frozenset[int], Proof]:
    """The compiled launch, its data, how many steps it takes, what it executes, and its proof."""
    compiled, data = fresh(name)
    done = simulate(compiled, schedule="lockstep", trace=True)
    conv_transpose.check(TARGETS[name].case, data)
    assert done.traffic is not None
    private = not set(done.traffic.read_buffers) & set(done.traffic.written_buffers)
    reached = frozenset(place for place, count in enumerate(done.counts) if count)
    return compiled, data, done.total, reached, Proof(compiled.asm["ptx"], private)


def candidates(name: str) -> list[Mutant]:
    """All mutants of the instructions that a target executes."""
    compiled, _, _, reached, _ = _prepared(name)
    return [mutant for mutant in mutants(compiled.asm["ptx"]) if mutant.place in reached]


def draw(name: str, count: int, seed: int) -> list[Mutant]:
    """Different mutants of a target, each as likely as any other."""
    known = candidates(name)
    return random.Random(seed).sample(known, min(count, len(known)))


def judge(name: str, mutant: Mutant) -> Verdict:
    """Run a mutant in lockstep and in random orders; if it lives, look for a proof that it may."""
    _, _, steps, _, proof = _prepared(name)
    orders: list[tuple[Schedule, int]] = [("lockstep", 0), *(("warp", seed) for seed in SEEDS)]
    for schedule, seed in orders:
        caught = _fault(name, mutant, schedule, seed, 2 * steps + 1000)
        if caught:
            return Verdict(name, mutant, caught, "")
    return Verdict(name, mutant, "", proof.of(mutant))


def _fault(name: str, mutant: Mutant, schedule: Schedule, seed: int, limit: int) -> str:
    """How a mutant shows itself in one run, or an empty string."""
    compiled, data = fresh(name)
    ptx = mutant.apply(compiled.asm["ptx"])
    try:
        simulate(compiled, ptx=ptx, schedule=schedule, seed=seed, step_limit=limit)
        conv_transpose.check(TARGETS[name].case, data)
    except SimulationError as error:
        return f"check: {error}"
    except AssertionError as error:
        return f"output: {error}"
    return ""


def run(draws: Mapping[str, Iterable[Mutant]], processes: int | None = None) -> list[Verdict]:
    """Judge mutants of several targets in a few processes."""
    with workers(processes) as pool:
        waiting = [
            pool.submit(judge, name, mutant) for name, chosen in draws.items() for mutant in chosen
        ]
        return [future.result() for future in waiting]


def summary(verdicts: Iterable[Verdict]) -> str:
    """Caught, excused and alive by target and operator, and every mutant that lives."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    lines = []
    for verdict in verdicts:
        became = "caught" if verdict.caught else "excused" if verdict.excused else "alive"
        counts[verdict.target, verdict.mutant.operator][became] += 1
        counts[verdict.target, "all"][became] += 1
        if not verdict.caught:
            change = f"{verdict.mutant.before} -> {verdict.mutant.after or 'nothing'}"
            reason = verdict.excused or "alive"
            lines.append(f"{verdict.target}, line {verdict.mutant.line}: {change}: {reason}")
    table = [
        f"{target} {operator}: {count['caught']} of {count.total()} caught, "
        f"{count['excused']} excused, {count['alive']} alive"
        for (target, operator), count in counts.items()
    ]
    return "\n".join([*table, *lines])


def main() -> None:
    """Draw, judge and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--draw", type=int, default=60, help="mutants a target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=TARGETS, action="append")
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    sys.stdout.write(
        summary(run({name: draw(name, options.draw, options.seed) for name in names})) + "\n"
    )


if __name__ == "__main__":
    main()
