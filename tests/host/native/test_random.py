"""The library's random numbers are those of numpy, and the known answers of Random123."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import philox
from kernels.native import library, random
from kernels.native.random import Kind
from kernels.truncated_normal import truncated_normal

if library.unavailable():
    pytest.skip(str(library.unavailable()), allow_module_level=True)

SETS = library.instruction_sets()
TRUNCATION = 0.75
# Seed, start, samples, size, stream. A vector is 2 to 8 blocks of 4 elements.
RANGES = {
    "one": (0, 0, 1, 1, 0),
    "plain": (1, 0, 7, 100, 0),
    "odd": (3, 5, 9, 7, 1),
    "last-part-of-a-block": (4, 0, 300, 26, 0x101),
    "less-than-a-vector": (5, 9, 2, 4, 1),
    "largest": (2**64 - 1, 2**32 - 3, 5, 12, 2**32 - 1),
    "last-samples": (0x0123456789ABCDEF, 2**64 - 4, 4, 33, 2),
    "no-samples": (5, 9, 0, 16, 1),
    "no-elements": (5, 9, 3, 0, 1),
}


def by_numpy(kind: Kind, *range_: int) -> NDArray[Any]:
    """What the Python path makes of the same range."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random, "available", lambda: False)
        if kind == Kind.WORDS:
            return philox.words(*range_)
        if kind == Kind.UNIFORMS:
            return philox.uniform(*range_)
        if kind == Kind.NORMALS:
            return philox.normal(*range_)
        seed, start, count, size, stream = range_
        return truncated_normal(seed, start, count, size, TRUNCATION, stream)


def fill(kind: int, range_: tuple[int, ...], truncation: float, name: str, out: int | None) -> int:
    seed, start, count, size, stream = range_
    return int(
        library.load().gk_random(
            kind, seed, start, count, size, stream, truncation, name.encode(), out
        )
    )


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
@pytest.mark.parametrize("range_", RANGES.values(), ids=RANGES)
def test_numbers_are_those_of_numpy(range_: tuple[int, ...], kind: Kind, name: str) -> None:
    count, size = range_[2:4]
    guard = 16
    memory = np.full(guard + count * size + guard, np.nan, np.float32)
    canary = memory.view(np.uint32)[:guard].copy()
    address = memory.ctypes.data + 4 * guard
    assert fill(kind, range_, TRUNCATION, name, address) == 0
    bits = memory.view(np.uint32)
    assert (bits[:guard] == canary).all()
    assert (bits[guard + count * size :] == canary).all()
    made = bits[guard : guard + count * size].reshape(count, size)
    assert np.array_equal(made, by_numpy(kind, *range_).view(np.uint32))


@pytest.mark.parametrize(
    ("kind", "samples"),
    [(Kind.NORMALS, 20_000), (Kind.TRUNCATED_NORMALS, 4_000)],
    ids=["normal", "truncated"],
)
def test_millions_are_rounded_as_numpy_rounds_them(kind: Kind, samples: int) -> None:
    """Float64 results of a last place apart round alike, but for one in some 10^8."""
    differing = 0
    for seed in range(6):
        made = random.numbers(kind, seed, 0, samples, 100, truncation=TRUNCATION)
        expected = by_numpy(kind, seed, 0, samples, 100, 0)
        bits, wanted = made.view(np.int32), expected.view(np.int32)
        differing += int((bits != wanted).sum())
        assert np.abs(bits - wanted).max() <= 1
    assert differing <= 2


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name.lower())
def test_every_instruction_set_gives_the_same_bits(kind: Kind) -> None:
    made = [
        random.numbers(kind, 11, 3, 2_000, 101, 1, truncation=2.5, instruction_set=name)
        for name in SETS
    ]
    assert all(np.array_equal(made[0], other) for other in made[1:])


@pytest.mark.parametrize("truncation", [1e-3, 0.3, 2.0, 5.0, 9.0, 40.0])
def test_truncated_normals_of_any_bound(truncation: float, monkeypatch: pytest.MonkeyPatch) -> None:
    # The far ends of the quantile are rare: one in 10^6 is beyond 5.
    made = truncated_normal(2, 0, 500, 400, truncation)
    monkeypatch.setattr(random, "available", lambda: False)
    assert np.array_equal(made, truncated_normal(2, 0, 500, 400, truncation))


def test_known_answers() -> None:
    # Random123's kat_vectors: counter and key of zeros.
    words = random.numbers(Kind.WORDS, 0, 0, 1, 4)[0]
    assert [hex(word) for word in words] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="sse9.* does not run here"):
        random.numbers(Kind.WORDS, 0, 0, 1, 4, instruction_set="sse9")
    room = (ctypes.c_uint32 * 4)()
    for range_, kind in (((0, 0, 1, 4, 0), 4), ((0, 0, -1, 4, 0), 0), ((0, 0, 1, -4, 0), 0)):
        assert fill(kind, range_, 0.0, SETS[0], ctypes.addressof(room)) == -1
        assert library.load().gk_error()
