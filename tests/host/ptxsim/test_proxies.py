"""Tensor maps that a kernel makes: written in shared memory, published, acquired, used."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import SimulationError, Unimplemented

REPLACE = "@%p1 tensormap.replace.tile.{field}.shared::cta.b1024.{kind} [0], {value};"
FIELDS = {
    "global_address": ("b64", "%rd1"),
    "rank": ("b32", "1"),
    "box_dim": ("b32", "0, 8", "1, 4"),
    "global_dim": ("b32", "0, 8", "1, 6"),
    "global_stride": ("b64", "0, %rd10"),
    "element_stride": ("b32", "0, 1", "1, 1"),
    "elemtype": ("b32", "7"),
    "interleave_layout": ("b32", "0"),
    "swizzle_mode": ("b32", "0"),
    "fill_mode": ("b32", "0"),
}
MAKE = "mov.b64 %rd10, 32;" + "".join(
    REPLACE.format(field=field, kind=kind, value=value)
    for field, (kind, *values) in FIELDS.items()
    for value in values
)
PARTS = {
    "make": MAKE,
    "publish": "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync"
    ".aligned [%rd3], [0], 128;",
    "acquire": "fence.proxy.tensormap::generic.acquire.gpu [%rd3], 128;",
}
BODY = """
setp.eq.u32 %p1, %r0, 0; mov.b32 %r5, 0; mov.b32 %r6, 3;
@%p1 mbarrier.init.shared::cta.b64 [2048], 1;
@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [2048], 128;
{make} bar.sync 0; {publish} {acquire}
@%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes
[1024], [%rd3, {{%r5, %r6}}], [2048];
{{ .reg .pred done; again: mbarrier.try_wait.parity.shared::cta.b64 done, [2048], 0;
@!done bra again; }}
shl.b32 %r1, %r0, 2; ld.shared.b32 %r2, [%r1+1024];
mad.wide.u32 %rd4, %r0, 4, %rd2; st.global.b32 [%rd4], %r2;
"""


def load(run, **parts: str) -> np.ndarray:
    """Rows 3 to 6 of x [6, 8]; the last one is outside."""
    x, out = np.arange(48, dtype=np.float32), np.full(32, np.nan, np.float32)
    scratch = np.zeros(128, np.uint8)
    run(BODY.format(**PARTS | parts), x, out, scratch)
    return out.reshape(4, 8)


def test_device_made_map(run) -> None:
    expected = np.vstack([np.arange(24, 48).reshape(3, 8), np.zeros((1, 8))])
    np.testing.assert_array_equal(load(run), expected)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"acquire": ""}, "without fence.proxy.tensormap acquire"),
        ({"publish": PARTS["acquire"], "acquire": PARTS["publish"]}, "invalid tensor map"),
        ({"make": MAKE.replace("[0], 1, 4;", "[0], 1, 0;")}, "it needs box 1 .. 256"),
        ({"publish": PARTS["publish"].replace("128;", "64;")}, "a tensor map has 128 bytes"),
        ({"publish": PARTS["publish"].replace("[%rd3]", "[%rd3+8]")}, "misaligned tensor map"),
    ],
    ids=["acquire", "acquired-early", "box", "size", "alignment"],
)
def test_mistakes(run, parts: dict[str, str], message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        load(run, **parts)


def test_unknown_field(run) -> None:
    with pytest.raises(Unimplemented, match="tensormap.replace of swizzle_atomicity"):
        load(run, make=MAKE.replace("swizzle_mode", "swizzle_atomicity"))


def test_fences_before_and_after_a_barrier(run) -> None:
    """The storing warp's before it or any warp's after it, but one of them."""
    body = """
    setp.lt.u32 %p1, %r0, 32; @%p1 bra READ; st.shared.b32 [0], 1; {fence}
    READ: bar.sync 0; {late} setp.eq.u32 %p1, %r0, 0; mov.b64 %rd10, 0; mov.b64 %rd11, 0;
    wgmma.fence.sync.aligned;
    wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16
    {{%r20, %r21, %r22, %r23}}, %rd10, %rd11, 0, 1, 1;
    wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;
    """
    fence = "fence.proxy.async.shared::cta;"
    run(body.format(fence=fence, late=""), np.zeros(1), threads=128)
    run(body.format(fence="", late=fence), np.zeros(1), threads=128)
    with pytest.raises(SimulationError, match="without fence.proxy.async"):
        run(body.format(fence="", late=""), np.zeros(1), threads=128)
