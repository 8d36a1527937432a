"""The samples that two engines disagree about most, side by side in one picture."""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import OptionError
from engine.core.files import atomic_path
from engine.core.spec import GeneratorSpec
from engine.images import to_uint8

# A difference of one step of 255 shall be seen.
_GAIN = 32
_GAP = 2
_GREY = 128

Array = NDArray[Any]


class Worst:
    """Keeps the samples with the largest difference, as `compare` comes by them.

    Raises OptionError for a file that is no PNG, or samples that are no images.
    """

    def __init__(self, spec: GeneratorSpec, path: Path, count: int = 8) -> None:
        if path.suffix != ".png":
            raise OptionError(f"{path}: call the picture NAME.png")
        if spec.modality != "image":
            raise OptionError(
                f"--pictures shows images; {spec.name!r} makes {spec.modality}, leave it out"
            )
        self._path = path
        self._range = spec.output.range
        self._count = count
        # Smallest first: (error, -sample, ours, theirs); no two have the same number.
        self._kept: list[tuple[float, int, Array, Array]] = []

    def offer(self, first: int, errors: Array, ours: Array, theirs: Array) -> None:
        """Samples first .. first + n of both engines and the error of each.

        Floats [n, C, H, W] in the model's range, or uint8 images [n, H, W, C].
        """
        for row in np.argsort(errors)[::-1][: self._count]:
            one, other = (self._image(side[row : row + 1]) for side in (ours, theirs))
            entry = float(errors[row]), -(first + int(row)), one, other
            if len(self._kept) < self._count:
                heapq.heappush(self._kept, entry)
            else:
                heapq.heappushpop(self._kept, entry)

    @property
    def samples(self) -> list[int]:
        """Their numbers, worst first."""
        return [-entry[1] for entry in self._sorted()]

    def write(self) -> bool:
        """A PNG: a column for each sample, worst first; rows A, B and 32 times the difference.

        False, and no file, where there are no samples. Raises OutputError.
        """
        from engine.sinks.png import encode_png

        entries = self._sorted()
        if not entries:
            return False
        a, b = (np.stack([entry[side] for entry in entries]) for side in (2, 3))
        apart = np.abs(a.astype(np.int16) - b) * _GAIN
        rows = [a, b, np.minimum(apart, 255).astype(np.uint8)]
        text = {"Comment": f"samples {', '.join(map(str, self.samples))}; A, B, {_GAIN} x |A - B|"}
        with atomic_path(self._path) as temporary:
            temporary.write_bytes(encode_png(_tiled(rows), text))
        return True

    def _image(self, values: Array) -> Array:
        images = values if values.dtype == np.uint8 else to_uint8(values, self._range)
        image: Array = images[0].copy()
        return image

    def _sorted(self) -> list[tuple[float, int, Array, Array]]:
        return sorted(self._kept, key=lambda entry: (-entry[0], -entry[1]))


def _tiled(rows: list[Array]) -> Array:
    """Rows of images [n, H, W, C] as one picture, with grey gaps."""
    count, height, width, channels = rows[0].shape
    size = (len(rows) * (height + _GAP) - _GAP, count * (width + _GAP) - _GAP, channels)
    sheet = np.full(size, _GREY, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            y, x = i * (height + _GAP), j * (width + _GAP)
            sheet[y : y + height, x : x + width] = image
    return sheet
