"""What an encoder is: one image library that turns uint8 images into file bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from engine.sinks.coding import Coding, ImageFormat

Image = npt.NDArray[np.uint8]
Encode = Callable[[Image], bytes]


class Library(Protocol):
    """One image library, imported at use. Its functions release the GIL while they encode."""

    name: ClassVar[str]
    formats: ClassVar[tuple[ImageFormat, ...]]

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it cannot be used, or None. Cheap and silent."""
        ...

    @classmethod
    def version(cls, format: ImageFormat) -> str:
        """Its version and that of the codec inside: both decide the bytes."""
        ...

    @classmethod
    def encoder(cls, coding: Coding) -> Encode:
        """A function, safe in several threads, from an image [H, W, C] to the bytes of a file."""
        ...


@dataclass(frozen=True, slots=True)
class Encoder:
    """A chosen encoder: `name` with versions, why it was taken, and the function."""

    name: str
    reason: str
    encode: Encode


def without_single_channel(image: Image) -> npt.NDArray[Any]:
    """[H, W, 1] -> [H, W], as image libraries take grey images; in C order, as some want it."""
    return np.ascontiguousarray(image[:, :, 0] if image.shape[2] == 1 else image)
