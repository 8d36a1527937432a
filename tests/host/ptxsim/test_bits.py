from __future__ import annotations

import numpy as np
import pytest

A = (np.arange(32, dtype=np.uint64) * 2654435761 % 2**32).astype(np.uint32)
B = A[::-1].copy()
S = A.view(np.int32)


def signed(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int32).view(np.uint32)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("and.b32 %r9, %r1, %r2;", A & B),
        ("or.b32 %r9, %r1, %r2;", A | B),
        ("xor.b32 %r9, %r1, %r2;", A ^ B),
        ("not.b32 %r9, %r1;", ~A),
        ("shl.b32 %r9, %r1, 5;", A << np.uint32(5)),
        ("shl.b32 %r9, %r1, 32;", A * 0),
        ("shr.u32 %r9, %r1, 5;", A >> np.uint32(5)),
        ("shr.s32 %r9, %r1, 5;", signed(S >> 5)),
        ("shr.s32 %r9, %r1, 40;", signed(S >> 31)),
        ("shr.u32 %r9, %r1, 40;", A * 0),
        ("shf.l.wrap.b32 %r9, %r1, %r2, 8;", (B << np.uint32(8)) | (A >> np.uint32(24))),
        ("shf.r.wrap.b32 %r9, %r1, %r2, 8;", (A >> np.uint32(8)) | (B << np.uint32(24))),
        ("bfe.u32 %r9, %r1, 4, 8;", (A >> np.uint32(4)) & np.uint32(255)),
        ("bfe.s32 %r9, %r1, 4, 8;", signed((S << 20) >> 24)),
        ("bfi.b32 %r9, %r2, %r1, 8, 4;", (A & ~np.uint32(0xF00)) | (B & np.uint32(15)) << 8),
        ("prmt.b32 %r9, %r1, %r2, 0x5410;", (A & np.uint32(0xFFFF)) | (B << np.uint32(16))),
        ("prmt.b32 %r9, %r1, 0, 0x4448;", np.where(A & np.uint32(128), 255, 0)),
        ("lop3.b32 %r9, %r1, %r2, %r1, 0x3c;", A ^ B),
        ("popc.b32 %r9, %r1;", np.array([int(a).bit_count() for a in A])),
        ("clz.b32 %r9, %r1;", np.array([32 - int(a).bit_length() for a in A])),
        ("brev.b32 %r9, %r1;", np.array([int(f"{a:032b}"[::-1], 2) for a in A])),
    ],
)
def test_words(compute, body: str, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(compute(body, A, B), expected.astype(np.uint32))


def test_permutation_of_signs(compute) -> None:
    """Selector 8 + n spreads the sign of byte n."""
    out = compute("prmt.b32 %r9, %r1, 0, 0x888b;", A)
    expected = np.where(A >> 31, 0x000000FF, 0) | np.where(A & 128, 0xFFFFFF00, 0)
    np.testing.assert_array_equal(out, expected)
