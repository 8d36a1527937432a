"""Measures of generated images, on features and class probabilities (numpy, float64)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def accuracy(probabilities: Floats, asked: Labels) -> float:
    """Share of images [N, K] whose likeliest class is the one asked for [N]."""
    return float((probabilities.argmax(1) == asked).mean())


def lowest_class_accuracy(probabilities: Floats, asked: Labels) -> float:
    """`accuracy` of the class that fares worst."""
    hit = probabilities.argmax(1) == asked
    return float(min(hit[asked == label].mean() for label in np.unique(asked)))


def confidence(probabilities: Floats) -> float:
    """Mean probability of the likeliest class."""
    return float(probabilities.max(1).mean())


def class_shares(probabilities: Floats) -> Floats:
    """Share of the images that fall into each class, [K]."""
    classes = probabilities.shape[1]
    counts = np.bincount(probabilities.argmax(1), minlength=classes)
    shares: Floats = counts / max(1, len(probabilities))
    return shares


def classes_covered(shares: Floats, real_shares: Floats) -> int:
    """How many classes have at least a fifth of the share that they have among real images."""
    return int((shares >= 0.2 * real_shares).sum())


def mean_pairwise_distance(features: Floats) -> float:
    """Mean Euclidean distance between two different rows of [N, F]; 0 below two rows."""
    count = len(features)
    if count < 2:
        return 0.0
    total = 0.0
    squares = np.square(features).sum(1)
    for start in range(0, count, 256):
        block = features[start : start + 256]
        squared = squares[start : start + 256, None] + squares - 2.0 * block @ features.T
        own = np.arange(len(block))
        squared[own, start + own] = 0.0
        total += float(np.sqrt(squared.clip(0.0)).sum())
    return total / (count * (count - 1))


def diversity_in_class(
    features: Floats, labels: Labels, real_features: Floats, real_labels: Labels
) -> float:
    """Mean pairwise distance within a class, over that of real images, averaged over the classes.

    Near 1: as varied as real data; one image a class: 0. A class without images counts as 0.
    """
    ratios = []
    for label in np.unique(real_labels):
        real = mean_pairwise_distance(real_features[real_labels == label])
        if real > 0.0:
            ratios.append(mean_pairwise_distance(features[labels == label]) / real)
    return float(np.mean(ratios)) if ratios else 0.0


def kid(features: Floats, real_features: Floats) -> float:
    """Kernel inception distance of [N, F] and [M, F], unbiased (so it may be below 0).

    Squared maximum mean discrepancy with k(a, b) = (a.b / F + 1)^3 (Binkowski et al. 2018).
    """
    if len(features) < 2 or len(real_features) < 2:
        raise ValueError("KID needs at least two images on either side")
    size = features.shape[1]

    def kernel(a: Floats, b: Floats) -> Floats:
        values: Floats = (a @ b.T / size + 1.0) ** 3
        return values

    def without_self(a: Floats) -> float:
        values = kernel(a, a)
        return float((values.sum() - np.trace(values)) / (len(a) * (len(a) - 1)))

    across = float(kernel(features, real_features).mean())
    return without_self(features) + without_self(real_features) - 2.0 * across


def nearest_distance_ratio(features: Floats, real_features: Floats) -> float:
    """Median distance to the nearest real image, over that among the real images themselves.

    Near 0: the training images are copied; near 1: as new as another real image would be.
    """
    among = _squared_distances(real_features, real_features)
    np.fill_diagonal(among, np.inf)
    usual = float(np.median(np.sqrt(among.min(1))))
    nearest = _squared_distances(features, real_features).min(1)
    return float(np.median(np.sqrt(nearest))) / usual if usual > 0.0 else 0.0


def _squared_distances(a: Floats, b: Floats) -> Floats:
    squared = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2.0 * a @ b.T
    clipped: Floats = squared.clip(0.0)
    return clipped
