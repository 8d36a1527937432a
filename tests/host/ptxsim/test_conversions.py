from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import Unimplemented
from kernels.ptxsim.formats import FP8, f32_to_bf16

F = np.float32([0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, 1e10, -1e10, np.nan, np.inf, 0])


def words(compute, body: str, source: np.ndarray) -> np.ndarray:
    return compute(body, source)[: len(source)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("rni.s32", [0, 2, 2, 0, -2, 300, -300, 2**31 - 1, -(2**31), 0, 2**31 - 1, 0]),
        ("rzi.s32", [0, 1, 2, 0, -1, 300, -300, 2**31 - 1, -(2**31), 0, 2**31 - 1, 0]),
        ("rmi.s32", [0, 1, 2, -1, -2, 300, -300, 2**31 - 1, -(2**31), 0, 2**31 - 1, 0]),
        ("rpi.s32", [1, 2, 3, 0, -1, 300, -300, 2**31 - 1, -(2**31), 0, 2**31 - 1, 0]),
        ("rzi.u32", [0, 1, 2, 0, 0, 300, 0, 2**32 - 1, 0, 0, 2**32 - 1, 0]),
    ],
)
def test_to_integers(compute, kind: str, expected: list[int]) -> None:
    out = words(compute, f"cvt.{kind}.f32 %r9, %r1;", F)
    np.testing.assert_array_equal(out, np.array(expected) & 0xFFFFFFFF)


def test_from_integers(compute) -> None:
    numbers = np.int32([-3, 7, 16777217])
    out = words(compute, "cvt.rn.f32.s32 %r9, %r1;", numbers).view(np.float32)
    np.testing.assert_array_equal(out, numbers.astype(np.float32))


def test_sign_and_zero_extension(compute) -> None:
    numbers = np.uint64([0x80000000, 5])
    body = "cvt.u32.u64 %r1, %rd11; cvt.s64.s32 %rd19, %r1;"
    assert compute(body, numbers, wide=True).view(np.int64)[:2].tolist() == [-(2**31), 5]
    body = "cvt.u32.u64 %r1, %rd11; cvt.u64.u32 %rd19, %r1;"
    assert compute(body, numbers, wide=True)[:2].tolist() == [2**31, 5]


def test_halves(compute) -> None:
    values = np.float32([1.0004, 65520, -3e-8, 2.5])
    out = words(compute, "cvt.rn.f16.f32 %rs1, %r1; cvt.f32.f16 %r9, %rs1;", values)
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(out.view(np.float32), expected)


def test_pairs_have_the_first_source_above(compute) -> None:
    values = np.float32([1.25, -7])
    for kind, bits in (
        ("f16x2", values.astype(np.float16).view(np.uint16)),
        ("bf16x2", f32_to_bf16(values)),
    ):
        out = words(compute, f"cvt.rn.{kind}.f32 %r9, %r1, 0f00000000;", values)
        np.testing.assert_array_equal(out >> 16, bits)
        np.testing.assert_array_equal(out & 0xFFFF, 0)


def test_bfloat16_is_rounded_to_nearest_even(compute) -> None:
    values = np.uint32([0x3F808000, 0x3F818000, 0x3F808001]).view(np.float32)
    out = words(compute, "cvt.rn.bf16.f32 %rs1, %r1; cvt.u32.u16 %r9, %rs1;", values)
    assert out.tolist() == [0x3F80, 0x3F82, 0x3F81]


def test_tf32_is_rounded_half_away(compute) -> None:
    values = np.uint32([0x3F801000, 0x3F800FFF, 0xBF801000]).view(np.float32)
    out = words(compute, "cvt.rna.tf32.f32 %r9, %r1;", values)
    assert out.tolist() == [0x3F802000, 0x3F800000, 0xBF802000]


def test_saturation(compute) -> None:
    out = words(compute, "cvt.sat.f32.f32 %r9, %r1;", np.float32([-1, 0.25, 3]))
    assert out.view(np.float32).tolist() == [0, 0.25, 1]


@pytest.mark.parametrize("kind", FP8)
def test_fp8(compute, kind: str) -> None:
    pairs = np.uint32([0x3840, 0x017F])
    out = words(compute, f"cvt.u16.u32 %rs1, %r1; cvt.rn.f16x2.{kind}x2 %r9, %rs1;", pairs)
    expected = FP8[kind][np.stack([pairs & 255, pairs >> 8], 1)].astype(np.float16)
    np.testing.assert_array_equal(out.view(np.float16).reshape(2, 2), expected)


def test_unknown_rounding_is_not_guessed(compute) -> None:
    with pytest.raises(Unimplemented, match=r"modifier \.rm"):
        compute("cvt.rm.f16.f32 %rs1, %r1; mov.b32 %r9, 0;", F)
