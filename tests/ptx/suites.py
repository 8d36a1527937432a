"""Which cases run in the simulator, where, and how one of them is run in a process of its own.

Every kernel runs on all architectures with its core cases; the others take turns, one architecture
each, so that all of them together stay cheap. Orders of warps and their seeds take turns as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from kernels.compile import compile_launch
from kernels.conv_transpose.design import Tile
from kernels.conv_transpose.designs import load_design
from kernels.launch import Launch
from kernels.ptxsim import Unimplemented, simulate
from kernels.ptxsim.scheduler import SCHEDULES, Schedule
from tests.cases import conv_transpose, noise, pointwise, recurrent, sampler
from tests.cases.conv_transpose import Case, transposed

ARCHITECTURES = (80, 89, 90, 100, 120)
# A tile that sm_90 multiplies with wgmma and sm_100 with tcgen05.
WIDE = Tile(rows=64, columns=32, depth=32, warps=4, stages=3)
_FLAT = transposed((1, 2), (4, 4), stride=2, padding=1)
_IMAGE = transposed((3, 5), (4, 4), stride=2, padding=1)
_GRID = Tile(rows=32, columns=32, depth=16, warps=1, stages=2)
_COLUMNS = Tile(rows=32, columns=16, depth=16, warps=1, stages=2)
_BOXES = Tile(rows=16, columns=16, depth=16, warps=4, stages=2)

# Cases with positions as rows: every kind of phase, border and type once.
_ROWS = (
    *("dcgan-image", "output-padding", "1d-vocoder", "3d", "transposed-dilated", "no-tap"),
    *("forward-dilated", "channels-odd", "bf16", "fp32-unaligned"),
    *("rows-7x7", "rows-2d-stride-3", "rows-cut"),
)

Runnable = tuple[tuple[Launch, ...], Callable[[], object]]


@dataclass(frozen=True)
class Key:
    """A case of a suite on an architecture, with an order of warps."""

    suite: str
    name: str
    architecture: int
    schedule: Schedule = "warp"
    seed: int = 0

    @property
    def id(self) -> str:
        return f"{self.suite}-{self.name}-sm_{self.architecture}"


@dataclass(frozen=True)
class Outcome:
    """What is wrong (empty if nothing), what could not be simulated, and what ran."""

    wrong: str
    unimplemented: str
    instructions: frozenset[str]


def run(key: Key) -> Outcome:
    """Compile and simulate one case. What goes wrong is an outcome, not an exception."""
    kinds: set[str] = set()
    try:
        launches, wrong = suites()[key.suite][key.name]()
        for launch in launches:
            if 0 in launch.grid:
                continue
            compiled = compile_launch(launch, key.architecture)
            done = simulate(compiled, seed=key.seed, schedule=key.schedule)
            kinds |= set(done.instructions)
        return Outcome(str(wrong() or ""), "", frozenset(kinds))
    except Unimplemented as error:
        return Outcome("", str(error), frozenset(kinds))
    except Exception as error:
        return Outcome(f"{type(error).__name__}: {error}", "", frozenset(kinds))


def everywhere(suite: str, names: Iterable[str], architectures: Sequence[int]) -> Iterator[Key]:
    """Cases on all architectures."""
    for number, name in enumerate(names):
        for turn, architecture in enumerate(architectures):
            schedule = SCHEDULES[(number + turn) % len(SCHEDULES)]
            yield Key(suite, name, architecture, schedule, number)


def in_turn(suite: str, names: Iterable[str], architectures: Sequence[int]) -> Iterator[Key]:
    """Cases on one architecture each."""
    for number, name in enumerate(names):
        architecture = architectures[number % len(architectures)]
        yield Key(suite, name, architecture, SCHEDULES[number % 2], number)


@cache
def suites() -> Mapping[str, Mapping[str, Callable[[], Runnable]]]:
    """Functions that make a case, by suite and name."""
    made: dict[str, dict[str, Callable[[], Runnable]]] = {
        design: {case.name: partial(_convolution, design, case) for case in cases}
        for design, cases in convolutions().items()
    }
    for name, module in (("noise", noise), ("recurrent", recurrent), ("sampler", sampler)):
        made[name] = {case: partial(_case, make) for case, make in module.CASES.items()}
    for dtype in ("fp16", "bf16", "fp32"):
        made[f"pointwise-{dtype}"] = {
            case: partial(_case, partial(make, dtype)) for case, make in pointwise.CASES.items()
        }
    return made


@cache
def convolutions() -> Mapping[str, tuple[Case, ...]]:
    """Cases of each design; those of the tensor cores' wide tiles are called wide."""
    grid = [_taken("shifted_grid", case, _GRID) for case in conv_transpose.CASES]
    return {
        "position_major": (
            *conv_transpose.CASES,
            Case("wide", _FLAT(64, 48, activation="relu"), 70, WIDE),
            Case("wide-bf16", _FLAT(32, 32, operand="bf16", output="bf16"), 65, WIDE),
        ),
        "position_rows": (
            *(case for case in conv_transpose.ROWS if case.name in _ROWS),
            Case("wide", _IMAGE(32, 32, activation="relu"), 5, WIDE),
        ),
        "general": conv_transpose.GENERAL,
        "shifted_grid": (
            *(case for case in grid if case),
            Case("wide", _IMAGE(32, 32, activation="leaky_relu"), 5, replace(WIDE, columns=128)),
        ),
        "grouped_columns": (
            Case("image", _IMAGE(16, 3, activation="tanh", output="uint8"), 3, _group(9)),
            Case("image-two-groups", _IMAGE(16, 3, activation="tanh"), 2, _group(2)),
            Case("image-one-channel", _IMAGE(16, 1, output="fp32"), 3, _group(3)),
            Case("image-bf16", _IMAGE(16, 4, operand="bf16", output="bf16"), 2, _group(2)),
            Case("sound", conv_transpose.forward((37,), (7,), padding=3)(16, 1), 3, _group(2)),
            Case("wide", _IMAGE(32, 3, activation="tanh"), 9, replace(WIDE, group=2)),
        ),
        "descriptors": (
            Case("map", _IMAGE(24, 16, activation="relu"), 3, _BOXES),
            Case("map-uint8", _IMAGE(16, 16, activation="tanh", output="uint8"), 2, _BOXES),
            Case("map-bf16", _IMAGE(16, 16, operand="bf16", output="bf16"), 2, _BOXES),
            Case("vocoder", transposed((6,), (16,), stride=8, padding=4)(16, 16), 2, _BOXES),
            Case("wide", _IMAGE(32, 32, activation="relu"), 9, WIDE),
        ),
    }


def _group(columns: int) -> Tile:
    return replace(_COLUMNS, group=columns)


def _taken(design: str, case: Case, tile: Tile) -> Case | None:
    if load_design(design).refuses(case.problem, 90) is not None:
        return None
    return replace(case, tile=replace(tile, columns=max(tile.columns, case.tile.columns)))


def _convolution(design_name: str, case: Case) -> Runnable:
    design = load_design(design_name)
    data = conv_transpose.make(case, algorithm="fp32" if design_name == "general" else None)
    launches = design.launches(conv_transpose.pack(design, case, data), data.x, data.out)
    return launches, lambda: conv_transpose.check(case, data)


def _case(make: Callable[[], object]) -> Runnable:
    case = make()
    return case.launches, case.wrong
