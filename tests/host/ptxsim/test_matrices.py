"""ldmatrix, stmatrix and mma against matrix products in numpy, through memory."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import SimulationError
from kernels.ptxsim.formats import FP8, bf16_to_f32, f32_to_bf16, f32_to_tf32

# Rows of 16 bytes: global to shared memory, a row a lane.
FILL = """
mad.wide.u32 %rd3, %r0, 16, %rd1; shl.b32 %r1, %r0, 4;
ld.global.v4.b32 {%r2, %r3, %r4, %r5}, [%rd3]; st.shared.v4.b32 [%r1], {%r2, %r3, %r4, %r5};
bar.sync 0;
"""
FOUR = "{%r10, %r11, %r12, %r13}"
GROUP, QUAD = np.arange(32) // 4, np.arange(32) % 4


@pytest.mark.parametrize("transposed", [False, True])
def test_ldmatrix(run, transposed: bool) -> None:
    x, out = np.arange(256, dtype=np.uint16), np.zeros((32, 4, 2), np.uint16)
    form = ".trans" if transposed else ""
    body = f"ldmatrix.sync.aligned.m8n8.x4{form}.shared.b16 {FOUR}, [%r1];"
    run(FILL + body + f"mad.wide.u32 %rd4, %r0, 16, %rd2; st.global.v4.b32 [%rd4], {FOUR};", x, out)
    matrices = x.reshape(4, 8, 8).transpose(0, 2, 1) if transposed else x.reshape(4, 8, 8)
    expected = matrices[:, GROUP[:, None], 2 * QUAD[:, None] + np.arange(2)]
    np.testing.assert_array_equal(out, expected.transpose(1, 0, 2))


@pytest.mark.parametrize("transposed", [False, True])
def test_stmatrix_is_the_reverse(run, transposed: bool) -> None:
    x, out = np.arange(256, dtype=np.uint16), np.zeros(256, np.uint16)
    form = ".trans" if transposed else ""
    body = f"""
    ldmatrix.sync.aligned.m8n8.x4{form}.shared.b16 {FOUR}, [%r1];
    stmatrix.sync.aligned.m8n8.x4{form}.shared.b16 [%r1+1024], {FOUR};
    bar.sync 0; ld.shared.v4.b32 {FOUR}, [%r1+1024];
    mad.wide.u32 %rd4, %r0, 16, %rd2; st.global.v4.b32 [%rd4], {FOUR};
    """
    run(FILL + body, x, out)
    np.testing.assert_array_equal(out, x)


def test_misaligned_row(run) -> None:
    with pytest.raises(SimulationError, match="misaligned shared access of 16 bytes"):
        run(f"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {FOUR}, [%r0+8];", np.zeros(1))


def operand(matrix: np.ndarray, kind: str) -> np.ndarray:
    """Bits of a matrix's elements."""
    if kind == "bf16":
        return f32_to_bf16(matrix)
    if kind == "tf32":
        return f32_to_tf32(matrix)
    return matrix.astype(np.float16)


def values(bits: np.ndarray, kind: str) -> np.ndarray:
    if kind == "bf16":
        return bf16_to_f32(bits).astype(float)
    if kind in FP8:
        return FP8[kind][bits].astype(float)
    return bits.view(np.float32).astype(float) if kind == "tf32" else bits.astype(float)


def registers(bits: np.ndarray, side: str) -> np.ndarray:
    """Words [lanes, registers] of A [16, K] or B [K, 8], by the tables of the PTX manual."""
    size = 4 // bits.itemsize
    depth = bits.shape[1] if side == "a" else bits.shape[0]
    count = depth // (4 * size) * (2 if side == "a" else 1)
    words = np.zeros((32, count, size), bits.dtype)
    for lane in range(32):
        for register in range(count):
            for element in range(size):
                along = QUAD[lane] * size + element
                if side == "a":
                    row = GROUP[lane] + 8 * (register % 2)
                    words[lane, register, element] = bits[row, along + 4 * size * (register // 2)]
                else:
                    words[lane, register, element] = bits[along + 4 * size * register, GROUP[lane]]
    return words.view(np.uint32).reshape(32, count)


@pytest.mark.parametrize(
    ("kind", "depth"),
    [("f16", 16), ("f16", 8), ("bf16", 16), ("tf32", 8), ("s8", 32), ("e4m3", 32), ("e5m2", 32)],
)
def test_mma(run, kind: str, depth: int) -> None:
    random = np.random.default_rng(0)
    if kind in ("s8", *FP8):
        low, high = (-128, 128) if kind == "s8" else (0x20, 0x50)
        dtype = np.int8 if kind == "s8" else np.uint8
        a = random.integers(low, high, (16, depth)).astype(dtype)
        b = random.integers(low, high, (depth, 8)).astype(dtype)
    else:
        a = operand(random.standard_normal((16, depth)).astype(np.float32), kind)
        b = operand(random.standard_normal((depth, 8)).astype(np.float32), kind)
    c = random.integers(-9, 9, (16, 8))
    result = "s32" if kind == "s8" else "f32"
    dtype = np.int32 if kind == "s8" else np.float32
    a_words, b_words = registers(a, "a"), registers(b, "b")
    rows = GROUP[:, None] + 8 * (np.arange(4) // 2)
    columns = 2 * QUAD[:, None] + np.arange(4) % 2
    c_words, out = c.astype(dtype)[rows, columns], np.zeros((32, 4), dtype)
    body, names = "", {}
    for name, words, first in (("a", a_words, 10), ("b", b_words, 20), ("c", c_words, 30)):
        pointer = {"a": 1, "b": 2, "c": 3}[name]
        used = [f"%r{first + i}" for i in range(words.shape[1])]
        names[name] = "{" + ",".join(used) + "}"
        body += f"mad.wide.u32 %rd10, %r0, {4 * len(used)}, %rd{pointer};"
        body += "".join(f"ld.global.b32 {r}, [%rd10+{4 * i}];" for i, r in enumerate(used))
    types = f"{result}.{kind}.{kind}.{result}"
    body += f"mma.sync.aligned.m16n8k{depth}.row.col.{types} {names['c']}, {names['a']}, "
    body += f"{names['b']}, {names['c']}; mad.wide.u32 %rd10, %r0, 16, %rd4;"
    body += f"st.global.v4.b32 [%rd10], {names['c']};"
    run(body, a_words, b_words, c_words, out)
    expected = values(a, kind) @ values(b, kind) + c
    np.testing.assert_allclose(out, expected.astype(dtype)[rows, columns], rtol=1e-6)
