"""Latents truncated to [-t, t] made on the device, the same as `kernels.truncated_normal` gives.

    out[i, e] = Phi^-1(tail + (2 * word' + 1) / 2^32 * (1 - 2 * tail)),  tail = Phi(-t)

word' is the folded 31-bit integer of the random word. Fractions this close to 0 and 1 need float64:
about 50 such operations an element, which costs little beside a generator's first layer even where
they run at 1/64 of the speed of fp32. Writes count * width elements and reads nothing.

Source of the inverse: Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988).
"""

from __future__ import annotations

import math

import numpy as np
import torch
import triton
import triton.language as tl

from kernels.arguments import check_device, check_numbers, random_arguments, row_ranges
from kernels.jit.philox import interleave, join_words, random_words
from kernels.latents import check_out
from kernels.launch import Launch, signed_word

_TILE_ELEMENTS = 512
_MOST_COLUMNS = 128


@triton.jit
def _inverse_normal(p):
    """The standard normal quantile of float64 probabilities in (0, 1).

    Each region has its numerator and denominator; the division, dear in float64, is done once.
    """
    centred = p - 0.5
    r = 0.180625 - centred * centred
    top = 2.5090809287301226727e3 * r + 3.3430575583588128105e4
    top = ((top * r + 6.7265770927008700853e4) * r + 4.5921953931549871457e4) * r
    top = ((top + 1.3731693765509461125e4) * r + 1.9715909503065514427e3) * r
    top = (top + 1.3314166789178437745e2) * r + 3.3871328727963666080e0
    low = 5.2264952788528545610e3 * r + 2.8729085735721942674e4
    low = ((low * r + 3.9307895800092710610e4) * r + 2.1213794301586595867e4) * r
    low = ((low + 5.3941960214247511077e3) * r + 6.8718700749205790830e2) * r
    low = (low + 4.2313330701600911252e1) * r + 1.0

    root = tl.sqrt(-tl.log(tl.minimum(p, 1.0 - p)))
    r = root - 1.6
    middle = 7.74545014278341407640e-4 * r + 2.27238449892691845833e-2
    middle = ((middle * r + 2.41780725177450611770e-1) * r + 1.27045825245236838258e0) * r
    middle = ((middle + 3.64784832476320460504e0) * r + 5.76949722146069140550e0) * r
    middle = (middle + 4.63033784615654529590e0) * r + 1.42343711074968357734e0
    central = tl.abs(centred) <= 0.425
    top = tl.where(central, top, middle)
    middle = 1.05075007164441684324e-9 * r + 5.47593808499534494600e-4
    middle = ((middle * r + 1.51986665636164571966e-2) * r + 1.48103976427480074590e-1) * r
    middle = ((middle + 6.89767334985100004550e-1) * r + 1.67638483018380384940e0) * r
    middle = (middle + 2.05319162663775882187e0) * r + 1.0
    low = tl.where(central, low, middle)

    r = root - 5.0
    far = 2.01033439929228813265e-7 * r + 2.71155556874348757815e-5
    far = ((far * r + 1.24266094738807843860e-3) * r + 2.65321895265761230930e-2) * r
    far = ((far + 2.96560571828504891230e-1) * r + 1.78482653991729133580e0) * r
    far = (far + 5.46378491116411436990e0) * r + 6.65790464350110377720e0
    top = tl.where(root > 5.0, far, top)
    far = 2.04426310338993978564e-15 * r + 1.42151175831644588870e-7
    far = ((far * r + 1.84631831751005468180e-5) * r + 7.86869131145613259100e-4) * r
    far = ((far + 1.48753612908506148525e-2) * r + 1.36929880922735805310e-1) * r
    far = (far + 5.99832206555887937690e-1) * r + 1.0
    low = tl.where(root > 5.0, far, low)
    side = tl.where(centred < 0.0, centred * 0.0 - 1.0, centred * 0.0 + 1.0)
    return tl.where(central, centred, side) * (top / low)


@triton.jit(
    do_not_specialize=[
        "count",
        "tail_low",
        "tail_high",
        "bound_bits",
        "seed_low",
        "seed_high",
        "start_low",
        "start_high",
        "stream",
    ]
)
def fill_truncated_kernel(
    out_ptr,
    count,
    tail_low,
    tail_high,
    bound_bits,
    seed_low,
    seed_high,
    start_low,
    start_high,
    stream,
    SIZE: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """One tile of ROWS samples and 4 * BLOCKS elements of each."""
    COLUMNS: tl.constexpr = 4 * BLOCKS
    TILES: tl.constexpr = (WIDTH + COLUMNS - 1) // COLUMNS
    first_column = tl.program_id(0) % TILES * COLUMNS
    offs_n = tl.program_id(0) // TILES * ROWS + tl.arange(0, ROWS)
    offs_e = first_column + tl.arange(0, COLUMNS)
    sample = join_words(start_low, start_high) + offs_n.to(tl.uint64)
    block = first_column // 4 + tl.arange(0, BLOCKS)
    seed = join_words(seed_low, seed_high)
    w0, w1, w2, w3 = random_words(seed, sample[:, None], block[None, :], stream)
    word = interleave(w0, w1, w2, w3).to(tl.int32, bitcast=True)
    folded = tl.where(word < 0, ~word, word)
    tail = join_words(tail_low, tail_high).to(tl.float64, bitcast=True)
    bound = (tl.zeros([1, 1], tl.int32) + bound_bits).to(tl.float32, bitcast=True)
    # The middle of each of the 2^31 cells: never 0 or 1, so the inverse is finite.
    position = (folded.to(tl.float64) + 0.5) * 4.656612873077392578125e-10
    value = _inverse_normal(tail + position * (1.0 - 2.0 * tail)).to(tl.float32)
    value = tl.minimum(tl.maximum(value, -bound), bound)
    value = tl.where(offs_e[None, :] < SIZE, value, 0.0)
    mask = (offs_n[:, None] < count) & (offs_e[None, :] < WIDTH)
    offsets = offs_n[:, None] * WIDTH + offs_e[None, :]
    tl.store(out_ptr + offsets, value.to(out_ptr.dtype.element_ty), mask=mask)


def launches(
    out: torch.Tensor,
    size: int,
    truncation: float,
    *,
    seed: int,
    start: int = 0,
    stream: int = 0,
) -> tuple[Launch, ...]:
    """The launches that fill a contiguous out [count, width]; more than one beyond 2^31 elements.

    Raises ValueError for another shape, dtype or layout, and for numbers out of range.
    """
    if not (math.isfinite(truncation) and truncation > 0):
        raise ValueError(f"truncation={truncation} must be a positive number")
    check_out(out, size)
    count, width = out.shape
    check_numbers(seed, start, count, stream)
    tail = np.float64(0.5 * math.erfc(truncation / math.sqrt(2.0)))
    tail_bits = int(tail.view(np.uint64))
    columns = min(_MOST_COLUMNS, max(16, triton.next_power_of_2(max(1, width))))
    rows = _TILE_ELEMENTS // columns
    return tuple(
        Launch(
            name="latents_truncated",
            kernel=fill_truncated_kernel,
            grid=(-(-(last - first) // rows) * -(-width // columns), 1, 1),
            arguments={
                "out_ptr": out[first:last],
                "count": last - first,
                "tail_low": signed_word(tail_bits),
                "tail_high": signed_word(tail_bits >> 32),
                "bound_bits": int(np.float32(truncation).view(np.int32)),
                **random_arguments(seed, start + first, stream),
            },
            constants={"SIZE": size, "WIDTH": width, "ROWS": rows, "BLOCKS": columns // 4},
            num_warps=2,
            num_stages=1,
        )
        for first, last in row_ranges(count, width)
    )


def fill_truncated(
    out: torch.Tensor,
    truncation: float,
    size: int | None = None,
    *,
    seed: int,
    start: int = 0,
    stream: int = 0,
) -> torch.Tensor:
    """Fill out [count, width] with normals truncated to [-truncation, truncation]; give it back.

    size: elements of a sample, all of the width if not given; the rest becomes zero. Raises
    ValueError as `launches` does, and for a tensor that is not on a GPU (nor in the interpreter).
    """
    check_device(out)
    size = out.shape[-1] if size is None else size
    for launch in launches(out, size, truncation, seed=seed, start=start, stream=stream):
        launch.run()
    return out


def named_launches() -> dict[str, Launch]:
    """A launch at a realistic size on meta tensors: what the gates compile."""
    out = torch.empty(1024, 104, dtype=torch.float16, device="meta")
    (launch,) = launches(out, 100, 0.7, seed=0)
    return {"latents truncated, 100 fp16": launch}
