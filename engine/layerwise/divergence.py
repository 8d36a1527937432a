"""Every layer of two engines on a few samples, and the first that is beyond a tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from engine.layerwise.arrange import arranged
from engine.layerwise.layers import Reader, Samples
from engine.layerwise.match import Pair, Unmatched, match

if TYPE_CHECKING:
    from engine.api import Engine

# Values between layers of one sample are about a hundred times an image.
_MOST_VALUES = 200_000


@dataclass(frozen=True, slots=True)
class LayerRow:
    """How far two values of one layer are apart over all samples.

    relative_error: the largest error over the largest number of side A in the layer.
    psnr_db: the peak being that largest number; infinite where they are equal.
    finite: whether all numbers of A, and of B, are. If not, everything is infinitely far apart.
    """

    entry_point: str
    name: str
    operator: str
    shape: tuple[int, ...]
    max_error: float
    mean_error: float
    relative_error: float
    psnr_db: float
    finite: tuple[bool, bool]


@dataclass(frozen=True, slots=True)
class LayerTolerance:
    """The largest error, of the largest number in a layer, and the smallest PSNR, or None.

    The one sees a single number that is wrong, the other that all are by a little.
    """

    relative_error: float
    min_psnr_db: float | None = None

    def holds(self, row: LayerRow) -> bool:
        """Whether a layer is within; NaN and infinity never are."""
        least = self.min_psnr_db
        return row.relative_error <= self.relative_error and (least is None or row.psnr_db >= least)


@dataclass(frozen=True, slots=True)
class Divergence:
    """Layers in the order of A, their tolerance, and what has no partner, by entry point."""

    rows: tuple[LayerRow, ...]
    unmatched: tuple[tuple[str, Unmatched], ...]
    tolerance: LayerTolerance
    samples: tuple[int, ...]

    def beyond(self, row: LayerRow) -> bool:
        """Whether a layer is farther apart than the tolerance."""
        return not self.tolerance.holds(row)

    @property
    def first_beyond(self) -> LayerRow | None:
        """The first such layer."""
        return next((row for row in self.rows if self.beyond(row)), None)


@dataclass(slots=True)
class _Sums:
    total: float = 0.0
    squares: float = 0.0
    values: int = 0
    error: float = 0.0
    largest: float = 0.0
    finite: list[bool] = field(default_factory=lambda: [True, True])

    def add(self, pair: Pair) -> None:
        ours, theirs = (array.astype(np.float64) for array in arranged(pair.ours, pair.theirs))
        for place, array in enumerate((ours, theirs)):
            self.finite[place] &= bool(np.isfinite(array).all())
        with np.errstate(invalid="ignore"):
            error = np.abs(ours - theirs)
        self.total += float(error.sum())
        self.squares += float(np.square(error).sum())
        self.values += error.size
        self.error = max(self.error, float(error.max(initial=0.0)))
        self.largest = max(self.largest, float(np.abs(ours).max(initial=0.0)))

    def row(self, entry_point: str, pair: Pair) -> LayerRow:
        named = next((side for side in (pair.a, pair.b) if side.weight), pair.a)
        shape = pair.ours.array.shape[1:]
        far, peak = math.inf, self.largest
        numbers = (far, far, far, -far)
        if all(self.finite):
            mean_square = self.squares / self.values
            numbers = (
                self.error,
                self.total / self.values,
                self.error / peak if peak else (far if self.error else 0.0),
                10 * math.log10(peak**2 / mean_square) if peak and mean_square else far,
            )
        finite = (self.finite[0], self.finite[1])
        operator = pair.a.operator or "inputs"
        return LayerRow(entry_point, named.name, operator, shape, *numbers, finite=finite)


def diverge(
    a: Engine,
    b: Engine,
    samples: Samples,
    entry_points: Sequence[str],
    tolerance: LayerTolerance,
) -> Divergence:
    """Read all layers of both on `samples`, a part at a time, and compare them.

    Raises OptionError for a side whose layers cannot be read, and what reading raises.
    """
    from engine.layerwise.sides import Side

    rows: list[LayerRow] = []
    unmatched: list[tuple[str, Unmatched]] = []
    with ExitStack() as cleanup:
        sides = [Side(engine, cleanup) for engine in (a, b)]
        for entry_point in entry_points:
            readers = [side.reader(entry_point) for side in sides]
            pairs, left, sums = _summed(readers, samples, _at_once(a, readers))
            rows += [item.row(entry_point, pair) for item, pair in zip(sums, pairs, strict=True)]
            unmatched += [(entry_point, item) for item in left]
    return Divergence(tuple(rows), tuple(unmatched), tolerance, samples.numbers)


def _summed(
    readers: Sequence[Reader], samples: Samples, at_once: int
) -> tuple[list[Pair], list[Unmatched], list[_Sums]]:
    pairs: list[Pair] = []
    left: list[Unmatched] = []
    sums: list[_Sums] = []
    for begin in range(0, len(samples.numbers), at_once):
        part = samples.part(begin, begin + at_once)
        pairs, left = match(*(reader.read(part) for reader in readers))
        sums = sums or [_Sums() for _ in pairs]
        for item, pair in zip(sums, pairs, strict=True):
            item.add(pair)
    return pairs, left, sums


def _at_once(engine: Engine, readers: Sequence[Reader]) -> int:
    by_size = max(1, _MOST_VALUES // max(1, math.prod(engine.spec.output.shape)))
    return min(by_size, *(reader.most or by_size for reader in readers))
