"""An optional short measurement that refines the choices, kept per processor and model.

Off unless `Engine(tune=True)` or the environment variable GENERATOR_TUNE asks for it. Greedy, one
thing after the other, each against what stands: size of the micro-batch, bands, algorithms of
layers. What stands gives way only to what is at least 3 % faster (`duel`).

Bits of samples do not depend on micro-batches and bands. They do on the algorithm of a layer,
within the same budget of error: manifests name the layers that do not run as by default.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from engine.backends._native import duel, kept
from engine.backends._native.candidates import Contestant, Decoder, Layer, layers
from engine.backends._native.choices import ALGORITHMS, Choices
from engine.backends._native.duel import Gain
from engine.backends._native.kept import Found
from engine.backends._native.plan import PlacedStep, Plan
from engine.core.errors import EngineError, OptionError, OutputError, UnsupportedError
from engine.program.gen import Gen

VARIABLE = "GENERATOR_TUNE"

# Nothing is begun later than this; a run that is under way ends first.
BUDGET_S = 12.0
# What one challenger may take of it.
_SHARE = 0.2

_CAPACITIES = (16, 32, 48, 64)
_DIRECT, _WINOGRAD = ALGORITHMS.index("direct"), ALGORITHMS.index("Winograd")


def wanted(asked: bool | None) -> bool:
    """Whether to measure: as asked, or as the environment says where nobody did."""
    return os.environ.get(VARIABLE, "") not in ("", "0") if asked is None else asked


def tuned(
    gen: Gen, digest: str, choices: Choices, batch_size: int, folder: Path | None = None
) -> Choices:
    """The choices that were fastest here, measured now or before.

    Those for few images stay as they are. digest: hash of the artifact. folder: where results are
    kept instead of the user's cache. Nothing that fails here ends the engine: it is told instead.
    """
    if choices.few:
        few = "nothing: the path of few images has one way to run"
        return replace(choices, measured=(few,))
    of = kept.key(digest, choices, batch_size)
    try:
        file = kept.file_of(folder, of)
    # There is no home, and no folder of caches by name.
    except RuntimeError as error:
        return _measured(gen, choices, batch_size, f"measured, and not kept: {error}")
    known = kept.read(file, of)
    if known is not None:
        return known.applied(choices, "measured before")
    best = _measured(gen, choices, batch_size, "measured")
    if best.decided_by != "measured":
        return best
    try:
        kept.write(file, of, Found.of(best))
    except OutputError as error:
        return replace(best, decided_by=f"measured, and not kept: {error}")
    return best


def _measured(gen: Gen, choices: Choices, batch_size: int, decided_by: str) -> Choices:
    contest = _Contest(gen, choices, batch_size)
    try:
        contest.run()
    except (EngineError, MemoryError) as error:
        # The engine itself will say what is to be done, if it is the default that fails.
        told = f"defaults, as measuring failed: {error}"
        return replace(choices, decided_by=told, measured=tuple(contest.told))
    if contest.short and decided_by == "measured":
        decided_by = "measured, and not kept: the machine was short of memory or threads"
    return replace(contest.best, decided_by=decided_by, measured=tuple(contest.told))


class _Contest:
    """The best choices so far, and what was found on the way. At most two decoders are open."""

    def __init__(self, gen: Gen, choices: Choices, batch_size: int) -> None:
        self._gen = gen
        self._batch_size = batch_size
        self._deadline_s = time.monotonic() + BUDGET_S
        self.best = choices
        self.told: list[str] = []
        # Whether something did not fit, which may do another time.
        self.short = False
        self._late: list[str] = []

    def run(self) -> None:
        """Try everything in turn, as long as there is time."""
        most = -(-self._batch_size // 16) * 16
        for capacity in _CAPACITIES:
            if capacity != self.best.capacity and capacity <= most:
                self._try(replace(self.best, capacity=capacity), f"micro-batches of {capacity}")
        self._try_bands()
        algorithms = self._faster_layers()
        if algorithms:
            named = ", ".join(f"{name} {ALGORITHMS[kind]}" for name, kind in algorithms.items())
            self._try(replace(self.best, algorithms=algorithms), named)
        if self._late:
            self.told.append(f"no time in {BUDGET_S:g} s for {', '.join(self._late)}")

    def _try(self, challenger: Choices, name: str) -> None:
        """Take the challenger if it is faster than what stands."""
        found = self._gain(
            name,
            lambda: self._decoder(self.best),
            lambda: self._decoder(challenger),
        )
        if found is not None and found.wins:
            self.best = challenger

    def _try_bands(self) -> None:
        challenger = replace(self.best, bands=True)
        with self._decoder(challenger) as decoder:
            banded = decoder.plan().banded
        if banded:
            self._try(challenger, "bands of rows")

    def _faster_layers(self) -> dict[str, int]:
        """The layers that are faster by themselves with another algorithm, and which."""
        with self._decoder(self.best) as decoder:
            plan = decoder.plan()
        found: dict[str, int] = {}
        for name, placed in layers(plan).items():
            best = 1.0
            for algorithm in (_WINOGRAD, _DIRECT):
                what = f"{name} {ALGORITHMS[algorithm]}"
                try:
                    gain = self._layer_gain(what, plan, placed, algorithm)
                except UnsupportedError:
                    # Where Winograd cannot be, direct is all there is.
                    break
                if gain is not None and gain.wins and gain.median > best:
                    best, found[name] = gain.median, algorithm
        return found

    def _layer_gain(self, what: str, plan: Plan, placed: PlacedStep, algorithm: int) -> Gain | None:
        return self._gain(
            f"{what} alone",
            lambda: Layer(plan, placed, 0),
            lambda: Layer(plan, placed, algorithm),
        )

    def _decoder(self, choices: Choices) -> Decoder:
        return Decoder(self._gen, choices, self._batch_size)

    def _gain(
        self,
        name: str,
        default: Callable[[], Contestant],
        challenger: Callable[[], Contestant],
    ) -> Gain | None:
        """How many times as fast a challenger is, None if that could not be found out."""
        now_s = time.monotonic()
        if now_s > self._deadline_s:
            self._late.append(name)
            return None
        try:
            with ExitStack() as stack:
                one = stack.enter_context(default())
                other = stack.enter_context(challenger())
                until_s = min(self._deadline_s, now_s + BUDGET_S * _SHARE)
                found = duel.gain(one.seconds, other.seconds, until_s)
        except UnsupportedError:
            raise
        except (OptionError, MemoryError) as error:
            self.short = True
            self.told.append(f"{name} was not tried: {error}")
            return None
        if found is None:
            self._late.append(name)
        else:
            self.told.append(f"{name} {found}")
        return found
