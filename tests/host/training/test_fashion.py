from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from engine.core.errors import ArtifactError, TrainingError
from training.data import fashion


def write(path, values, cut=0):
    data = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    data += values.tobytes()
    path.write_bytes(gzip.compress(data[: len(data) - cut]))


@pytest.fixture
def folder(tmp_path):
    images = np.arange(3 * 28 * 28).reshape(3, 28, 28).astype(np.uint8)
    write(tmp_path / "train-images-idx3-ubyte.gz", images)
    write(tmp_path / "train-labels-idx1-ubyte.gz", np.array([9, 0, 4], np.uint8))
    return tmp_path


def test_images_and_labels_are_read(folder):
    data = fashion.load(folder)
    assert data.images.shape == (3, 28, 28, 1)
    assert data.images[1, 0, 0, 0] == 784 % 256
    assert [data.class_names[label] for label in data.labels] == ["ankle-boot", "t-shirt", "coat"]


def test_a_missing_package_names_the_command(tmp_path):
    with pytest.raises(TrainingError, match="apt-get install dataset-fashion-mnist"):
        fashion.load(tmp_path / "nothing")


def test_a_file_cut_short_is_refused(folder):
    write(folder / "train-labels-idx1-ubyte.gz", np.array([9, 0, 4], np.uint8), cut=1)
    with pytest.raises(ArtifactError, match="cut short"):
        fashion.load(folder)


def test_something_else_is_refused(folder):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"hello, world"))
    with pytest.raises(ArtifactError, match="not an idx file"):
        fashion.load(folder)


def test_torn_compression_is_refused(folder):
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ArtifactError, match="cannot be read"):
        fashion.load(folder)


def test_unequal_counts_are_refused(folder):
    write(folder / "train-labels-idx1-ubyte.gz", np.array([9, 0], np.uint8))
    with pytest.raises(ArtifactError, match="3 images, but 2 labels"):
        fashion.load(folder)
