"""NaN and infinity in what a model gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.core.errors import NumericalError


def check_finite(values: Any, first: int, context: str) -> None:
    """Raise NumericalError naming the first sample [n, ...] that holds NaN or infinity.

    values: a numpy array, or a torch tensor, which is checked where it lies. Row 0 is sample
    `first`.
    """
    if bool(_finite(values).all()):
        return
    bad = next(row for row in range(len(values)) if not bool(_finite(values[row]).all()))
    raise NumericalError(
        f"sample {first + bad} of {context} holds NaN or infinity; check the weights"
    )


def _finite(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return np.isfinite(values)
    import torch

    return torch.isfinite(values)
