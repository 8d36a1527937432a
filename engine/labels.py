"""Which class each sample is asked for: by index, by name, one for all, one each, or random."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import OptionError
from engine.latents import random_labels

RANDOM = "random"
Labels = int | str | Sequence[int | str] | NDArray[np.integer] | None


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
        index = np.arange(first, first + count) - self.start
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
    if isinstance(labels, (int, str, np.integer)):
        return LabelPlan(len(names), seed, start, class_index(labels, names))
    if len(labels) != n:
        raise OptionError(f"{len(labels)} labels were given for n={n} samples; give {n}, or one")
    return LabelPlan(len(names), seed, start, _indices(labels, names))


def class_index(label: int | str | np.integer, names: Sequence[str]) -> int:
    """The index of a class given by name, or by number. Raises OptionError for an unknown one."""
    if isinstance(label, str):
        if label in names:
            return list(names).index(label)
        if not label.lstrip("-").isdigit():
            close = difflib.get_close_matches(label, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known are {_listed(names)}"
            raise OptionError(f"unknown class {label!r}{hint}")
    if isinstance(label, (bool, np.bool_)) or not isinstance(label, (int, str, np.integer)):
        raise OptionError(f"label {label!r} must be a class index or a class name")
    index = int(label)
    if not 0 <= index < len(names):
        raise OptionError(f"label {label} is out of range; classes are 0 to {len(names) - 1}")
    return index


def _indices(
    labels: Sequence[int | str] | NDArray[np.integer], names: Sequence[str]
) -> NDArray[np.int64]:
    if isinstance(labels, np.ndarray) and np.issubdtype(labels.dtype, np.integer):
        if labels.ndim != 1:
            raise OptionError(f"labels have shape {labels.shape}; give one dimension")
        wrong = labels[(labels < 0) | (labels >= len(names))]
        if wrong.size:
            raise OptionError(
                f"label {wrong[0]} is out of range; classes are 0 to {len(names) - 1}"
            )
        return labels.astype(np.int64)
    return np.array([class_index(label, names) for label in labels], np.int64)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown}, ... ({len(names)} classes)"
