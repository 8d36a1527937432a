"""60,000 pieces of clothing 28x28 (Fashion-MNIST), from Debian's `dataset-fashion-mnist`."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ArtifactError, TrainingError
from training.data.dataset import ImageData

FOLDER = Path("/usr/share/datasets/fashion-mnist")
_NAMES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
)


def load(folder: Path | None = None) -> ImageData:
    """The training part, grey on black. Raises TrainingError when the package is not installed."""
    folder = FOLDER if folder is None else folder
    if not folder.is_dir():
        raise TrainingError(
            f"{folder} is missing: run `apt-get install dataset-fashion-mnist` (Debian)"
        )
    images = read_idx(folder / "train-images-idx3-ubyte.gz", 3)
    labels = read_idx(folder / "train-labels-idx1-ubyte.gz", 1)
    if len(images) != len(labels):
        raise ArtifactError(f"{folder}: {len(images)} images, but {len(labels)} labels")
    return ImageData(
        name="fashion",
        images=images[..., None],
        labels=labels.astype(np.int64),
        class_names=_NAMES,
        source="Debian dataset-fashion-mnist: Fashion-MNIST, training part",
        licence="MIT",
    )


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """An idx file of unsigned bytes, gzipped. Raises ArtifactError when it is damaged."""
    try:
        with gzip.open(path) as file:
            data = file.read()
    except (OSError, EOFError) as error:
        raise ArtifactError(f"{path}: cannot be read: {error}") from error
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes((0, 0, 8, dimensions)):
        raise ArtifactError(f"{path}: not an idx file of {dimensions}-dimensional bytes")
    shape = tuple(int(size) for size in np.frombuffer(data, ">u4", dimensions, 4))
    if len(data) - header != int(np.prod(shape)):
        raise ArtifactError(f"{path}: {len(data) - header} bytes for shape {shape}; cut short?")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
