"""NaN and infinity in what a model gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import NumericalError


def check_finite(values: Any, first: int, context: str) -> None:
    """Raise NumericalError naming the first sample [n, ...] that holds NaN or infinity.

    values: a numpy array, or a torch tensor, which is checked where it lies. Row 0 is sample
    `first`.
    """
    if bool(_finite(values).all()):
        return
    check_rows([bool(_finite(row).all()) for row in values], first, context)


def check_rows(finite: Sequence[bool] | NDArray[np.bool_], first: int, context: str) -> None:
    """Raise NumericalError naming the first sample whose row is not finite."""
    rows = np.asarray(finite)
    if rows.all():
        return
    sample = first + int(rows.argmin())
    raise NumericalError(
        f"sample {sample} of {context} holds NaN or infinity; check the weights", sample
    )


def _finite(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return np.isfinite(values)
    import torch

    return torch.isfinite(values)
