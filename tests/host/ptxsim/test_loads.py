from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import SimulationError

LANE = "mad.wide.u32 %rd3, %r0, 4, %rd1; mad.wide.u32 %rd4, %r0, 4, %rd2;"


def test_copy_of_words(run) -> None:
    x, out = np.arange(32, dtype=np.uint32), np.zeros(32, np.uint32)
    run(LANE + "ld.global.b32 %r1, [%rd3]; st.global.b32 [%rd4], %r1;", x, out)
    np.testing.assert_array_equal(out, x)


def test_vectors_and_sub_words(run) -> None:
    x, out = np.arange(256, dtype=np.uint8), np.zeros(256, np.uint8)
    body = "mad.wide.u32 %rd3, %r0, 8, %rd1; mad.wide.u32 %rd4, %r0, 8, %rd2;"
    body += "ld.global.v4.b16 {%rs1, %rs2, %rs3, %rs4}, [%rd3];"
    body += "st.global.v4.b16 [%rd4], {%rs4, %rs3, %rs2, %rs1};"
    run(body, x, out)
    np.testing.assert_array_equal(
        out.view(np.uint16).reshape(-1, 4), x.view(np.uint16).reshape(-1, 4)[:, ::-1]
    )


@pytest.mark.parametrize(("kind", "dtype"), [("s8", np.int8), ("u8", np.uint8), ("s16", np.int16)])
def test_narrow_loads_are_extended(run, kind: str, dtype: type) -> None:
    x, out = np.arange(-16, 16).astype(dtype), np.zeros(32, np.int32)
    body = f"mad.wide.u32 %rd3, %r0, {x.itemsize}, %rd1; mad.wide.u32 %rd4, %r0, 4, %rd2;"
    run(body + f"ld.global.{kind} %r1, [%rd3]; st.global.b32 [%rd4], %r1;", x, out)
    np.testing.assert_array_equal(out, x.astype(np.int32))


def test_shared_memory(run) -> None:
    x, out = np.arange(32, dtype=np.uint32), np.zeros(32, np.uint32)
    body = LANE + "shl.b32 %r2, %r0, 2; ld.global.b32 %r1, [%rd3]; st.shared.b32 [%r2+64], %r1;"
    body += "bar.warp.sync -1; xor.b32 %r2, %r2, 4; ld.shared.b32 %r1, [%r2+64];"
    run(body + "st.global.b32 [%rd4], %r1;", x, out)
    np.testing.assert_array_equal(out, x ^ 1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("ld.global.b32 %r1, [%rd3+4];", "global access out of bounds"),
        ("ld.global.b32 %r1, [%rd3+-4];", "global access out of bounds"),
        ("st.global.b32 [%rd3+128], %r0;", "global access out of bounds"),
        ("ld.global.v4.b32 {%r1,%r2,%r3,%r4}, [%rd3];", "global access"),
        ("ld.global.b32 %r1, [%rd1+2];", "misaligned global access of 4 bytes"),
        ("ld.shared.b32 %r1, [4096];", "shared access out of bounds"),
        ("ld.shared.b64 %rd5, [4];", "misaligned shared access of 8 bytes"),
        ("mov.b64 %rd5, 0; ld.global.b32 %r1, [%rd5];", "global access out of bounds"),
    ],
    ids=["past", "before", "store", "vector", "misaligned", "shared", "shared-align", "null"],
)
def test_bad_accesses(run, body: str, message: str) -> None:
    x = np.zeros(32, np.uint32)
    with pytest.raises(SimulationError, match=message):
        run("mad.wide.u32 %rd3, %r0, 4, %rd1;" + body, x)


def test_masked_lanes_may_point_anywhere(run) -> None:
    x, out = np.arange(20, dtype=np.uint32), np.zeros(20, np.uint32)
    body = LANE + "setp.lt.u32 %p1, %r0, %r70; @%p1 ld.global.b32 %r1, [%rd3];"
    run(body + "@%p1 st.global.b32 [%rd4], %r1;", x, out, numbers=(20,))
    np.testing.assert_array_equal(out, x)


def test_memory_nobody_wrote_is_nan(run) -> None:
    out = np.zeros(32, np.float32)
    run("mad.wide.u32 %rd3, %r0, 4, %rd1; ld.shared.b32 %r1, [0]; st.global.b32 [%rd3], %r1;", out)
    assert np.isnan(out).all()


def test_a_block_keeps_nothing_of_the_one_before(run) -> None:
    out = np.zeros(64, np.float32)
    body = "mov.u32 %r1, %ctaid.x; shl.b32 %r2, %r1, 5; add.s32 %r2, %r2, %r0;"
    body += "mad.wide.u32 %rd3, %r2, 4, %rd1; ld.shared.b32 %r3, [0];"
    body += "st.global.b32 [%rd3], %r3; bar.warp.sync -1; st.shared.b32 [0], 0;"
    run(body, out, grid=(2,))
    assert np.isnan(out).all()
