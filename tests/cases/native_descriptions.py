"""A small valid operation of every native kind, and what a mistaken caller could make of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.native.network import Form, Network, Space, Value

CAPACITY = 16
# Sizes, steps and counts as no network has them.
EXTREMES = (-(2**63), -1, 0, 1, 33, 65537, 2**24 + 1, 2**31 - 1, 2**31, 2**62, 2**63 - 1)
# Larger arrays are said to be there, but are not given.
_MOST_FLOATS = 1 << 20


@dataclass(frozen=True)
class Place:
    """A value without its offset; space and form as the library numbers them."""

    form: int
    positions: int
    channels: int
    space: int = Space.ARENA


@dataclass(frozen=True)
class Described:
    """What `Network.add` takes."""

    kind: str
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    integers: tuple[int, ...] = ()
    numbers: tuple[float, ...] = ()
    arrays: tuple[int | None, ...] = ()  # floats of each
    # The same operation with other integers, and values and arrays as large as they ask for.
    fitted: Callable[[tuple[int, ...]], Described] | None = field(default=None, compare=False)

    def add(self, network: Network) -> int:
        """Add it to a network. Raises what that raises."""
        offset = 0
        values: list[list[Any]] = []
        for places in (self.inputs, self.outputs):
            values.append([])
            for i, place in enumerate(places):
                at = offset if place.space == Space.ARENA else i
                value = _value(place, at)
                values[-1].append(value)
                if place.form in list(Form) and place.space == Space.ARENA:
                    offset += max(-(-value.bytes(CAPACITY) // 64) * 64, 0)
        return network.add(
            self.kind,
            values[0],
            values[1],
            integers=self.integers,
            numbers=self.numbers,
            arrays=[None if size is None else _zeros(size) for size in self.arrays],
        )


def _value(place: Place, offset: int) -> Value:
    def signed(number: int) -> int:
        return (number + 2**63) % 2**64 - 2**63

    return Value(
        place.form,  # type: ignore[arg-type]
        place.space,  # type: ignore[arg-type]
        signed(offset),
        signed(place.positions),
        signed(place.channels),
    )


def _zeros(size: int) -> NDArray[np.float32]:
    return np.zeros(min(max(size, 0), _MOST_FLOATS), np.float32)


def _layer(
    kind: str,
    source: Form,
    target: Form,
    more: tuple[int, ...],
    numbers: tuple[float, ...] = (),
) -> Described:
    """A transposed convolution of two axes, 3 by 4 to 6 by 8, 4 channels to 3."""
    sizes = (3, 4, 6, 8, 4, 4, 2, 2, 1, 1, 1, 1)
    where = Space.ARENA if target in (Form.LANES, Form.ROWS, Form.PLAIN16) else Space.OUTPUT

    def fitted(integers: tuple[int, ...]) -> Described:
        rank = min(max(integers[1], 0), 3)
        axes = integers[2 : 2 + 6 * rank]
        channels = integers[2 + 6 * rank : 5 + 6 * rank]
        if len(axes) < 6 * rank or len(channels) < 3:
            axes, channels = sizes, (4, 3, 1)
            rank = 2
        into, out, groups = channels
        taps = math.prod(axes[2 * rank : 3 * rank])
        return Described(
            kind,
            (Place(source, math.prod(axes[:rank]), into),),
            (Place(target, math.prod(axes[rank : 2 * rank]), out, where),),
            integers,
            (0.0, *numbers),
            (taps * (into // groups if groups else 0) * out, out),
            fitted,
        )

    return fitted((1, 2, *sizes, 4, 3, 1, 0, *more))


def _shaped(
    kind: str,
    form: Form,
    integers: tuple[int, ...],
    shapes: Callable[[tuple[int, ...]], tuple[Sequence[int], ...]],
    numbers: tuple[float, ...] = (),
    arrays: Callable[[tuple[int, ...]], tuple[int | None, ...]] = lambda integers: (),
) -> Described:
    """`shapes` gives those of the inputs and, last, of the output."""

    def place(shape: Sequence[int]) -> Place:
        return Place(form, math.prod(shape[:-1]), shape[-1] if shape else 1)

    def fitted(given: tuple[int, ...]) -> Described:
        places = tuple(place(shape) for shape in shapes(given))
        return Described(kind, places[:-1], places[-1:], given, numbers, arrays(given), fitted)

    return fitted(integers)


def _times(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    return tuple(x * y for x, y in zip(a, b, strict=True))


_SHAPE = (3, 4, 6)
_LANES, _PLAIN = Form.LANES, Form.PLAIN

DESCRIPTIONS: dict[str, Described] = {
    "lanes": _layer("lanes_convolution", _LANES, _LANES, (0,)),
    "winograd": _layer("lanes_convolution", _LANES, _LANES, (2,)),
    "rows": _layer("rows_convolution", Form.ROWS, Form.ROWS, ()),
    "rows-images": _layer("rows_images", Form.ROWS, Form.IMAGES, (), numbers=(-1.0, 1.0)),
    "positions": _layer("positions_convolution", _PLAIN, Form.IMAGES, (), numbers=(-1.0, 1.0)),
    "positions-bf16": _layer(
        "positions_convolution", Form.PLAIN16, Form.PLAIN16, (), numbers=(-1.0, 1.0)
    ),
    "convert": Described(
        "convert", (Place(_PLAIN, 12, 6, Space.INPUT),), (Place(_LANES, 12, 6),), (3,)
    ),
    "elementwise": Described(
        "elementwise", (Place(_LANES, 12, 6),), (Place(_LANES, 12, 6),), (3, 1), (0.0, 0.0)
    ),
    "add": Described("add", (Place(_LANES, 12, 6),) * 2, (Place(_LANES, 12, 6),), (3, 0), (0.0,)),
    "affine": _shaped(
        "affine",
        _LANES,
        (3, 0, 3, *_SHAPE, 1, 1, 6, 1, 1, 6),
        lambda n: (n[3:6], n[3:6]),
        (0.0,),
        lambda n: (math.prod(n[6:9]), math.prod(n[9:12])),
    ),
    "prelu": _shaped(
        "prelu",
        Form.ROWS,
        (3, 3, *_SHAPE, 1, 1, 6),
        lambda n: (n[2:5], n[2:5]),
        (),
        lambda n: (math.prod(n[5:8]),),
    ),
    "binary": _shaped(
        "binary",
        _PLAIN,
        (1, 0, 0, 3, *_SHAPE, 1, 4, 1),
        lambda n: (n[4:7], n[7:10], n[4:7]),
        (0.0,),
    ),
    "constant": Described("constant", (), (Place(_LANES, 12, 6),), (), (), (72,)),
    "concat": _shaped(
        "concat",
        _LANES,
        (3, 1, 3, 3, 10, 6, 4, 6),
        lambda n: ((n[3], n[6], n[5]), (n[3], n[7], n[5]), n[3:6]),
    ),
    "permute": _shaped(
        "permute",
        _LANES,
        (4, 3, *_SHAPE, 1, 0, 2),
        lambda n: (n[2:5], (n[3], n[2], n[4])),
    ),
    "slice": _shaped(
        "slice",
        _PLAIN,
        (1, 3, *_SHAPE, 0, 1, 2, 2, 3, 4, 1, 1, 1),
        lambda n: (n[2:5], n[8:11]),
    ),
    "pad": _shaped(
        "pad",
        _LANES,
        (1, 1, 3, *_SHAPE, 1, 2, 0, 1, 0, 0),
        lambda n: (n[3:6], [a + b + c for a, b, c in zip(n[3:6], n[6:9], n[9:12], strict=True)]),
        (0.5,),
    ),
    "upsample": _shaped(
        "upsample",
        _LANES,
        (1, 3, *_SHAPE, 2, 2),
        lambda n: (n[2:5], (*_times(n[2:4], n[5:7]), n[4])),
    ),
    "resample": _shaped(
        "resample",
        _LANES,
        (1, 3, *_SHAPE, 6, 4),
        lambda n: (n[2:5], (*n[5:7], n[4])),
        (),
        lambda n: (n[5] * n[2], None),
    ),
    "pool": _shaped(
        "pool",
        _LANES,
        (1, 0, 2, 3, 4, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1, 0, 1),
        lambda n: ((*n[3:5], 6), (*n[5:7], 6)),
    ),
    "reduce": _shaped("reduce", _LANES, (0, 3, *_SHAPE, 1, 1, 0), lambda n: (n[2:5], (1, 1, n[4]))),
    "matmul": _shaped(
        "matmul",
        _LANES,
        (2, 3, 4, 5),
        lambda n: ((n[0], n[1], n[2]), (n[0], n[2], n[3]), (n[0], n[1], n[3])),
    ),
    "softmax": Described("softmax", (Place(_PLAIN, 12, 6),), (Place(_PLAIN, 12, 6),)),
    "layer_norm": Described(
        "layer_norm", (Place(_LANES, 12, 6),), (Place(_LANES, 12, 6),), (), (1e-5,), (6, 6)
    ),
    "instance_norm": Described(
        "instance_norm",
        (Place(_PLAIN, 12, 6),),
        (Place(_PLAIN, 12, 6),),
        (3, 0),
        (1e-5, 0.0),
        (6, 6),
    ),
    "embedding": Described(
        "embedding", (Place(Form.INDEX, 2, 1, Space.INPUT),), (Place(_LANES, 2, 6),), (), (), (60,)
    ),
    "lstm": _shaped(
        "recurrent",
        _LANES,
        (0, 0, 0, 5, 4, 3),
        lambda n: ((n[3], n[4]), (n[3], n[5])),
        (),
        lambda n: (n[4] * 4 * n[5], n[5] * 4 * n[5], 4 * n[5], 4 * n[5]),
    ),
    "gru": _shaped(
        "recurrent",
        _PLAIN,
        (1, 1, 1, 5, 4, 3),
        lambda n: ((n[3], n[4]), (n[3], n[5])),
        (),
        lambda n: (n[4] * 3 * n[5], n[5] * 3 * n[5], 3 * n[5], 3 * n[5]),
    ),
}


def mistaken(valid: Described, random: Random, pairs: int) -> Iterator[Described]:
    """The description with one integer or size changed to each extreme, then `pairs` with two."""
    for i in range(len(valid.integers)):
        for extreme in EXTREMES:
            yield from _both(valid, {i: extreme})
    for _ in range(pairs if valid.integers else 0):
        places = random.choices(range(len(valid.integers)), k=random.choice((2, 2, 3)))
        yield from _both(valid, {i: random.choice(EXTREMES) for i in places})
    for name in ("inputs", "outputs"):
        values = getattr(valid, name)
        for i, value in enumerate(values):
            for what in ("form", "space", "positions", "channels"):
                numbers = range(-1, 9) if what in ("form", "space") else EXTREMES
                for number in numbers:
                    changed = replace(value, **{what: number})
                    yield replace(valid, **{name: (*values[:i], changed, *values[i + 1 :])})
        yield replace(valid, **{name: values[:-1]})
        yield replace(valid, **{name: values * 9})
    for name in ("integers", "numbers", "arrays"):
        given = getattr(valid, name)
        yield replace(valid, **{name: given[:-1]})
        yield replace(valid, **{name: (*given, *given, 1)})
    for i in range(len(valid.arrays)):
        for size in (None, 0, 1):
            yield replace(valid, arrays=(*valid.arrays[:i], size, *valid.arrays[i + 1 :]))


def _both(valid: Described, changes: dict[int, int]) -> Iterator[Described]:
    """With values as they were, and with those that the integers ask for."""
    integers = tuple(changes.get(i, n) for i, n in enumerate(valid.integers))
    yield replace(valid, integers=integers)
    if valid.fitted is not None:
        yield valid.fitted(integers)
