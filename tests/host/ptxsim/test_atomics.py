from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import Unimplemented


@pytest.mark.parametrize(
    ("instruction", "start", "expected"),
    [
        ("red.global.add.u32 [%rd1], %r0;", 3, 3 + 496),
        ("atom.global.gpu.relaxed.max.s32 %r1, [%rd1], %r0;", 3, 31),
        ("red.global.min.u32 [%rd1], %r0;", 3, 0),
        ("red.global.or.b32 [%rd1], %r0;", 64, 95),
        ("atom.global.exch.b32 %r1, [%rd1], %r0;", 3, 31),
        ("atom.global.cas.b32 %r1, [%rd1], %r0, 77;", 5, 77),
        ("atom.global.inc.u32 %r1, [%rd1], 9;", 0, 2),
    ],
)
def test_global(run, instruction: str, start: int, expected: int) -> None:
    word = np.uint32([start])
    run(instruction, word)
    assert word[0] == expected


def test_old_values_in_lane_order(run) -> None:
    word, out = np.uint32([10]), np.zeros(32, np.uint32)
    body = "atom.global.add.u32 %r1, [%rd1], 2; mad.wide.u32 %rd3, %r0, 4, %rd2;"
    run(body + "st.global.b32 [%rd3], %r1;", word, out)
    np.testing.assert_array_equal(out, 10 + 2 * np.arange(32))


def test_floats_in_shared_memory(run) -> None:
    out = np.zeros(32, np.float32)
    body = "st.shared.b32 [0], 0; bar.sync 0; cvt.rn.f32.u32 %r1, %r0; red.shared.add.f32 [0], %r1;"
    body += "bar.sync 0; ld.shared.b32 %r2, [0]; mad.wide.u32 %rd3, %r0, 4, %rd1;"
    run(body + "st.global.b32 [%rd3], %r2;", out)
    assert (out == 496).all()


def test_packed_atomics_are_not_guessed(run) -> None:
    with pytest.raises(Unimplemented):
        run("red.global.add.noftz.bf16x2 [%rd1], %r0;", np.zeros(4))
