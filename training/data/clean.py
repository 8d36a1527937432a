"""Cleaning with a report: what is odd about the images is said, never silently dropped."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import ImageData

_HASH_SIDE = 8
# Two images are nearly the same when at most so many bits of the hash differ, and the pixels by
# less than this share of the image's own contrast (mean absolute deviation).
_NEAR_BITS = 4
_NEAR_SHARE = 0.15
_BLOCK = 512


def clean(data: ImageData) -> ImageData:
    """Drop images of one single colour, count near-duplicates, and report both."""
    flat = data.images.reshape(len(data), -1)
    blank = flat.min(axis=1) == flat.max(axis=1)
    images, labels = data.images[~blank], data.labels[~blank]
    report = [
        *data.report,
        f"{len(images)} images {'x'.join(map(str, images.shape[1:]))}, values "
        f"{flat.min()} to {flat.max()}",
    ]
    if blank.any():
        report.append(f"{int(blank.sum())} images of one single colour dropped")
    report.append(f"{near_duplicates(images)} near-duplicates (kept)")
    return dataclasses.replace(data, images=images, labels=labels, report=tuple(report))


def near_duplicates(images: NDArray[np.uint8]) -> int:
    """How many images [N, H, W, C] look nearly like an earlier one.

    Candidates agree in a perceptual hash; their pixels then decide.
    """
    if len(images) == 0:
        return 0
    signs = difference_hash(images).astype(np.float32) * 2.0 - 1.0
    flat = images.reshape(len(images), -1).astype(np.float32)
    contrast = np.abs(flat - flat.mean(axis=1, keepdims=True)).mean(axis=1)
    found = 0
    for start in range(0, len(signs), _BLOCK):
        agreement = signs[start : start + _BLOCK] @ signs[: start + _BLOCK].T
        candidates = agreement >= signs.shape[1] - 2 * _NEAR_BITS
        for row in range(len(candidates)):
            earlier = np.flatnonzero(candidates[row, : start + row])
            difference = np.abs(flat[earlier] - flat[start + row]).mean(axis=1)
            found += bool((difference < _NEAR_SHARE * contrast[start + row]).any())
    return found


def difference_hash(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Signs of the horizontal and vertical differences of a 9x9 thumbnail, [N, 144]."""
    side = _HASH_SIDE + 1
    grey = images.astype(np.float32).mean(axis=3)
    small = _thumbnail(_thumbnail(grey, side, axis=1), side, axis=2)
    across, down = np.diff(small, axis=2) > 0, np.diff(small, axis=1) > 0
    return np.concatenate([part.reshape(len(images), -1) for part in (across, down)], axis=1)


def _thumbnail(images: NDArray[np.float32], side: int, axis: int) -> NDArray[np.float32]:
    edges = np.linspace(0, images.shape[axis], side + 1).astype(int)
    starts, ends = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
    parts = [
        images.take(np.arange(start, end), axis=axis).mean(axis=axis)
        for start, end in zip(starts, ends, strict=True)
    ]
    return np.stack(parts, axis=axis)
