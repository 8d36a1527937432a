"""Which class each sample is asked for: by index, by name, one for all, one each, or random."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.core.errors import OptionError
from engine.core.hints import nearest
from engine.latents import random_labels

RANDOM = "random"
Labels = int | str | Sequence[int | str] | ArrayLike | None


@dataclass(frozen=True)
class LabelPlan:
    """Labels of samples start .. start + n, checked once and made a batch at a time.

    fixed is None (random labels), one index (all alike) or n indices. Unconditional models have no
    plan at all.
    """

    classes: int
    seed: int
    start: int
    fixed: int | NDArray[np.int64] | None

    def batch(self, first: int, count: int) -> NDArray[np.int64]:
        """Labels of samples first .. first + count; padding outside the range gets class 0."""
        if self.fixed is None:
            return random_labels(self.classes, self.seed, first, count)
        if isinstance(self.fixed, int):
            return np.full(count, self.fixed, np.int64)
        offset = first - self.start
        if offset >= 0 and offset + count <= len(self.fixed):
            return self.fixed[offset : offset + count]
        index = np.arange(count) + offset
        inside = (index >= 0) & (index < len(self.fixed))
        return np.where(inside, self.fixed[np.where(inside, index, 0)], 0)


def plan_labels(
    labels: Labels, names: Sequence[str], n: int, seed: int, start: int, model: str
) -> LabelPlan | None:
    """Check `labels` against the model's class names. Raises OptionError.

    None and "random" mean random labels from their own stream, for a conditional model.
    """
    if not names:
        if labels is None:
            return None
        raise OptionError(f"labels={labels!r} were given, but {model!r} is an unconditional model")
    if labels is None or (isinstance(labels, str) and labels == RANDOM):
        return LabelPlan(len(names), seed, start, None)
    given = _scalar_or_list(labels)
    if not isinstance(given, list):
        return LabelPlan(len(names), seed, start, class_index(given, names))
    if len(given) != n:
        raise OptionError(
            f"{len(given)} labels were given for n={n} samples; give {n}, or a single class "
            "instead of a list"
        )
    indices = np.array([class_index(label, names) for label in given], np.int64)
    return LabelPlan(len(names), seed, start, indices)


def require_labels(labels: Labels, names: Sequence[str], model: str) -> None:
    """Raise OptionError if a conditional model is given None where random makes no sense."""
    if names and labels is None:
        raise OptionError(
            f"{model!r} has {len(names)} classes; say which with labels= (a class, one for each "
            "row, or 'random')"
        )


def class_index(label: Any, names: Sequence[str]) -> int:
    """The index of a class given by name, or by number. Raises OptionError for an unknown one."""
    if isinstance(label, str):
        if label in names:
            return list(names).index(label)
        if not re.fullmatch(r"-?[0-9]+", label):
            raise OptionError(f"unknown class {label!r}; {nearest(label, names)}")
    elif isinstance(label, (bool, np.bool_)) or not isinstance(label, (int, np.integer)):
        raise OptionError(f"label {label!r} must be a class index or a class name")
    index = int(label)
    if not 0 <= index < len(names):
        raise OptionError(f"label {label} is out of range; classes are 0 to {len(names) - 1}")
    return index


def _scalar_or_list(labels: Any) -> Any:
    """Python values out of whatever holds labels in order. Raises OptionError for the rest."""
    if isinstance(labels, (int, str, np.integer)):
        return labels
    if isinstance(labels, (list, tuple, range)):
        return list(labels)
    if not hasattr(labels, "__array__"):
        raise OptionError(
            f"labels of type {type(labels).__name__} have no order or no meaning here; give a "
            "class, a list or an array"
        )
    array = np.asarray(labels)
    if array.ndim > 1:
        raise OptionError(f"labels have shape {array.shape}; give one dimension")
    return array.tolist()
