"""Random words, uniforms and normals inside a kernel: the same integers as `kernels.philox`.

    key     = (seed low, seed high)
    counter = (block, sample low, sample high, stream)

Block b of sample i gives its elements 4b .. 4b + 3. Uniforms are the same bits as those of numpy,
normals agree to 1e-6. A kernel that wants the latents of a tile of samples calls `latent_tile`
instead of loading them: a normal costs about 50 instructions (counted in the binaries of
`kernels.latents`), so it pays where a tile is used by few programs (a first layer with few column
tiles), and not where many programs would make the same latents again.

Numbers of 64 bits (seed, sample) come to a kernel as two int32 words: `join_words` puts them
together, and sample + row carries into the high word as it must.

Source: Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def join_words(low, high):
    """Two int32 words as one uint64."""
    return (high.to(tl.uint32).to(tl.uint64) << 32) | low.to(tl.uint32).to(tl.uint64)


@triton.jit
def random_words(seed, sample, block, stream):
    """Four random uint32 a counter, of the shape that sample and block broadcast to.

    seed: uint64 scalar; sample: uint64 tensor; block: int32 tensor; stream: int32 scalar.
    """
    low = (sample & 0xFFFFFFFF).to(tl.uint32)
    high = (sample >> 32).to(tl.uint32)
    block = block.to(tl.uint32) + low * 0
    return tl.philox(seed, block, low, high, block * 0 + stream.to(tl.uint32))


@triton.jit
def to_normals(uniform_0, uniform_1):
    """Two normals of two uniforms (Box, Muller 1958)."""
    radius = tl.sqrt(-2.0 * tl.log(tl.maximum(1.0e-7, uniform_0)))
    cosine, sine = _cosine_sine(6.283185307179586 * uniform_1)
    return radius * cosine, radius * sine


@triton.jit
def _cosine_sine(angle):
    """Cosine and sine of float32 angles in [0, 2 pi), to 2^-23.

    libdevice's carry a branch for huge angles, with an array on the stack, that is never taken
    here. Quarter turns are taken off in two steps, the first of them exact; then the polynomials of
    Cephes (sinf.c, cosf.c) on [-pi/4, pi/4].
    """
    # Adding and taking away 1.5 * 2^23 rounds to an integer.
    turns = (angle * 0.6366197723675814 + 12582912.0) - 12582912.0
    rest = angle - turns * 1.5707855224609375
    rest = rest - turns * 1.0804334124e-5
    square = rest * rest
    sine = ((-1.9515295891e-4 * square + 8.3321608736e-3) * square - 1.6666654611e-1) * square
    sine = sine * rest + rest
    cosine = (2.443315711809948e-5 * square - 1.388731625493765e-3) * square + 4.166664568298827e-2
    cosine = cosine * square * square - 0.5 * square + 1.0
    quarter = turns.to(tl.int32)
    odd = (quarter & 1) == 1
    first = tl.where(odd, sine, cosine)
    second = tl.where(odd, cosine, sine)
    first = tl.where(((quarter + 1) & 2) == 2, -first, first)
    second = tl.where((quarter & 2) == 2, -second, second)
    return first, second


@triton.jit
def interleave(e0, e1, e2, e3):
    """Four tensors [rows, blocks] as one [rows, 4 * blocks]: e0, e1, e2, e3 of each block."""
    pairs = tl.join(tl.join(e0, e2), tl.join(e1, e3))
    return tl.reshape(pairs, [e0.shape[0], 4 * e0.shape[1]])


@triton.jit
def latent_tile(seed, sample, first_block, stream, BLOCKS: tl.constexpr, KIND: tl.constexpr):
    """Elements 4 * first_block .. + 4 * BLOCKS of samples [rows] uint64: [rows, 4 * BLOCKS] fp32.

    seed: uint64 scalar; first_block, stream: int32 scalars. KIND: 'normal', 'uniform' in [0, 1) or
    'symmetric' in [-1, 1). Rows and columns beyond the latent are made too; the caller masks them.
    """
    block = first_block + tl.arange(0, BLOCKS)
    w0, w1, w2, w3 = random_words(seed, sample[:, None], block[None, :], stream)
    e0, e1 = tl.uint_to_uniform_float(w0), tl.uint_to_uniform_float(w1)
    e2, e3 = tl.uint_to_uniform_float(w2), tl.uint_to_uniform_float(w3)
    if KIND == "normal":
        e0, e1 = to_normals(e0, e1)
        e2, e3 = to_normals(e2, e3)
    tile = interleave(e0, e1, e2, e3)
    if KIND == "symmetric":
        tile = tile * 2.0 - 1.0
    return tile
