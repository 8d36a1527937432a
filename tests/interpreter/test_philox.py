"""Philox inside a kernel: Random123's known answers, and the same numbers as numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

from kernels import philox
from kernels.jit.philox import join_words, random_words
from kernels.latents import fill, launches
from kernels.launch import signed_word
from tests.cases.philox import KNOWN_ANSWERS

SEEDS = {"zero": 0, "32 bits": 2**32 - 1, "64 bits": 0xFEDCBA9876543210}
STARTS = {"zero": 0, "carry": 2**32 - 3, "second carry": 2**33 - 1, "last": 2**64 - 6}


@triton.jit(do_not_specialize=["block", "low", "high", "stream", "seed_low", "seed_high"])
def words_kernel(out_ptr, block, low, high, stream, seed_low, seed_high):
    sample = join_words(low, high) + tl.zeros([1], tl.uint64)
    blocks = block + tl.zeros([1], tl.int32)
    words = random_words(join_words(seed_low, seed_high), sample, blocks, stream)
    for i in tl.static_range(4):
        tl.store(out_ptr + i + tl.arange(0, 1), words[i].to(tl.int32, bitcast=True))


@pytest.mark.parametrize("name", KNOWN_ANSWERS)
def test_known_answers(name: str) -> None:
    counter, key, expected = KNOWN_ANSWERS[name]
    out = torch.zeros(4, dtype=torch.int32)
    words_kernel[(1,)](out, *(signed_word(word) for word in (*counter, *key)))
    assert out.numpy().view(np.uint32).tolist() == expected


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS)
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_the_same_numbers_as_numpy(seed: int, start: int) -> None:
    """Samples that carry into the high word, a width that is no multiple of 4."""
    out = torch.full((5, 23), float("nan"))
    fill(out, seed=seed, start=start, stream=0x302, kind="uniform")
    assert (out.numpy() == philox.uniform(seed, start, 5, 23, 0x302)).all()
    fill(out, seed=seed, start=start, stream=0x302, kind="symmetric")
    expected = philox.uniform(seed, start, 5, 23, 0x302) * np.float32(2) - np.float32(1)
    assert (out.numpy() == expected).all()
    fill(out, seed=seed, start=start, stream=0x302)
    np.testing.assert_allclose(
        out.numpy(), philox.normal(seed, start, 5, 23, 0x302), rtol=0, atol=1e-6
    )


def test_many_normals() -> None:
    """40,000 normals, so that every quarter turn and both tails are met."""
    out = torch.full((200, 200), float("nan"))
    fill(out, seed=11)
    expected = philox.normal(11, 0, 200, 200)
    assert np.abs(expected).max() > 4
    np.testing.assert_allclose(out.numpy(), expected, rtol=0, atol=1e-6)


def test_padding_is_zero() -> None:
    out = torch.full((3, 104), float("nan"), dtype=torch.float16)
    fill(out, 100, seed=1)
    assert (out[:, 100:] == 0).all()
    expected = torch.from_numpy(philox.normal(1, 0, 3, 100))
    np.testing.assert_allclose(out[:, :100].float(), expected, rtol=2**-11, atol=1e-6)


def test_empty_batch() -> None:
    assert fill(torch.empty(0, 7), seed=0).shape == (0, 7)


def test_beyond_the_offset_limit() -> None:
    """More than 2^31 elements become several launches, whose samples join up."""
    out = torch.empty(2**25, 100, dtype=torch.float16, device="meta")
    parts = launches(out, 100, seed=5, start=2**32 - 10)
    rows = [part.arguments["count"] for part in parts]
    assert sum(rows) == 2**25
    assert all(count * 100 < 2**31 for count in rows)
    starts = [
        (part.arguments["start_high"] << 32) | (part.arguments["start_low"] & 0xFFFFFFFF)
        for part in parts
    ]
    assert starts == [2**32 - 10 + sum(rows[:i]) for i in range(len(rows))]
    offsets = [part.arguments["out_ptr"].storage_offset() * 2 for part in parts]
    assert all(offset % 16 == 0 for offset in offsets)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed=-1"),
        ({"seed": 2**64}, "seed=18446744073709551616"),
        ({"seed": 0, "start": 2**64 - 1}, "samples 18446744073709551615 to"),
        ({"seed": 0, "stream": 2**32}, "stream="),
        ({"seed": 0, "kind": "cauchy"}, "'cauchy' is not one of normal, uniform, symmetric"),
        ({"seed": 0, "size": 9}, "width >= 9"),
    ],
    ids=["negative seed", "large seed", "samples", "stream", "kind", "size"],
)
def test_refused_numbers(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fill(torch.empty(2, 8), **arguments)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (torch.empty(8), "contiguous"),
        (torch.empty(8, 4).t(), "contiguous"),
        (torch.empty(2, 8, dtype=torch.float64), "float64"),
    ],
    ids=["shape", "not contiguous", "dtype"],
)
def test_refused_tensors(out: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fill(out, seed=0)
