"""Small draws of tokens against the definition in integers: the same tokens, not nearly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from kernels import sampler, tokens
from tests.cases.case import Case, Output


def make_case(
    batch: int,
    count: int,
    temperature: float,
    top_k: int | None,
    dtype: torch.dtype,
    out: torch.dtype = torch.int32,
) -> Case:
    """Logits in steps of 1/4, so that there are ties; sample numbers that carry; word 2 of 4."""
    random = torch.Generator().manual_seed(count)
    logits = (torch.randn(batch, count, generator=random) * 8).round().div(4).to(dtype)
    numbers = {"seed": 0xFEDCBA9876543210, "start": 2**32 - 2, "step": 6}
    choice = {"temperature": temperature, "top_k": top_k}
    expected = tokens.draw(logits.float().numpy(), **numbers, **choice)
    token = Output.make((batch,), out, expected)
    return Case(sampler.launches(logits, token.tensor, **numbers, **choice), {"token": token})


CASES: dict[str, Callable[[], Case]] = {
    "one token": partial(make_case, 1, 1, 1.0, None, torch.float32),
    "all": partial(make_case, 3, 50, 1.0, None, torch.float32),
    "top 5 of 50, int64": partial(make_case, 3, 50, 0.7, 5, torch.float32, torch.int64),
    "greedy": partial(make_case, 3, 37, 0.0, None, torch.bfloat16),
    "fp16, aligned": partial(make_case, 2, 64, 1.3, 10, torch.float16),
    "two chunks": partial(make_case, 1, 2100, 1.0, None, torch.float32),
}
