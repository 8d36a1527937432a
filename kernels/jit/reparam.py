"""Forward and backward of the reparameterisation; `kernels.reparam` has the formulas."""

from __future__ import annotations

import triton
import triton.language as tl

from kernels.jit.philox import join_words, latent_tile

# Runtime integers of both kernels.
INTEGERS = ["count", "seed_low", "seed_high", "start_low", "start_high", "stream"]


@triton.jit
def _noise(
    eps_ptr,
    offsets,
    mask,
    offs_n,
    first_element,
    seed_low,
    seed_high,
    start_low,
    start_high,
    stream,
    BLOCKS: tl.constexpr,
):
    """eps of a tile [rows, 4 * BLOCKS] fp32: loaded, or made anew where eps_ptr is None."""
    if eps_ptr is None:
        sample = join_words(start_low, start_high) + offs_n.to(tl.uint64)
        seed = join_words(seed_low, seed_high)
        eps = latent_tile(seed, sample, first_element // 4, stream, BLOCKS, "normal")
    else:
        eps = tl.load(eps_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    return eps


@triton.jit(do_not_specialize=INTEGERS)
def forward_kernel(
    mean_ptr,
    logvar_ptr,
    eps_ptr,
    z_ptr,
    kl_ptr,
    count,
    seed_low,
    seed_high,
    start_low,
    start_high,
    stream,
    SIZE: tl.constexpr,
    CHUNK: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """ROWS samples, CHUNK elements of each in steps of 4 * BLOCKS; kl [count, chunks] are parts."""
    COLUMNS: tl.constexpr = 4 * BLOCKS
    CHUNKS: tl.constexpr = (SIZE + CHUNK - 1) // CHUNK
    chunk = tl.program_id(0) % CHUNKS
    offs_n = tl.program_id(0) // CHUNKS * ROWS + tl.arange(0, ROWS)
    mask_n = offs_n < count
    divergence = tl.zeros([ROWS, COLUMNS], tl.float32)
    for step in range(0, CHUNK, COLUMNS):
        first = chunk * CHUNK + step
        offs_e = first + tl.arange(0, COLUMNS)
        mask = mask_n[:, None] & (offs_e[None, :] < SIZE)
        offsets = offs_n[:, None] * SIZE + offs_e[None, :]
        mean = tl.load(mean_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
        logvar = tl.load(logvar_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
        eps = _noise(
            eps_ptr,
            offsets,
            mask,
            offs_n,
            first,
            seed_low,
            seed_high,
            start_low,
            start_high,
            stream,
            BLOCKS,
        )
        deviation = tl.exp(0.5 * logvar)
        z = mean + deviation * eps
        tl.store(z_ptr + offsets, z.to(z_ptr.dtype.element_ty), mask=mask)
        # Masked elements have mean 0 and logvar 0, so they add nothing.
        divergence += mean * mean + (deviation * deviation - 1.0 - logvar)
    tl.store(kl_ptr + offs_n * CHUNKS + chunk, 0.5 * tl.sum(divergence, 1), mask=mask_n)


@triton.jit(do_not_specialize=INTEGERS)
def backward_kernel(
    mean_ptr,
    logvar_ptr,
    eps_ptr,
    z_grad_ptr,
    kl_grad_ptr,
    mean_grad_ptr,
    logvar_grad_ptr,
    eps_grad_ptr,
    count,
    seed_low,
    seed_high,
    start_low,
    start_high,
    stream,
    SIZE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """One tile of ROWS samples and 4 * BLOCKS elements. No eps_grad_ptr: not asked for."""
    COLUMNS: tl.constexpr = 4 * BLOCKS
    TILES: tl.constexpr = (SIZE + COLUMNS - 1) // COLUMNS
    first = tl.program_id(0) % TILES * COLUMNS
    offs_n = tl.program_id(0) // TILES * ROWS + tl.arange(0, ROWS)
    offs_e = first + tl.arange(0, COLUMNS)
    mask = (offs_n[:, None] < count) & (offs_e[None, :] < SIZE)
    offsets = offs_n[:, None] * SIZE + offs_e[None, :]
    mean = tl.load(mean_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    logvar = tl.load(logvar_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    z_grad = tl.load(z_grad_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    kl_grad = tl.load(kl_grad_ptr + offs_n, mask=offs_n < count, other=0.0)[:, None]
    eps = _noise(
        eps_ptr,
        offsets,
        mask,
        offs_n,
        first,
        seed_low,
        seed_high,
        start_low,
        start_high,
        stream,
        BLOCKS,
    )
    deviation = tl.exp(0.5 * logvar)
    mean_grad = z_grad + kl_grad * mean
    logvar_grad = 0.5 * (z_grad * eps * deviation + kl_grad * (deviation * deviation - 1.0))
    tl.store(mean_grad_ptr + offsets, mean_grad.to(mean_grad_ptr.dtype.element_ty), mask=mask)
    tl.store(logvar_grad_ptr + offsets, logvar_grad.to(mean_grad_ptr.dtype.element_ty), mask=mask)
    if eps_grad_ptr is not None:
        eps_grad = z_grad * deviation
        tl.store(eps_grad_ptr + offsets, eps_grad.to(eps_grad_ptr.dtype.element_ty), mask=mask)
