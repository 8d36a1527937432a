"""One warp group multiplies 64 x 16 by 16 x 8 from shared memory, and what it must not do."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import SimulationError

# Descriptors of tiles without swizzle: matrices of 8 rows of 16 bytes; 128 bytes along K, 256 down.
A_TILE = (128 >> 4 << 16) | (256 >> 4 << 32)
B_TILE = A_TILE | 2048 >> 4
D = "{%r20, %r21, %r22, %r23}"
BODY = """
mad.wide.u32 %rd7, %r0, 16, %rd1; shl.b32 %r1, %r0, 4;
ld.global.v4.b32 {{%r2, %r3, %r4, %r5}}, [%rd7]; st.shared.v4.b32 [%r1], {{%r2, %r3, %r4, %r5}};
setp.lt.u32 %p1, %r0, 16; mad.wide.u32 %rd4, %r0, 16, %rd2;
@%p1 ld.global.v4.b32 {{%r2, %r3, %r4, %r5}}, [%rd4];
@%p1 st.shared.v4.b32 [%r1+2048], {{%r2, %r3, %r4, %r5}};
{proxy} bar.sync 0;
mov.b64 %rd10, {a}; mov.b64 %rd11, {b};
mov.b32 %r20, 0f3f800000; mov.b32 %r21, %r20; mov.b32 %r22, %r20; mov.b32 %r23, %r20;
{fence}
wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {d}, %rd10, %rd11, {accumulate}, 1, {sign}, 0, 0;
wgmma.commit_group.sync.aligned;
{between}
{wait}
mad.wide.u32 %rd5, %r0, 16, %rd{out}; st.global.v4.b32 [%rd5], {d};
"""
PARTS = {
    "proxy": "fence.proxy.async.shared::cta;",
    "fence": "wgmma.fence.sync.aligned;",
    "wait": "wgmma.wait_group.sync.aligned 0;",
    "between": "",
    "accumulate": "1",
    "sign": "1",
    "a": str(A_TILE),
    "b": str(B_TILE),
    "d": D,
    "out": "3",
}
RANDOM = np.random.default_rng(0)
A = RANDOM.standard_normal((64, 16)).astype(np.float16)
B = RANDOM.standard_normal((16, 8)).astype(np.float16)


def tiles(matrix: np.ndarray) -> np.ndarray:
    """Rows of M or N with K contiguous, as matrices of 8 rows of 16 bytes."""
    rows = len(matrix)
    return np.ascontiguousarray(matrix.reshape(rows // 8, 8, 2, 8).transpose(0, 2, 1, 3))


def multiply(run, **parts: str) -> np.ndarray:
    """D [64, 8]."""
    out = np.full((128, 4), np.nan, np.float32)
    run(BODY.format(**PARTS | parts), tiles(A), tiles(B.T), out, threads=128)
    lane, number = np.arange(128)[:, None], np.arange(4)
    rows = lane // 32 * 16 + lane % 32 // 4 + 8 * (number // 2)
    result = np.zeros((64, 8))
    result[rows, 2 * (lane % 4) + number % 2] = out
    return result


@pytest.mark.parametrize(("accumulate", "sign"), [("1", 1), ("0", 1), ("1", -1)])
def test_product(run, accumulate: str, sign: int) -> None:
    expected = sign * (A.astype(float) @ B) + int(accumulate)
    result = multiply(run, accumulate=accumulate, sign=str(sign))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def test_a_in_registers(run) -> None:
    """The same rows as fragments, loaded by ldmatrix from the tiles in shared memory."""
    load = """
    shr.u32 %r6, %r0, 5; shl.b32 %r6, %r6, 9; and.b32 %r7, %r0, 7; shl.b32 %r7, %r7, 4;
    and.b32 %r8, %r0, 8; shl.b32 %r8, %r8, 5; and.b32 %r9, %r0, 16; shl.b32 %r9, %r9, 3;
    add.s32 %r6, %r6, %r7; add.s32 %r6, %r6, %r8; add.s32 %r6, %r6, %r9;
    ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r6];
    """
    body = BODY.format(**PARTS | {"fence": load + PARTS["fence"]})
    body = body.replace("%rd10, %rd11, 1", "{%r10, %r11, %r12, %r13}, %rd11, 1")
    body = body.replace(", 0, 0;\nwgmma.commit", ", 0;\nwgmma.commit")
    out = np.full((128, 4), np.nan, np.float32)
    run(body, tiles(A), tiles(B.T), out, threads=128)
    np.testing.assert_allclose(out[0, :2], 1 + A[0].astype(float) @ B[:, :2], atol=1e-5)
    np.testing.assert_allclose(out[127, 2:], 1 + A[63].astype(float) @ B[:, 6:], atol=1e-5)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"wait": ""}, "exit with wgmma in flight"),
        ({"fence": ""}, "without wgmma.fence after"),
        ({"proxy": ""}, "without fence.proxy.async"),
        ({"between": "st.shared.b16 [%r1], 1;"}, "operand in shared memory changed|race"),
        ({"between": "mov.b32 %r21, 0;"}, "accumulator register written while in flight"),
        ({"a": str(A_TILE | 0x3FF0 >> 4)}, "out of the bounds of shared memory"),
    ],
    ids=["wait", "fence", "proxy", "operand", "accumulator", "bounds"],
)
def test_mistakes(run, parts: dict[str, str], message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        multiply(run, **parts)


def test_results_are_poisoned_until_waited_for(run) -> None:
    out = np.zeros((128, 4), np.float32)
    body = BODY.format(**PARTS | {"wait": ""}) + PARTS["wait"]
    run(body, tiles(A), tiles(B.T), out, threads=128)
    assert np.isnan(out).all()
