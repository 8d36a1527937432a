from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import Unimplemented

A = np.arange(32, dtype=np.uint32) * 0x01020304


def test_pack_and_unpack(compute) -> None:
    body = "mov.b32 {%rs1, %rs2}, %r1; mov.b32 %r9, {%rs2, %rs1};"
    np.testing.assert_array_equal(compute(body, A), (A >> 16) | (A << 16))


def test_unpack_four(compute) -> None:
    body = (
        "mov.b64 %rd11, {%r1, %r1}; mov.b64 {%rs1, %rs2, %rs3, %rs4}, %rd11; cvt.u32.u16 %r9, %rs4;"
    )
    np.testing.assert_array_equal(compute(body, A), A >> 16)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("%tid.x", np.arange(32)),
        ("%tid.y", np.zeros(32)),
        ("%laneid", np.arange(32)),
        ("%ntid.x", np.full(32, 32)),
        ("%ctaid.x", np.zeros(32)),
        ("%nctaid.y", np.ones(32)),
        ("%cluster_ctarank", np.zeros(32)),
        ("%clock64", np.zeros(32)),
        ("%globaltimer_lo", np.zeros(32)),
    ],
)
def test_special_registers(compute, name: str, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(compute(f"mov.u32 %r9, {name};"), expected)


def test_unknown_special_register(compute) -> None:
    with pytest.raises(Unimplemented, match="%smid"):
        compute("mov.u32 %r9, %smid;")


def test_immediates(compute) -> None:
    assert compute("mov.b32 %r9, 0f3f800000;").view(np.float32)[0] == 1
    assert compute("mov.b32 %r9, -2;").view(np.int32)[0] == -2
    assert compute("mov.u32 %r9, 0xfffffff0U;")[0] == 0xFFFFFFF0
    body = "mov.b64 %rd19, 0d3ff8000000000000;"
    assert compute(body, wide=True).view(np.float64)[0] == 1.5


def test_local_scopes(compute) -> None:
    body = "mov.b32 %r9, 1; { .reg .b32 %r9; mov.b32 %r9, 5; }"
    body += "{ .reg .b32 t; mov.b32 t, %r9; add.s32 %r9, t, t; }"
    assert compute(body)[0] == 2
