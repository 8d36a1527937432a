"""The first sample that is not finite is named, however the rows are told."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import NumericalError
from engine.finite import check_finite, check_rows


@pytest.mark.parametrize("kind", [list, np.array], ids=["list", "array"])
def test_rows(kind: type) -> None:
    check_rows(kind([]), 5, "a model")
    check_rows(kind([True, True]), 5, "a model")
    with pytest.raises(NumericalError, match="sample 7 of a model holds NaN or infinity"):
        check_rows(kind([True, True, False, True, False]), 5, "a model")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values(bad: float) -> None:
    values = np.zeros((4, 2, 3), np.float32)
    check_finite(values, 0, "a model")
    values[2:, 1, 2] = bad
    with pytest.raises(NumericalError, match="sample 12 of a model"):
        check_finite(values, 10, "a model")
