"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from engine.core.errors import OptionError
from training.data import digits, emoji, fashion, folder
from training.data.dataset import ImageData

_LOADERS: Mapping[str, Callable[[], ImageData]] = {
    "digits": digits.load,
    "fashion": fashion.load,
    "emoji": emoji.load,
}
_FOLDER = "folder:"


def names() -> tuple[str, ...]:
    """What `load` takes."""
    return (*_LOADERS, f"{_FOLDER}PATH")


def load(
    name: str,
    *,
    emoji_category: str | None = None,
    channels: int | None = None,
    size: int | None = None,
) -> ImageData:
    """The data set `name`, uncleaned, in its own size.

    `emoji_category` belongs to emoji, `channels` (1 or 3) to folders; `size` in pixels is what the
    images of a folder are read at where they differ. Raises OptionError for an
    unknown name or an option that does not belong.
    """
    if emoji_category is not None and name != "emoji":
        raise OptionError(f"--emoji-category belongs to --data emoji, not to {name!r}")
    if name.startswith(_FOLDER):
        return folder.load(Path(name.removeprefix(_FOLDER)), channels or 3, size)
    if name not in _LOADERS:
        raise OptionError(f"unknown data {name!r}; known are {', '.join(names())}")
    if emoji_category is not None:
        return emoji.load(emoji_category)
    return _LOADERS[name]()
