"""Which layer of one side is which of the other: by name where names persist, else by order.

Names of values persist from ONNX to ONNX and to a Program, names of weights from PyTorch to ONNX.
What is left over is paired in order if the sizes agree all the way; if one side has more, where
there is one way alone to pair the others with it; and otherwise not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.layerwise.layers import Layer, Reading


@dataclass(frozen=True, slots=True)
class Pair:
    """A layer by both sides, and the value of it that both have."""

    a: Layer
    b: Layer
    ours: Reading
    theirs: Reading


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A layer of one side, "a" or "b", that the other has nothing to compare with."""

    side: str
    layer: Layer
    reason: str


def match(a: Sequence[Layer], b: Sequence[Layer]) -> tuple[list[Pair], list[Unmatched]]:
    """Pairs in the order of `a`, and what is left over."""
    partner: dict[int, tuple[int, Reading, Reading]] = {}
    taken: set[int] = set()

    def pair(i: int, j: int, found: tuple[Reading, Reading] | None) -> None:
        if found is not None and i not in partner and j not in taken:
            partner[i] = (j, *found)
            taken.add(j)

    named = {r.name: (j, r) for j, layer in enumerate(b) for r in layer.readings if r.name}
    for i, layer in enumerate(a):
        for reading in reversed(layer.readings):
            j, other = named.get(reading.name, (-1, None))
            if other is not None and b[j].first == layer.first and _fit(reading, other):
                pair(i, j, (reading, other))
                break
    weights = {layer.weight: j for j, layer in enumerate(b)}
    shared = Counter(layer.weight for layer in a) + Counter(layer.weight for layer in b)
    for i, layer in enumerate(a):
        # A weight that serves twice names no layer.
        if layer.weight and layer.weight in weights and shared[layer.weight] == 2:
            j = weights[layer.weight]
            pair(i, j, _ends(layer, b[j]))
    ours = [i for i, layer in enumerate(a) if i not in partner and not layer.first]
    theirs = [j for j, layer in enumerate(b) if j not in taken and not layer.first]
    for i, j in _in_order([a[i] for i in ours], [b[j] for j in theirs]):
        pair(ours[i], theirs[j], _ends(a[ours[i]], b[theirs[j]]))
    ours = [i for i in ours if i not in partner]
    theirs = [j for j in theirs if j not in taken]
    reason = _reason(len(ours), len(theirs))
    left = [Unmatched("a", a[i], _own_reason(a[i]) or reason) for i in ours]
    left += [Unmatched("b", b[j], _own_reason(b[j]) or reason) for j in theirs]
    pairs = [Pair(a[i], b[j], one, other) for i, (j, one, other) in sorted(partner.items())]
    return pairs, left


def _in_order(a: Sequence[Layer], b: Sequence[Layer]) -> list[tuple[int, int]]:
    """Places of layers that belong together, where there is one way alone to say so."""
    if len(a) == len(b) and all(_ends(one, other) for one, other in zip(a, b, strict=True)):
        return [(place, place) for place in range(len(a))]
    if len(a) > len(b):
        return [(i, j) for j, i in _in_order(b, a)]
    first = _within(a, b)
    last = _within(a[::-1], b[::-1])
    if first is None or last is None:
        return []
    mirrored = [len(b) - 1 - j for j in reversed(last)]
    return list(enumerate(first)) if first == mirrored else []


def _within(few: Sequence[Layer], many: Sequence[Layer]) -> list[int] | None:
    """The earliest place in `many` of each of `few`, all in order, or None."""
    places: list[int] = []
    start = 0
    for layer in few:
        fits = (j for j in range(start, len(many)) if _same_kind(layer, many[j]))
        place = next(fits, None)
        if place is None:
            return None
        places.append(place)
        start = place + 1
    return places


def _same_kind(a: Layer, b: Layer) -> bool:
    return _family(a) == _family(b) and _ends(a, b) is not None


def _family(layer: Layer) -> str:
    """Convolutions, recurrent cells and matrix products, by whatever name."""
    name = layer.operator.lower()
    if name.startswith("conv"):
        return "convolution"
    return "recurrent" if name in ("lstm", "gru", "rnn", "recurrent") else "matrix product"


def _ends(a: Layer, b: Layer) -> tuple[Reading, Reading] | None:
    """The last values of a size that both layers have: what the next layer reads.

    One side may have moved or repeated the numbers within the layer, and the other in the next.
    """
    for theirs in reversed(b.readings):
        for ours in reversed(a.readings):
            if _fit(ours, theirs):
                return ours, theirs
    return None


def _fit(ours: Reading, theirs: Reading) -> bool:
    """Whether two values can be the same: the same shape, where axes have a fixed order."""
    if ours.array.size != theirs.array.size:
        return False
    if ours.loose or theirs.loose:
        return True
    return _bare(ours) == _bare(theirs) or 1 in (len(_bare(ours)), len(_bare(theirs)))


def _bare(reading: Reading) -> list[int]:
    return [size for size in reading.array.shape[1:] if size != 1]


def _own_reason(layer: Layer) -> str:
    return "" if layer.readings else "its values have no order that the other side has"


def _reason(ours: int, theirs: int) -> str:
    if ours and theirs:
        return "no names in common, and not the same sizes in order"
    return "the other side has no such layer"
