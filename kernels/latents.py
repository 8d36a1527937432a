"""Latents made on the device, the same as `kernels.philox` gives on the host.

    out[i, e] = normal | uniform of (seed, start + i, e, stream)     out [count, width]

The rows may be wider than a latent (a first layer wants its input channels padded to a multiple of
8): elements from `size` on are zero. Writes count * width elements and reads nothing; made on the
host they cost that copy over the bus besides. Not worth a launch where the first layer makes its
own (`kernels.jit.philox.latent_tile`).

Source: Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.arguments import check_device, check_numbers, random_arguments, row_ranges
from kernels.jit.philox import join_words, latent_tile
from kernels.launch import Launch

KINDS = ("normal", "uniform", "symmetric")
_TILE_ELEMENTS = 2048
_MOST_COLUMNS = 256


@triton.jit(
    do_not_specialize=["count", "seed_low", "seed_high", "start_low", "start_high", "stream"]
)
def fill_kernel(
    out_ptr,
    count,
    seed_low,
    seed_high,
    start_low,
    start_high,
    stream,
    SIZE: tl.constexpr,
    WIDTH: tl.constexpr,
    KIND: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """One tile of ROWS samples and 4 * BLOCKS elements of each."""
    COLUMNS: tl.constexpr = 4 * BLOCKS
    TILES: tl.constexpr = (WIDTH + COLUMNS - 1) // COLUMNS
    first_row = tl.program_id(0) // TILES * ROWS
    first_column = tl.program_id(0) % TILES * COLUMNS
    offs_n = first_row + tl.arange(0, ROWS)
    offs_e = first_column + tl.arange(0, COLUMNS)
    sample = join_words(start_low, start_high) + offs_n.to(tl.uint64)
    seed = join_words(seed_low, seed_high)
    tile = latent_tile(seed, sample, first_column // 4, stream, BLOCKS, KIND)
    tile = tl.where(offs_e[None, :] < SIZE, tile, 0.0)
    mask = (offs_n[:, None] < count) & (offs_e[None, :] < WIDTH)
    offsets = offs_n[:, None] * WIDTH + offs_e[None, :]
    tl.store(out_ptr + offsets, tile.to(out_ptr.dtype.element_ty), mask=mask)


def launches(
    out: torch.Tensor,
    size: int,
    *,
    seed: int,
    start: int = 0,
    stream: int = 0,
    kind: str = "normal",
) -> tuple[Launch, ...]:
    """The launches that fill a contiguous out [count, width]; more than one beyond 2^31 elements.

    Raises ValueError for another shape, dtype, layout or kind, and for numbers out of range.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    check_out(out, size)
    count, width = out.shape
    check_numbers(seed, start, count, stream)
    columns = min(_MOST_COLUMNS, max(16, triton.next_power_of_2(max(1, width))))
    rows = _TILE_ELEMENTS // columns
    return tuple(
        Launch(
            name=f"latents_{kind}",
            kernel=fill_kernel,
            grid=(triton.cdiv(end - first, rows) * triton.cdiv(width, columns), 1, 1),
            arguments={
                "out_ptr": out[first:end],
                "count": end - first,
                **random_arguments(seed, start + first, stream),
            },
            constants={
                "SIZE": size,
                "WIDTH": width,
                "KIND": kind,
                "ROWS": rows,
                "BLOCKS": columns // 4,
            },
            num_stages=1,
        )
        for first, end in row_ranges(count, width)
    )


def fill(
    out: torch.Tensor,
    size: int | None = None,
    *,
    seed: int,
    start: int = 0,
    stream: int = 0,
    kind: str = "normal",
) -> torch.Tensor:
    """Fill out [count, width] with samples start .. start + count of a stream, and give it back.

    size: elements of a sample, all of the width if not given; the rest becomes zero. kind:
    'normal', 'uniform' in [0, 1) or 'symmetric' in [-1, 1). Raises ValueError as `launches` does,
    and for a tensor that is not on a GPU (nor in the interpreter).
    """
    check_device(out)
    size = out.shape[-1] if size is None else size
    for launch in launches(out, size, seed=seed, start=start, stream=stream, kind=kind):
        launch.run()
    return out


def check_out(out: torch.Tensor, size: int) -> None:
    """Raise ValueError unless out is a contiguous [count, width >= size] of a type made here."""
    if out.dim() != 2 or not out.is_contiguous() or not 0 <= size <= out.shape[1]:
        raise ValueError(
            f"out {tuple(out.shape)} must be contiguous, [count, width] with width >= {size}"
        )
    if out.dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"out is {out.dtype}; it must be float16, bfloat16 or float32")


def named_launches() -> dict[str, Launch]:
    """Launches at realistic sizes on meta tensors: what the gates compile and the report shows."""
    cases = {}
    for kind, width, dtype in (
        ("normal", 104, torch.float16),
        ("normal", 128, torch.float32),
        ("symmetric", 128, torch.bfloat16),
    ):
        out = torch.empty(1024, width, dtype=dtype, device="meta")
        name = f"latents {kind}, {width} {str(dtype)[6:]}"
        (cases[name],) = launches(out, width, seed=0, kind=kind)
    return cases
