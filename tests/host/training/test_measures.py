from __future__ import annotations

import itertools

import numpy as np
import pytest

from training.evaluation import measures


def features(count, seed, size=6):
    return np.random.default_rng(seed).normal(size=(count, size))


def test_accuracy_confidence_and_shares():
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0], [0.0, 1.0, 0.0]])
    asked = np.array([0, 1, 1, 1])
    assert measures.accuracy(probabilities, asked) == 0.75
    assert measures.lowest_class_accuracy(probabilities, asked) == pytest.approx(2 / 3)
    assert measures.confidence(probabilities) == pytest.approx(0.825)
    assert measures.class_shares(probabilities).tolist() == [0.5, 0.5, 0.0]


def test_a_class_is_covered_from_a_fifth_of_its_real_share_on():
    real = np.array([0.25, 0.25, 0.25, 0.25])
    assert measures.classes_covered(np.array([0.85, 0.05, 0.1, 0.0]), real) == 3
    assert measures.classes_covered(np.array([1.0, 0.0, 0.0, 0.0]), real) == 1


@pytest.mark.parametrize("count", [2, 5, 300])
def test_mean_pairwise_distance_against_the_plain_double_loop(count):
    rows = features(count, 0)
    pairs = itertools.combinations(rows, 2) if count < 300 else zip(rows, rows, strict=True)
    if count < 300:
        expected = np.mean([np.linalg.norm(a - b) for a, b in pairs])
    else:
        distances = np.linalg.norm(rows[:, None] - rows[None], axis=2)
        expected = distances.sum() / (count * (count - 1))
    assert measures.mean_pairwise_distance(rows) == pytest.approx(expected, rel=1e-9)


def test_a_generator_as_varied_as_the_data_scores_one():
    labels = np.arange(400) % 4
    found = measures.diversity_in_class(features(400, 1), labels, features(400, 2), labels)
    assert found == pytest.approx(1.0, abs=0.03)


def test_one_image_a_class_scores_zero():
    labels = np.arange(400) % 4
    collapsed = features(4, 3)[labels]
    found = measures.diversity_in_class(collapsed, labels, features(400, 2), labels)
    assert found == pytest.approx(0.0, abs=1e-6)


def test_a_missing_class_lowers_the_diversity():
    labels = np.arange(400) % 4
    found = measures.diversity_in_class(features(400, 1), labels % 2, features(400, 2), labels)
    assert found == pytest.approx(0.5, abs=0.03)


def test_kid_is_the_unbiased_estimate_written_out():
    a, b = features(4, 0), features(3, 1)

    def kernel(x, y):
        return (x @ y / 6 + 1) ** 3

    expected = (
        np.mean([kernel(x, y) for x, y in itertools.permutations(a, 2)])
        + np.mean([kernel(x, y) for x, y in itertools.permutations(b, 2)])
        - 2 * np.mean([kernel(x, y) for x, y in itertools.product(a, b)])
    )
    assert measures.kid(a, b) == pytest.approx(expected, rel=1e-12)


def test_kid_tells_shifted_data_from_the_same():
    real = features(300, 0)
    assert abs(measures.kid(features(300, 1), real)) < 0.05
    assert measures.kid(features(300, 1) + 1.0, real) > 0.5


def test_kid_of_one_image_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        measures.kid(features(1, 0), features(5, 0))


def test_copies_of_the_training_images_have_no_distance():
    real = features(50, 0)
    assert measures.nearest_distance_ratio(real[[3, 3, 7]], real) == pytest.approx(0.0, abs=1e-6)
    assert measures.nearest_distance_ratio(features(50, 1), real) == pytest.approx(1.0, abs=0.3)
