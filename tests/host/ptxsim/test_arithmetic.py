from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim.formats import bf16_to_f32, f32_to_bf16

F = np.linspace(-4, 4, 32, dtype=np.float32)
G = np.linspace(0.5, 3, 32, dtype=np.float32)[::-1].copy()
I = np.arange(-16, 16, dtype=np.int32) * 77777777  # noqa: E741 - as in I, J
J = np.arange(32, dtype=np.int32) - 13


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("add.f32 %r9, %r1, %r2;", F + G),
        ("sub.rn.f32 %r9, %r1, %r2;", F - G),
        ("mul.f32 %r9, %r1, %r2;", F * G),
        ("div.full.f32 %r9, %r1, %r2;", F / G),
        ("min.f32 %r9, %r1, %r2;", np.minimum(F, G)),
        ("max.f32 %r9, %r1, %r2;", np.maximum(F, G)),
        ("fma.rn.f32 %r9, %r1, %r2, %r1;", np.float32(F.astype(float) * G + F)),
        ("ex2.approx.ftz.f32 %r9, %r1;", np.exp2(F)),
        ("lg2.approx.f32 %r9, %r2;", np.log2(G)),
        ("sqrt.approx.f32 %r9, %r2;", np.sqrt(G)),
        ("rsqrt.approx.f32 %r9, %r2;", 1 / np.sqrt(G)),
        ("rcp.approx.f32 %r9, %r2;", 1 / G),
        ("neg.f32 %r9, %r1;", -F),
        ("abs.f32 %r9, %r1;", np.abs(F)),
        ("tanh.approx.f32 %r9, %r1;", np.tanh(F)),
        ("mul.f32 %r9, %r1, 0f40000000;", F * 2),
        ("copysign.f32 %r9, %r1, %r2;", np.copysign(G, F)),
    ],
)
def test_floats(compute, body: str, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(compute(body, F, G).view(np.float32), expected)


def _wide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    dtype = np.int64 if a.dtype.kind == "i" else np.uint64
    return a.astype(dtype) * b.astype(dtype)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("add.s32 %r9, %r1, %r2;", I + J),
        ("sub.s32 %r9, %r1, %r2;", I - J),
        ("mul.lo.s32 %r9, %r1, %r2;", _wide(I, J).astype(np.int32)),
        ("mul.hi.s32 %r9, %r1, %r2;", (_wide(I, J) >> 32).astype(np.int32)),
        (
            "mul.hi.u32 %r9, %r1, -3;",
            ((I.view(np.uint32) * (2**32 - 3.0)) / 2**32).astype(np.int64),
        ),
        ("mad.lo.s32 %r9, %r1, %r2, %r1;", (_wide(I, J) + I).astype(np.int32)),
        ("div.s32 %r9, %r1, 7;", np.trunc(I / 7).astype(np.int32)),
        ("rem.s32 %r9, %r1, 7;", np.fmod(I, 7)),
        ("div.u32 %r9, %r1, 10;", I.view(np.uint32) // 10),
        ("min.s32 %r9, %r1, %r2;", np.minimum(I, J)),
        ("max.u32 %r9, %r1, %r2;", np.maximum(I.view(np.uint32), J.view(np.uint32))),
        ("neg.s32 %r9, %r2;", -J),
        ("abs.s32 %r9, %r2;", np.abs(J)),
    ],
)
def test_integers(compute, body: str, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(compute(body, I, J), expected.astype(np.int64) & 0xFFFFFFFF)


def test_wide_products(compute) -> None:
    body = "cvt.u32.u64 %r1, %rd11; mad.wide.s32 %rd19, %r1, -5, %rd11;"
    numbers = np.arange(32, dtype=np.uint64) * 100000000
    expected = numbers.astype(np.uint32).view(np.int32).astype(np.int64) * -5 + numbers.view(
        np.int64
    )
    np.testing.assert_array_equal(compute(body, numbers, wide=True).view(np.int64), expected)


def test_upper_half_of_64_bits(compute) -> None:
    numbers = np.array([2**63 + 5, 3, 2**64 - 1], np.uint64)
    out = compute("mul.hi.u64 %rd19, %rd11, %rd11;", numbers, wide=True)
    assert [int(word) for word in out[:3]] == [int(n) ** 2 >> 64 for n in numbers.tolist()]


def test_pairs_of_halves(compute) -> None:
    a = np.float16([[1.5, -2], [3, 0.1]])
    b = np.float16([[0.3, 7], [1, 1]])
    out = compute("fma.rn.f16x2 %r9, %r1, %r2, %r1;", a, b)[:2].view(np.float16).reshape(2, 2)
    np.testing.assert_array_equal(out, (a.astype(float) * b + a).astype(np.float16))


def test_pairs_of_bfloat16(compute) -> None:
    a = f32_to_bf16(np.float32([[1.5, -2], [3, 0.1]]))
    out = compute("add.bf16x2 %r9, %r1, %r1;", a)[:2].view(np.uint16).reshape(2, 2)
    np.testing.assert_array_equal(out, f32_to_bf16(2 * bf16_to_f32(a)))


def test_mixed_multiply_add(compute) -> None:
    """a and b are halves, c and d float32."""
    a = np.resize(np.float16([[1.0009765625, 0], [3, 0]]), (32, 2))
    body = "cvt.u16.u32 %rs1, %r1; fma.rn.f32.f16 %r9, %rs1, %rs1, %r2;"
    out = compute(body, a, F).view(np.float32)
    np.testing.assert_array_equal(out, np.float32(a[:, 0].astype(float) ** 2 + F))


@pytest.mark.parametrize("nan", [True, False])
def test_nan_in_maximum(compute, nan: bool) -> None:
    kind = "max.NaN.f32" if nan else "max.f32"
    out = compute(f"{kind} %r9, %r1, 0f00000000;", np.float32([np.nan])).view(np.float32)
    assert np.isnan(out[0]) if nan else out[0] == 0
