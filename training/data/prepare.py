"""Images to the size and channels that a model takes."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.core.errors import OptionError
from training.data.dataset import ImageData


def prepare(data: ImageData, size: int, channels: int) -> ImageData:
    """The same data as [N, size, size, channels].

    Images a little smaller than `size` (by an eighth at most, as 28 for 32) are padded with the
    background, read off their corners; all others are resized.
    """
    if channels not in (1, 3):
        raise OptionError(f"--channels {channels} must be 1 (grey) or 3 (colour)")
    images = _with_channels(data.images, channels)
    report = list(data.report)
    if images.shape[1:3] != (size, size):
        short = size - data.size
        if 0 < short <= size // 8 and images.shape[1] == images.shape[2]:
            images = _pad(images, size)
            report.append(f"padded from {data.size}x{data.size} to {size}x{size}")
        else:
            images = _resize(images, size)
            report.append(f"resized from {data.size}x{data.size} to {size}x{size}")
    return dataclasses.replace(data, images=images, report=tuple(report))


def _with_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    # ITU-R 601 luma, as Pillow's "L".
    grey = images.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.rint(grey)[..., None].astype(np.uint8)


def _pad(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    background = np.median(corners, axis=(0, 1)).astype(np.uint8)
    padded = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    padded[:] = background
    start = (size - images.shape[1]) // 2
    end = start + images.shape[1]
    padded[:, start:end, start:end] = images
    return padded


def _resize(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    resized = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    for index, image in enumerate(images):
        source = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        small = source.resize((size, size), Image.Resampling.LANCZOS)
        resized[index] = np.asarray(small).reshape(size, size, -1)
    return resized
