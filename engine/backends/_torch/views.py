"""Between channels last, which Programs have, and torch's order of axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

# An array of the Program as a tensor, where and in which type it is needed.
Put = Callable[[NDArray[Any]], Tensor]
Layer = Callable[[Tensor], Tensor]

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def channels_first(x: Tensor) -> Tensor:
    """A view in torch's order of axes; contiguous values are then in its channels-last format."""
    return x.movedim(-1, 1)


def channels_last(x: Tensor) -> Tensor:
    """The way back, a view as well."""
    return x.movedim(1, -1)
