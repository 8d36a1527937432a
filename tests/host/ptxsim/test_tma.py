"""Tensor maps and the copies made with them: boxes, zeros outside, swizzles, fences, flight."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import Simulation, SimulationError, TensorMap, Unimplemented
from kernels.ptxsim.tensormap import BYTES, FIELDS, LAYOUT, decode

ROWS, COLUMNS = 4, 8
KERNEL = """
.visible .entry k(.param .align 64 .b8 x[128], .param .u32 xh, .param .u32 xw, .param .u64 xs,
  .param .u64 xt, .param .align 64 .b8 out[128], .param .u32 oh, .param .u32 ow, .param .u64 os,
  .param .u64 ot, .param .u32 row, .param .u32 column)
.reqntid 32
{{
.reg .pred %p<4>; .reg .b32 %r<9>; .reg .b64 %rd<4>;
mov.b64 %rd1, x; cvta.param.u64 %rd1, %rd1; mov.b64 %rd2, out; cvta.param.u64 %rd2, %rd2;
ld.param.b32 %r1, [row]; ld.param.b32 %r2, [column]; mov.u32 %r0, %tid.x; mov.b32 %r5, 0;
setp.eq.u32 %p1, %r0, 0;
@%p1 mbarrier.init.shared::cta.b64 [2048], 1;
@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [2048], {bytes};
{before}
@%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes \
[0], [%rd1, {{%r2, %r1}}], [2048];
{wait}
{between}
@%p1 cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd2, {{%r5, %r5}}], [0];
cp.async.bulk.commit_group;
{change}
{drain}
ret;
}}
"""
WAIT = """
{ .reg .pred done; again: mbarrier.try_wait.parity.shared::cta.b64 done, [2048], 0;
@!done bra again; }
"""
PARTS = {
    "bytes": str(ROWS * COLUMNS * 4),
    "before": "",
    "wait": WAIT,
    "between": "",
    "change": "",
    "drain": "cp.async.bulk.wait_group.read 0;",
}


def tensor_map(array: np.ndarray, swizzle: int = 0, box: tuple[int, ...] = (ROWS, COLUMNS)):
    record = {"elem_size": 4, "swizzle": swizzle, "block_size": box}
    strides = tuple(stride // 4 for stride in array.strides)
    return TensorMap(array, array.shape, strides, 4, record)


def copy(row: int = 0, column: int = 0, swizzle: int = 0, **parts: str) -> np.ndarray:
    """One box of x to the first box of the output."""
    x = np.arange(80, dtype=np.float32).reshape(10, 8)
    out = np.full((ROWS, COLUMNS), np.nan, np.float32)
    ptx = KERNEL.format(**PARTS | parts)
    arguments = [tensor_map(x, swizzle), tensor_map(out, swizzle), row, column]
    Simulation(ptx).run(arguments, (1,), 4096)
    return out


@pytest.mark.parametrize("swizzle", [0, 1], ids=["plain", "swizzled"])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 0), (-2, 3), (9, -5), (20, 0)])
def test_box_with_zeros_outside(row: int, column: int, swizzle: int) -> None:
    padded = np.zeros((40, 40))
    padded[10:20, 10:18] = np.arange(80).reshape(10, 8)
    expected = padded[10 + row : 14 + row, 10 + column : 18 + column]
    np.testing.assert_array_equal(copy(row, column, swizzle), expected)


def test_swizzle_exchanges_16_byte_chunks() -> None:
    """Written swizzled and read plain: rows 4 to 7 of 32 bytes have their halves exchanged."""
    x = np.arange(64, dtype=np.float32).reshape(8, 8)
    out = np.zeros((8, 8), np.float32)
    maps = [tensor_map(x, 1, (8, 8)), tensor_map(out, 0, (8, 8))]
    Simulation(KERNEL.format(**PARTS | {"bytes": "256"})).run([*maps, 0, 0], (1,), 4096)
    expected = x.copy()
    expected[4:] = np.roll(x[4:], 4, 1)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"wait": ""}, "in flight"),
        ({"bytes": "64"}, "more|in flight|deadlock|exit"),
        ({"bytes": "256"}, "deadlock"),
        ({"wait": "", "between": "ld.shared.b32 %r4, [0];"}, "read while an asynchronous copy"),
        ({"between": "st.shared.b32 [0], %r5;"}, "without fence.proxy.async"),
        ({"before": "st.shared.b32 [0], %r5;"}, "without fence.proxy.async"),
        ({"change": "st.shared.b32 [0], 7;"}, "source of a TMA store changed"),
        ({"drain": ""}, "exit with bulk stores not waited for"),
    ],
    ids=["wait", "few-bytes", "many-bytes", "read", "fence", "fence-load", "changed", "drain"],
)
def test_mistakes(parts: dict[str, str], message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        copy(**parts)


def test_a_fence_makes_stores_visible() -> None:
    fenced = "@%p1 st.shared.b32 [0], 0f40e00000; fence.proxy.async.shared::cta; bar.sync 0;"
    assert copy(between=fenced)[0, 0] == 7


def test_zeros_outside_never_read_memory() -> None:
    """The box leaves the buffer, the tensor does not."""
    assert copy(row=8)[2:].max() == 0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("address", 8, "an address that is a multiple of 16"),
        ("box", 0, "box 1 .. 256"),
        ("box", 3, "an inner box of whole 16 bytes"),
        ("stride", 24, "strides that are multiples of 16"),
        ("element_stride", 2, "element strides of 1"),
        ("interleave", 1, "no interleave"),
        ("swizzle", 9, "a known swizzle"),
        ("element_type", 40, "element type 40"),
    ],
)
def test_invalid_maps(field: str, value: int, message: str) -> None:
    raw = tensor_map(np.zeros((4, 8), np.float32)).words(4096)[0]
    made = np.frombuffer(raw.tobytes(), LAYOUT, 1).copy()
    made[field].reshape(-1)[0] = value
    changed = np.frombuffer(made.tobytes().ljust(BYTES, b"\0"), np.uint8)
    assert field in FIELDS.values()
    with pytest.raises(SimulationError, match=message):
        decode(changed)


def test_narrow_inner_box_is_not_guessed() -> None:
    with pytest.raises(Unimplemented, match="narrower than the swizzle span"):
        decode(tensor_map(np.zeros((4, 8), np.float32), swizzle=3).words(4096)[0])


def test_below_sm_90_there_are_none() -> None:
    plain = TensorMap(np.zeros((4, 8), np.float32), (4, 8), (8, 1), 4, None)
    with pytest.raises(Unimplemented, match="below sm_90"):
        Simulation(KERNEL.format(**PARTS)).run([plain], (1,))
