"""Values in order, grouped into layers, whatever ran them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Key = Hashable


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: what it reads and makes. `weight` names the parameter of a product."""

    name: str
    operator: str
    product: bool
    reads: tuple[Key, ...]
    makes: tuple[Key, ...]
    weight: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A product and what follows it, by the keys of what they make; what comes first has none."""

    product: Step | None
    makes: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A value [n, ...] of some samples.

    name: of the tensor, where names outlive conversion; ''.
    loose: its axes may lie in another order than those of the network (a Program's).
    """

    name: str
    array: Array
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """What was read of a layer, in order; `weight` is '' where the layer has no named weight."""

    name: str
    operator: str
    weight: str
    readings: tuple[Reading, ...]

    def part(self, count: int) -> Layer:
        """Of the first samples alone."""
        cut = tuple(Reading(r.name, r.array[:count], r.loose) for r in self.readings)
        return Layer(self.name, self.operator, self.weight, cut)

    @property
    def first(self) -> bool:
        """Whether it is what comes before the first product."""
        return not self.operator


@dataclass(frozen=True, slots=True)
class Samples:
    """Some samples of a seed: their numbers, latents, labels, and images for an encoder."""

    numbers: tuple[int, ...]
    seed: int
    z: Array
    labels: Array | None
    images: Array | None = None

    def part(self, begin: int, end: int) -> Samples:
        """Rows begin .. end."""
        rows = slice(begin, end)
        labels, images = (
            None if array is None else array[rows] for array in (self.labels, self.images)
        )
        return Samples(self.numbers[rows], self.seed, self.z[rows], labels, images)


class Reader(Protocol):
    """One side, ready to be read."""

    @property
    def most(self) -> int | None:
        """How many samples it takes at once, None for any."""
        ...

    def read(self, samples: Samples) -> list[Layer]:
        """The layers in the order in which they run."""
        ...


def grouped(steps: Iterable[Step], inputs: Collection[Key]) -> list[Group]:
    """What comes before the first product, then the layers in order.

    Steps that depend on no input make weights and belong to none, unless they are products: a
    first layer may read numbers of the model alone.
    """
    layer_of = dict.fromkeys(inputs, 0)
    products: list[Step | None] = [None]
    makes: list[list[Key]] = [[]]
    for step in steps:
        numbers = [layer_of[key] for key in step.reads if key in layer_of]
        if not numbers and not step.product:
            continue
        number = max(numbers, default=0)
        if step.product:
            products.append(step)
            makes.append([])
            number = len(products) - 1
        for key in step.makes:
            layer_of[key] = number
            # Written a second time, in place: the last value is the one that is read on.
            makes[number].append(key)
    return [Group(step, tuple(made)) for step, made in zip(products, makes, strict=True)]


def stem(weight: str) -> str:
    """The layer's name in that of its weight, whatever precision that is stored in."""
    for suffix in (".fp16", ".bf16", ".fp32", "_quantized"):
        weight = weight.removesuffix(suffix)
    return weight.removesuffix(".weight") if weight.endswith(".weight") else ""


def is_read(array: Any, count: int) -> bool:
    """Whether an array is a value of `count` samples that can be compared."""
    return (
        isinstance(array, np.ndarray)
        and array.ndim > 1
        and len(array) == count
        and np.issubdtype(array.dtype, np.floating)
    )
