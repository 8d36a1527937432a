"""ImageData: what every data set is turned into."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageData:
    """Images uint8 [N, H, W, C], labels int64 [N], class names, and where they come from.

    `report` holds the lines that loading and cleaning have to say to the user.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    source: str
    licence: str
    report: tuple[str, ...] = field(default=())

    def sha256(self) -> str:
        """Hex digest of images and labels: the same data, in the same order."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def channels(self) -> int:
        """Channels of one image: 1 or 3."""
        return int(self.images.shape[3])

    @property
    def size(self) -> int:
        """The longer side of one image in pixels."""
        return int(max(self.images.shape[1:3]))
