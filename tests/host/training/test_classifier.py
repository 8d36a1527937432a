"""The judge, and that it sees through a collapsed generator."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.core.errors import TrainingError
from training.data import ImageData
from training.evaluation import measures
from training.evaluation.classifier import train_judge


@pytest.fixture(scope="module")
def shapes() -> ImageData:
    """600 noisy images: a bar that stands or lies, at a random place."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 80, (600, 16, 16, 1)).astype(np.uint8)
    labels = (np.arange(600) % 2).astype(np.int64)
    for image, label, place in zip(images, labels, rng.integers(2, 13, 600), strict=True):
        bar = (slice(2, 14), slice(place, place + 2))
        image[bar if label else bar[::-1]] = 230
    return ImageData("bars", images, labels, ("lying", "standing"), "made up", "CC0")


@pytest.fixture(scope="module")
def judge(shapes):
    return train_judge(shapes, epochs=5)


def test_it_learns_and_reports_the_accuracy_on_images_it_never_saw(judge, shapes):
    assert judge.held_out_accuracy > 0.95
    assert len(judge.held_out) == 120


def test_the_same_seed_gives_the_same_judge(judge, shapes):
    again = train_judge(shapes, epochs=5)
    images = shapes.images[:9]
    assert np.array_equal(judge.judge(images).features, again.judge(images).features)


def test_a_collapsed_generator_is_accurate_but_not_diverse(judge, shapes):
    real_labels = shapes.labels[judge.held_out]
    real = judge.judge(shapes.images[judge.held_out])
    labels = np.arange(200) % 2
    best = [int(np.flatnonzero(shapes.labels == label)[0]) for label in (0, 1)]
    collapsed = judge.judge(shapes.images[best][labels])
    assert measures.accuracy(collapsed.probabilities, labels) == 1.0
    varied = judge.judge(shapes.images[:200])
    found = {
        name: measures.diversity_in_class(view.features, view_labels, real.features, real_labels)
        for name, view, view_labels in (
            ("collapsed", collapsed, labels),
            ("varied", varied, shapes.labels[:200]),
        )
    }
    assert found["collapsed"] < 0.01
    assert found["varied"] > 0.9


def test_too_few_images_are_refused(shapes):
    few = dataclasses.replace(shapes, images=shapes.images[:12], labels=shapes.labels[:12])
    with pytest.raises(TrainingError, match="12 images of 2 classes"):
        train_judge(few)
