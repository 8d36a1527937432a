"""Concatenation, padding, slicing and embedding."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.reference.layout import concat, embedding, pad, take

torch = pytest.importorskip("torch")

X = np.arange(2 * 3 * 4 * 2, dtype=float).reshape(2, 3, 4, 2)


def test_concat() -> None:
    a, b = X, X[..., :1]
    np.testing.assert_array_equal(concat(a, b), np.concatenate([a, b], -1))
    np.testing.assert_array_equal(concat(a, a, axis=1)[:, 3:], a)
    with pytest.raises(ValueError, match="dimension"):
        concat(a, X[:, :2])


@pytest.mark.parametrize(
    ("mode", "name"),
    [("constant", "constant"), ("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")],
)
def test_pad(mode: str, name: str) -> None:
    expected = torch.nn.functional.pad(
        torch.from_numpy(X).movedim(-1, 1), (2, 3, 1, 2), mode=name
    ).movedim(1, -1)
    np.testing.assert_array_equal(pad(X, (1, 2, 0), (2, 3, 0), mode), expected)


def test_pad_with_a_number_and_channels() -> None:
    out = pad(X, (0, 0, 1), (0, 0, 0), value=-7.0)
    assert (out[..., 0] == -7).all()
    np.testing.assert_array_equal(out[..., 1:], X)


def test_negative_padding_crops() -> None:
    np.testing.assert_array_equal(pad(X, (-1, 0, 0), (0, -2, 0)), X[:, 1:, :2])
    assert pad(X, (-2, 0, 0), (-1, 0, 0)).shape == (2, 0, 4, 2)


@pytest.mark.parametrize(
    ("before", "after", "mode"),
    [
        pytest.param((1, 1), (1, 1), "constant", id="too_few"),
        pytest.param((-2, 0, 0), (-2, 0, 0), "constant", id="crop_past_the_end"),
        pytest.param((3, 0, 0), (0, 0, 0), "reflect", id="reflect_past_the_map"),
        pytest.param((-3, 0, 0), (1, 0, 0), "edge", id="nothing_to_repeat"),
    ],
)
def test_pad_refused(before: tuple[int, ...], after: tuple[int, ...], mode: str) -> None:
    with pytest.raises(ValueError, match="before="):
        pad(X, before, after, mode)


def test_take() -> None:
    out = take(X, (2, 0, 1), (3, 2, 1), (-1, 3, 1))
    np.testing.assert_array_equal(out, X[:, ::-1, ::3, 1:])
    assert take(X, (3, 0, 0), (0, 4, 2), (1, 1, 1)).shape == (2, 0, 4, 2)


@pytest.mark.parametrize(
    ("begin", "sizes", "step"),
    [
        pytest.param((0, 0), (1, 1), (1, 1), id="too_few"),
        pytest.param((0, 0, 0), (4, 1, 1), (1, 1, 1), id="past_the_end"),
        pytest.param((1, 0, 0), (3, 1, 1), (-1, 1, 1), id="before_the_start"),
        pytest.param((0, 0, 0), (1, 1, 1), (0, 1, 1), id="no_step"),
    ],
)
def test_take_refused(
    begin: tuple[int, ...], sizes: tuple[int, ...], step: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="begin="):
        take(X, begin, sizes, step)


def test_embedding() -> None:
    table = np.random.default_rng(0).standard_normal((5, 3, 2))
    index = np.array([[4, 0], [1, 1]])
    expected = torch.nn.functional.embedding(
        torch.from_numpy(index), torch.from_numpy(table.reshape(5, 6))
    )
    np.testing.assert_array_equal(embedding(index, table).reshape(2, 2, 6), expected)
    assert embedding(np.empty(0, int), table).shape == (0, 3, 2)


@pytest.mark.parametrize("index", [-1, 5])
def test_embedding_refused(index: int) -> None:
    with pytest.raises(ValueError, match=rf"index {index} to {index} must lie in 0 to 4"):
        embedding([index], np.ones((5, 2)))
