from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.core.errors import OptionError
from training.data.batches import Batches


def test_each_epoch_shows_every_image_once_in_another_order(data):
    batches = Batches(data, 8, seed=3, value_range=(0.0, 1.0))
    first = np.concatenate([batches.indices(step) for step in range(6)])
    second = np.concatenate([batches.indices(step) for step in range(6, 12)])
    assert sorted(first) == sorted(second) == list(range(48))
    assert not np.array_equal(first, second)


def test_a_batch_larger_than_the_data_runs_over_into_further_epochs(data):
    few = dataclasses.replace(data, images=data.images[:5], labels=data.labels[:5])
    index = Batches(few, 13, seed=0, value_range=(0.0, 1.0)).indices(2)
    assert len(index) == 13
    assert set(index) == set(range(5))


def test_a_batch_depends_on_seed_and_step_alone(data):
    went_there = Batches(data, 10, seed=1, value_range=(-1.0, 1.0))
    for step in range(7):
        went_there.indices(step)
    fresh = Batches(data, 10, seed=1, value_range=(-1.0, 1.0))
    assert np.array_equal(went_there.indices(7), fresh.indices(7))
    other = Batches(data, 10, seed=2, value_range=(-1.0, 1.0))
    assert not np.array_equal(other.indices(7), fresh.indices(7))


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0)])
def test_values_lie_in_the_models_range(data, low, high):
    data.images[0, 0, 0], data.images[0, 0, 1] = 0, 255
    images, labels = Batches(data, 48, seed=0, value_range=(low, high)).at(0)
    assert images.shape == (48, 1, 32, 32)
    assert labels.shape == (48,)
    assert float(images.min()) == low
    assert float(images.max()) == pytest.approx(high)


def test_images_and_labels_stay_together(data):
    images, labels = Batches(data, 16, seed=0, value_range=(0.0, 1.0)).at(4)
    brighter_right = images[..., 16:].mean((1, 2, 3)) > images[..., :16].mean((1, 2, 3))
    assert brighter_right.long().tolist() == labels.tolist()


def test_no_images_are_refused(data):
    empty = dataclasses.replace(data, images=data.images[:0], labels=data.labels[:0])
    with pytest.raises(OptionError, match="empty"):
        Batches(empty, 4, seed=0, value_range=(0.0, 1.0))
