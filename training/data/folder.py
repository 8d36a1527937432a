"""A folder of image files; subfolders are classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.core.errors import OptionError, TrainingError
from training.data.dataset import ImageData
from training.data.files import read_images

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def load(path: Path, channels: int = 3, size: int | None = None) -> ImageData:
    """Every image file below `path`, in the order of the sorted names.

    Files in a subfolder have its name as class; without subfolders there is one class. Images that
    differ in size become `size` pixels wide (default: the median side). Raises OptionError when
    there is no such folder, TrainingError when it holds no readable image.
    """
    if channels not in (1, 3):
        raise OptionError(f"--channels {channels} must be 1 (grey) or 3 (colour)")
    if size is not None and size < 1:
        raise OptionError(f"--size {size} must be at least 1")
    if not path.is_dir():
        raise OptionError(f"--data folder:{path}: no such folder")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise TrainingError(f"{path}: no image files ({', '.join(sorted(SUFFIXES))})")
    classes = [file.relative_to(path).parts[0] if file.parent != path else "" for file in files]
    names = sorted(set(classes))
    if "" in names and len(names) > 1:
        raise OptionError(f"{path}: holds images beside class folders; move them into a folder")
    read = read_images(files, channels, size)
    labels = np.array([names.index(name) for name in classes], dtype=np.int64)
    return ImageData(
        name=path.resolve().name,
        images=read.images,
        labels=labels[read.kept],
        class_names=tuple(name or "images" for name in names),
        source=f"{len(read.images)} images of the folder {path.resolve().name}",
        licence="as the folder's owner says",
        report=read.report,
    )
