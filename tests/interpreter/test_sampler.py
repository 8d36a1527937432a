"""The fused sampler in the interpreter: the tokens of the definition, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kernels import tokens
from kernels.sampler import launches, sample_tokens
from tests.cases.sampler import CASES


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case = CASES[name]()
    case.run()
    assert case.wrong() == {}


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, None), (0.8, 7)], ids=["all", "top k"])
def test_many_draws(temperature: float, top_k: int | None) -> None:
    """Hundreds of tokens from random logits: every one equal."""
    logits = torch.randn(200 if top_k else 1000, 30, generator=torch.Generator().manual_seed(0)) * 3
    drawn = sample_tokens(logits, seed=7, temperature=temperature, top_k=top_k)
    expected = tokens.draw(logits.numpy(), seed=7, temperature=temperature, top_k=top_k)
    assert len(np.unique(expected)) > 25
    assert (drawn.numpy() == expected).all()


def test_top_k_beyond_one_chunk() -> None:
    """The k-th largest lies in another chunk than the largest."""
    logits = torch.zeros(1, 2100)
    logits[0, 3], logits[0, 2090], logits[0, 2095] = 5.0, 4.0, 3.0
    drawn = {
        int(sample_tokens(logits, seed=seed, temperature=2.0, top_k=2)[0]) for seed in range(3)
    }
    assert drawn <= {3, 2090}


def test_samples_and_steps_are_apart() -> None:
    logits = torch.randn(8, 40, generator=torch.Generator().manual_seed(1))
    first = sample_tokens(logits, seed=3, start=10, step=5)
    alone = [sample_tokens(logits[i : i + 1], seed=3, start=10 + i, step=5)[0] for i in range(8)]
    assert first.tolist() == [int(token) for token in alone]
    assert not torch.equal(first, sample_tokens(logits, seed=3, start=10, step=6))


def test_rows_without_a_token() -> None:
    """NaN, and nothing but -inf, give -1; +inf takes all; -inf nothing."""
    logits = torch.zeros(4, 5)
    logits[0, 2] = float("nan")
    logits[1] = float("-inf")
    logits[2, 4] = float("inf")
    logits[3, :3] = float("-inf")
    drawn = sample_tokens(logits, seed=0)
    assert drawn[:3].tolist() == [-1, -1, 4]
    assert drawn[3] in (3, 4)
    assert drawn.tolist() == tokens.draw(logits.numpy(), seed=0).tolist()


def test_a_temperature_near_zero_still_draws_among_equals() -> None:
    logits = torch.zeros(20, 9)
    drawn = sample_tokens(logits, seed=0, temperature=1e-40)
    assert len(drawn.unique()) > 3
    assert drawn.tolist() == tokens.draw(logits.numpy(), seed=0, temperature=1e-40).tolist()


def test_empty_batch_and_columns_of_a_view() -> None:
    assert sample_tokens(torch.empty(0, 5), seed=0).shape == (0,)
    logits = torch.randn(30, 6).t()
    assert torch.equal(sample_tokens(logits, seed=0), sample_tokens(logits.contiguous(), seed=0))


def test_beyond_the_offset_limit() -> None:
    logits = torch.empty(2**16, 2**15 + 8, dtype=torch.float16, device="meta")
    parts = launches(logits, torch.empty(2**16, dtype=torch.int32, device="meta"), seed=0, start=1)
    counts = [part.arguments["batch"] for part in parts]
    assert len(counts) == 2
    assert sum(counts) == 2**16
    assert parts[1].arguments["start_low"] == 1 + counts[0]
    assert parts[1].arguments["token_ptr"].storage_offset() == counts[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logits": torch.zeros(3)}, r"logits \(3,\)"),
        ({"logits": torch.zeros(3, 0)}, r"logits \(3, 0\)"),
        ({"logits": torch.zeros(2, 5).double()}, "float64"),
        ({"logits": torch.zeros(2, 5, device="meta")}, "different devices|meta"),
        ({"temperature": -1.0}, "temperature=-1.0"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_k": 0}, "top_k=0 must be between 1 and the 5"),
        ({"top_k": 6}, "top_k=6"),
        ({"step": -1}, "step=-1"),
        ({"seed": -1}, "seed=-1"),
        ({"out": torch.zeros(2)}, "float32 must be"),
        ({"out": torch.zeros(3, dtype=torch.int32)}, r"out \(3,\)"),
        ({"out": torch.zeros(4, dtype=torch.int32)[::2]}, "contiguous"),
    ],
    ids=[
        "flat",
        "no tokens",
        "dtype",
        "device",
        "temperature",
        "temperature NaN",
        "top 0",
        "top 6",
        "step",
        "seed",
        "dtype of out",
        "shape of out",
        "stride of out",
    ],
)
def test_refused(changes: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "logits": torch.zeros(2, 5),
        "seed": 0,
        "out": torch.zeros(2, dtype=torch.int32),
    }
    with pytest.raises(ValueError, match=message):
        sample_tokens(**arguments | changes)
