"""One thread multiplies 128 x 16 by 16 x 16 into tensor memory, and what must not happen."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import SimulationError
from kernels.ptxsim.families.tensor_copies import cells

# Descriptors of tiles without swizzle, as in test_wgmma.
A_TILE = (128 >> 4 << 16) | (256 >> 4 << 32)
B_TILE = A_TILE | 4096 >> 4
# float32 results of fp16; 16 columns, 128 rows.
FORM = 1 << 4 | 16 // 8 << 17 | 128 // 16 << 24
REGISTERS = "{" + ", ".join(f"%r{20 + i}" for i in range(16)) + "}"
BODY = """
setp.lt.u32 %p1, %r0, 32; setp.eq.u32 %p2, %r0, 0; setp.ne.u32 %p3, %r0, %r0; shl.b32 %r1, %r0, 4;
{alloc}
@%p2 mbarrier.init.shared::cta.b64 [8192], 1;
mad.wide.u32 %rd3, %r0, 32, %rd1; shl.b32 %r6, %r0, 5;
ld.global.v4.b32 {{%r2, %r3, %r4, %r5}}, [%rd3]; st.shared.v4.b32 [%r6], {{%r2, %r3, %r4, %r5}};
ld.global.v4.b32 {{%r2, %r3, %r4, %r5}}, [%rd3+16];
st.shared.v4.b32 [%r6+16], {{%r2, %r3, %r4, %r5}};
mad.wide.u32 %rd4, %r0, 16, %rd2;
@%p1 ld.global.v4.b32 {{%r2, %r3, %r4, %r5}}, [%rd4];
@%p1 st.shared.v4.b32 [%r1+4096], {{%r2, %r3, %r4, %r5}};
{proxy} bar.sync 0;
ld.shared.b32 %r10, [8200];
mov.b64 %rd10, {a}; mov.b64 %rd11, {b}; mov.b32 %r11, {form}; mov.b32 %r12, 8192;
@%p2 tcgen05.mma.cta_group::1.kind::f16 [%r10+{column}], %rd10, %rd11, %r11, %p3;
{again}
@%p2 tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster.b64 [%r12];
{between}
{wait}
shr.u32 %r13, %r0, 5; {{ .reg .b32 row; shl.b32 row, %r13, 21; add.s32 %r13, %r10, row; }}
tcgen05.ld.sync.aligned.32x32b.x16.b32 {registers}, [%r13];
tcgen05.wait::ld.sync.aligned;
{stores}
bar.sync 0;
{free}
"""
STORES = "mad.wide.u32 %rd5, %r0, 64, %rd3;" + "".join(
    f"st.global.b32 [%rd5+{4 * i}], %r{20 + i};" for i in range(16)
)
AGAIN = "@%p2 tcgen05.mma.cta_group::1.kind::f16 [%r10], %rd10, %rd11, %r11, 1;"
PARTS = {
    "alloc": "@%p1 tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [8200], 32;",
    "free": "@%p1 tcgen05.dealloc.cta_group::1.sync.aligned.b32 %r10, 32;",
    "proxy": "fence.proxy.async.shared::cta;",
    "again": "",
    "between": "",
    "wait": """{ .reg .pred done; again: mbarrier.try_wait.parity.shared::cta.b64 done, [8192], 0;
    @!done bra again; }""",
    "a": str(A_TILE),
    "b": str(B_TILE),
    "form": str(FORM),
    "column": "0",
    "registers": REGISTERS,
    "stores": STORES.replace("%rd3", "%rd6"),
}
RANDOM = np.random.default_rng(0)
A = RANDOM.standard_normal((128, 16)).astype(np.float16)
B = RANDOM.standard_normal((16, 16)).astype(np.float16)


def tiles(matrix: np.ndarray) -> np.ndarray:
    """Rows of M or N with K contiguous, as matrices of 8 rows of 16 bytes."""
    rows = len(matrix)
    return np.ascontiguousarray(matrix.reshape(rows // 8, 8, 2, 8).transpose(0, 2, 1, 3))


def multiply(run, strict: bool = False, **parts: str) -> np.ndarray:
    """D [128, 16]."""
    out = np.full((128, 16), np.nan, np.float32)
    body = "mov.b64 %rd6, %rd3;" + BODY.format(**PARTS | parts)
    options = {"threads": 128, "shared_bytes": 8208, "strict_tensor_memory": strict}
    run(body, tiles(A), tiles(B.T), out, **options)
    return out


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("times", [1, 2])
def test_product(run, times: int, strict: bool) -> None:
    result = multiply(run, strict, again=AGAIN if times == 2 else "")
    np.testing.assert_allclose(result, times * (A.astype(float) @ B), rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"free": ""}, "tensor memory not deallocated"),
        ({"alloc": "", "free": ""}, "not allocated"),
        ({"column": "24"}, r"columns \d+ .. \d+ are not allocated"),
        ({"proxy": ""}, "without fence.proxy.async"),
        ({"between": "@%p2 st.shared.b32 [0], 7;"}, "operand changed before it was complete|race"),
        ({"free": PARTS["free"].replace("32;", "64;")}, "dealloc of something not allocated"),
        ({"alloc": PARTS["alloc"].replace("32;", "48;")}, "alloc of 48 columns"),
        ({"registers": "{%r20, %r21}"}, ""),
    ],
    ids=["free", "alloc", "columns", "proxy", "operand", "dealloc", "size", "short"],
)
def test_mistakes(run, parts: dict[str, str], message: str) -> None:
    if not message:
        assert np.isfinite(multiply(run, **parts)[:, :2]).all()
        return
    with pytest.raises(SimulationError, match=message):
        multiply(run, **parts)


def test_results_are_poisoned_until_committed_and_waited_for(run) -> None:
    late = PARTS["free"].replace("@%p1 tcgen05", PARTS["wait"] + "@%p1 tcgen05")
    assert np.isnan(multiply(run, wait="", free=late)).all()


@pytest.mark.parametrize("shape", ["32x32b", "16x128b", "16x256b", "16x32bx2"])
def test_cells_of_a_load_are_distinct(shape: str) -> None:
    lanes, columns = cells(shape, 32 << 16 | 8, 8, 8)
    assert len({*zip(lanes.ravel().tolist(), columns.ravel().tolist(), strict=True)}) == 32 * 8
    assert lanes.min() == 32
    assert columns.min() == 8
