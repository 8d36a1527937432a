"""Tokens drawn from logits on the device: temperature, top k, a word of the counter's own stream.

`kernels.tokens` has the definition, in integers; the tokens here are the same.

One program takes a few samples. It reads logits [batch, tokens] of b bytes three times (largest,
sum, draw), and 32 times more to find the k-th largest, after the first time from cache: from memory
batch * tokens * b bytes. Unfused PyTorch (division, topk, masked_fill, softmax, multinomial)
goes over them at least eight times.

Not for vocabularies beyond some 10,000 tokens with small batches, where one program reads alone for
long: there a split of the row over programs would be faster.
"""

from __future__ import annotations

import numpy as np
import torch
import triton
from torch import Tensor

from kernels import tokens
from kernels.arguments import aligned, check_device, check_numbers, random_arguments, row_ranges
from kernels.jit.sampler import sample_kernel
from kernels.launch import Launch

DTYPES = (torch.float16, torch.bfloat16, torch.float32)
_TILE_ELEMENTS = 1024


def launches(
    logits: Tensor,
    out: Tensor,
    *,
    seed: int,
    start: int = 0,
    step: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
    stream: int = tokens.STREAM,
) -> tuple[Launch, ...]:
    """Launches for checked logits [batch, tokens] and out [batch]."""
    batch, count = logits.shape
    block = min(_TILE_ELEMENTS, max(16, triton.next_power_of_2(count)))
    rows = min(32, _TILE_ELEMENTS // block, triton.next_power_of_2(max(1, batch)))
    return tuple(
        Launch(
            name="sample_tokens",
            kernel=sample_kernel,
            grid=(-(-(last - first) // rows), 1, 1),
            arguments={
                "logits_ptr": logits[first:last],
                "token_ptr": out[first:last],
                "batch": last - first,
                "scale_bits": int(tokens.scale(temperature).view(np.int32)),
                "top_k": count if top_k is None else top_k,
                "step": step,
                **random_arguments(seed, start + first, stream),
            },
            constants={"TOKENS": count, "ROWS": rows, "BLOCK": block},
            num_stages=1,
        )
        for first, last in row_ranges(batch, count, 1)
    )


def sample_tokens(
    logits: Tensor,
    *,
    seed: int,
    start: int = 0,
    step: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
    stream: int = tokens.STREAM,
    out: Tensor | None = None,
) -> Tensor:
    """One token for each of samples start .. start + batch: logits [batch, tokens] -> [batch].

    out is int32 if not given, or a contiguous int32 or int64 tensor. Logits are fp16, bf16 or fp32,
    copied if they are not contiguous. Temperature 0 takes the first of the largest. A row with a
    NaN, or of nothing but -inf, gives -1. Raises ValueError for other shapes, dtypes and devices
    and for numbers out of range.
    """
    if logits.dim() != 2 or logits.shape[1] < 1:
        raise ValueError(f"logits {tuple(logits.shape)} must be [batch, tokens]")
    if logits.dtype not in DTYPES:
        raise ValueError(f"logits are {logits.dtype}; they must be float16, bfloat16 or float32")
    batch = len(logits)
    tokens.check_top_k(top_k, logits.shape[1])
    tokens.check_step(step)
    check_numbers(seed, start, batch, stream)
    if out is None:
        out = torch.empty(batch, dtype=torch.int32, device=logits.device)
    if out.shape != (batch,) or out.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"out {tuple(out.shape)} {out.dtype} must be {(batch,)}, int32 or int64")
    if aligned(out) is not out:
        raise ValueError("out must be contiguous, at an address that is a multiple of 16")
    check_device(logits, out)
    for launch in launches(
        aligned(logits),
        out,
        seed=seed,
        start=start,
        step=step,
        temperature=temperature,
        top_k=top_k,
        stream=stream,
    ):
        launch.run()
    return out


def named_launches() -> dict[str, Launch]:
    """Launches at realistic sizes on meta tensors: what the gates compile and the report shows."""
    cases = {}
    for batch, count, dtype in (
        (1024, 128, torch.float16),
        (256, 8192, torch.bfloat16),
    ):
        logits = torch.empty(batch, count, dtype=dtype, device="meta")
        out = torch.empty(batch, dtype=torch.int32, device="meta")
        name = f"tokens, {count} logits, {str(dtype)[6:]}"
        (cases[name],) = launches(logits, out, seed=0, temperature=0.8, top_k=40)
    return cases
