"""The text of --labels, against the classes of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.core.errors import OptionError
from engine.labels import RANDOM, class_index

CYCLE = "cycle"

Labels = str | int | npt.NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """What --labels asks for: `value` is 'random', 'cycle', one class, one each, or None.

    'cycle' gives sample i the class i mod `classes`.
    """

    value: str | int | tuple[int, ...] | None
    classes: int

    def of(self, run: range, start: int) -> Labels:
        """Labels of the samples in `run`, as `Engine` takes them; `start` is the first of all."""
        if self.value == CYCLE:
            return np.arange(run.start, run.stop, dtype=np.int64) % self.classes
        if isinstance(self.value, tuple):
            return np.array(self.value[run.start - start : run.stop - start], np.int64)
        return self.value


def require_labels(text: str | None, names: Sequence[str]) -> None:
    """Raise OptionError if the model has classes and --labels does not say which.

    For samples that do not come from a seed: a class drawn at random is right for none of them.
    """
    if names and text is None:
        raise OptionError(
            f"the model has {len(names)} classes; name that of each sample (--labels 3,1,4), "
            "one for all, or 'random'"
        )


def parse_labels(
    text: str | None, names: Sequence[str], n: int, default: str | None = RANDOM
) -> LabelChoice:
    """Read --labels for `n` samples of a model with these class names.

    Raises OptionError for labels that the model or `n` does not allow. A class of the model that is
    called 'random' or 'cycle' can be asked for by its index.
    """
    if not names:
        if text is not None:
            raise OptionError(f"--labels {text}: the model is unconditional; leave --labels out")
        return LabelChoice(None, 0)
    if text is None or text in (RANDOM, CYCLE):
        return LabelChoice(text or default, len(names))
    if text in names or "," not in text:
        return LabelChoice(class_index(text, names), len(names))
    labels = tuple(class_index(part.strip(), names) for part in text.split(","))
    if len(labels) != n:
        raise OptionError(f"--labels gives {len(labels)} classes for {n} samples; give {n}, or one")
    return LabelChoice(labels, len(names))
