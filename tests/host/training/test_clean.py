from __future__ import annotations

import dataclasses

import numpy as np

from training.data.clean import clean, near_duplicates


def noisy(count, channels=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, channels)).astype(np.uint8)


def test_different_images_are_no_duplicates():
    assert near_duplicates(noisy(600)) == 0


def test_copies_are_counted_across_blocks():
    images = noisy(600)
    images[599], images[550], images[10] = images[3], images[549], images[3]
    assert near_duplicates(images) == 3


def test_a_slightly_changed_copy_is_a_near_duplicate():
    images = noisy(4, channels=3)
    changed = images[1].astype(int) + np.random.default_rng(1).integers(-3, 4, images[1].shape)
    images[2] = changed.clip(0, 255)
    assert near_duplicates(images) == 1


def test_same_outline_in_other_colours_is_no_duplicate():
    images = noisy(2)
    images[1] = images[0] // 3
    assert near_duplicates(images) == 0


def test_no_images_have_no_duplicates():
    assert near_duplicates(noisy(0)) == 0


def test_blank_images_go_and_the_report_says_so(data):
    data.images[5], data.images[7] = 0, 255
    data = dataclasses.replace(data, report=("read",))
    cleaned = clean(data)
    assert len(cleaned) == 46
    assert len(cleaned.labels) == 46
    assert cleaned.report[0] == "read"
    assert cleaned.report[1] == "46 images 32x32x1, values 0 to 255"
    assert cleaned.report[2] == "2 images of one single colour dropped"
    assert cleaned.report[3] == "0 near-duplicates (kept)"


def test_nothing_odd_still_gives_size_and_range(data):
    report = clean(data).report
    assert report[0].startswith("48 images 32x32x1, values 0 to")
    assert len(report) == 2
