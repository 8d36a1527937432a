"""Where the figures of the promises come from, and why one is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.layer_suite import LAYERS
from benchmarks.ratios import Spread, best, flagship, headline, matmul_share, named, speedup, timed
from benchmarks.results import Case, Contestant, ImageCost, Results

FEWEST_ROUNDS = 13
_STREAMED = 1_000_000
_PRECISIONS = ("fp32", "bf16")
_MB = 1e6


@dataclass(frozen=True)
class Part:
    """One figure of a promise with its spread and image cost, or why there is none."""

    label: str
    figure: Spread | None = None
    reason: str = ""
    cost: ImageCost | None = None


Parts = Callable[[Sequence[Results]], Iterator[Part]]
Figure = Callable[[Case], Spread | str]


def models(
    names: Sequence[str],
    batches: Sequence[int] = (64, 1024),
    precisions: Sequence[str] = _PRECISIONS,
    of: Figure | None = None,
) -> Parts:
    """Models at all of these batch sizes and precisions, to uint8; against peers by default."""

    def parts(runs: Sequence[Results]) -> Iterator[Part]:
        for name in names:
            for batch in batches:
                for precision in precisions:
                    label = f"{name} n={batch} {precision}"
                    key = ("model", name, "", str(batch), f"{precision} uint8", "cpu")
                    yield from _parts(label, runs, partial(_has_key, key), of)

    return parts


def layers(runs: Sequence[Results]) -> Iterator[Part]:
    """All layers of the suite, against peers."""
    for layer in LAYERS:
        for precision in _PRECISIONS:
            wanted = partial(_is_layer, layer.name, precision)
            yield from _parts(f"{layer.name} {precision}", runs, wanted)


def stage(life: str, models: Sequence[str], name: str | None = None) -> Parts:
    """A stage of models against its yardstick: contestant `name` as a rate, or ours as a time."""

    def figure(case: Case) -> Spread | str:
        yardstick = best(case, "yardstick")
        ours = named(case, name) if name else flagship(case)
        if yardstick is None or ours is None:
            return _why_not(case, name)
        return speedup(ours, yardstick) if name else speedup(yardstick, ours)

    def parts(runs: Sequence[Results]) -> Iterator[Part]:
        for model in models:
            yield from _parts(f"{model} {life}", runs, partial(_is_stage, model, life), figure)

    return parts


def stream(runs: Sequence[Results]) -> Iterator[Part]:
    """Memory of the long stream above that of the model, in MB."""

    def figure(case: Case) -> Spread | str:
        peaks = [one.peak_bytes / _MB for one in timed(case, "ours") if one.peak_bytes is not None]
        if case.batch < _STREAMED or not peaks:
            return f"the longest stream was of {case.batch:,} images" if peaks else _why_not(case)
        return Spread(min(peaks), max(peaks), max(peaks))

    yield from _parts("stream", runs, lambda case: case.stage == "stream", figure, rounds=1)


def _parts(
    label: str,
    runs: Sequence[Results],
    wanted: Callable[[Case], bool],
    of: Figure | None = None,
    rounds: int = FEWEST_ROUNDS,
) -> Iterator[Part]:
    found = [(run, case) for run in runs for case in run.cases if wanted(case)]
    if not found:
        yield Part(label, reason="no such case in the results")
    for run, case in found:
        reason = _unfit(run, case, rounds)
        figure = reason or (of or of_peer)(case)
        if isinstance(figure, str):
            yield Part(case.label, reason=figure)
        else:
            ours = flagship(case)
            yield Part(case.label, figure, cost=ours.image_cost if ours else None)


def _unfit(run: Results, case: Case, rounds: int) -> str | None:
    if case.skipped:
        return case.skipped
    if not any(name.startswith("amx") for name in run.machine.isa):
        return f"no AMX on {run.machine.cpu}"
    fewest = min((len(one.seconds) for one in timed(case)), default=0)
    if 0 < fewest < rounds:
        return f"{fewest} rounds; {rounds} are needed"
    return None


def of_peer(case: Case) -> Spread | str:
    """Speed over the best peer's, or why there is none."""
    found = headline(case)
    return found[2] if found else _why_not(case)


def of_matmul(case: Case) -> Spread | str:
    """Useful FLOP/s over those of the matrix product, or why there are none."""
    ours = flagship(case)
    share = matmul_share(case, ours) if ours else None
    if share is None:
        return _why_not(case) if ours is None else "no matrix product was timed beside it"
    return share


def _why_not(case: Case, name: str | None = None) -> str:
    """Reasons of the contestants that are missing."""
    asked = [one for one in case.contestants if name in (None, one.name) or one.role != "ours"]
    reasons = [_reason(one) for one in asked if one.not_measured]
    return "; ".join(reasons) or "no contestant to hold it against"


def _reason(contestant: Contestant) -> str:
    return f"{contestant.name}: {contestant.not_measured}"


def _has_key(key: tuple[str, ...], case: Case) -> bool:
    return case.key == key


def _is_stage(model: str, life: str, case: Case) -> bool:
    return (case.name, case.stage) == (model, life)


def _is_layer(name: str, precision: str, case: Case) -> bool:
    found = (case.kind, case.name, case.precision, case.device)
    return found == ("layer", name, precision, "cpu")
