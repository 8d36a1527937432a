"""The library's random words are those of numpy, and the known answers of Random123."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import philox
from kernels.native import library

if library.unavailable():
    pytest.skip(str(library.unavailable()), allow_module_level=True)


@pytest.mark.parametrize(
    ("seed", "start", "samples", "blocks", "stream"),
    [
        (0, 0, 1, 1, 0),
        (1, 0, 7, 25, 0),
        (2**64 - 1, 2**32 - 3, 5, 3, 2**32 - 1),
        (0x0123456789ABCDEF, 2**64 - 4, 4, 2, 0x101),
        (5, 9, 0, 4, 1),
        (5, 9, 3, 0, 1),
    ],
    ids=["one", "plain", "largest", "last-samples", "no-samples", "no-blocks"],
)
def test_words_are_those_of_numpy(
    seed: int,
    start: int,
    samples: int,
    blocks: int,
    stream: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert philox._native() is not None
    made = philox.words(seed, start, samples, 4 * blocks, stream)
    monkeypatch.setattr(philox, "_native", lambda: None)
    assert np.array_equal(made, philox.words(seed, start, samples, 4 * blocks, stream))


def test_known_answers() -> None:
    # Random123's kat_vectors: counter and key of zeros.
    words = np.full(8, 0xAAAAAAAA, np.uint32)
    gk_philox = library.load().gk_philox
    gk_philox(0, 0, 1, 1, 0, words.ctypes.data)
    assert [hex(word) for word in words[:4]] == [
        "0x6627e8d5",
        "0xe169c58d",
        "0xbc57ac4c",
        "0x9b00dbd8",
    ]
    assert (words[4:] == 0xAAAAAAAA).all()
