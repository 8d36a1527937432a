from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import SimulationError

X = np.arange(128, dtype=np.float32)
ISSUE = """
mad.wide.u32 %rd3, %r0, 16, %rd1; mad.wide.u32 %rd4, %r0, 16, %rd2; shl.b32 %r1, %r0, 4;
cp.async.cg.shared.global [%r1], [%rd3], 16{length};
cp.async.commit_group;
"""
STORE = "ld.shared.v4.b32 {%r2,%r3,%r4,%r5}, [%r1]; st.global.v4.b32 [%rd4], {%r2,%r3,%r4,%r5};"


def test_lands_when_waited_for(run) -> None:
    out = np.zeros(128, np.float32)
    run(ISSUE.format(length="") + "cp.async.wait_group 0;" + STORE, X, out)
    np.testing.assert_array_equal(out, X)


def test_source_size_zero_fills_zeros(run) -> None:
    out = np.ones(128, np.float32)
    body = "setp.lt.u32 %p1, %r0, 16; selp.b32 %r6, 16, 0, %p1;" + ISSUE.format(length=", %r6")
    run(body + "cp.async.wait_all;" + STORE, X[:64], out)
    np.testing.assert_array_equal(out, np.where(np.arange(128) < 64, X, 0))


@pytest.mark.parametrize(
    ("wait", "message"),
    [
        ("", "read while an asynchronous copy"),
        ("cp.async.wait_group 1;", "read while an asynchronous copy"),
        ("st.shared.b32 [%r1], %r0;", "written while an asynchronous copy"),
        (ISSUE.format(length=""), "written while an asynchronous copy"),
    ],
    ids=["no-wait", "one-too-late", "store", "copied-twice"],
)
def test_data_in_flight(run, wait: str, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        run(ISSUE.format(length="") + wait + STORE, X, np.zeros(128, np.float32))


def test_groups_land_oldest_first(run) -> None:
    out = np.zeros(128, np.float32)
    second = ISSUE.format(length="").replace("[%r1]", "[%r1+1024]")
    run(ISSUE.format(length="") + second + "cp.async.wait_group 1;" + STORE, X, out)
    np.testing.assert_array_equal(out, X)


def test_out_of_bounds_shows_when_it_lands(run) -> None:
    with pytest.raises(SimulationError, match="global access out of bounds"):
        run(ISSUE.format(length="") + "cp.async.wait_all;", X[:64], np.zeros(128, np.float32))


def test_waiting_is_for_the_own_warp_only(run) -> None:
    """Two warps; each reads what the other copied, with and without a barrier."""
    x, out = np.arange(256, dtype=np.float32), np.zeros(256, np.float32)
    body = ISSUE.format(length="") + "cp.async.wait_group 0; {barrier} xor.b32 %r1, %r1, 512;"
    run(body.format(barrier="bar.sync 0;") + STORE, x, out, threads=64)
    np.testing.assert_array_equal(out.reshape(2, 128), x.reshape(2, 128)[::-1])
    for seed in range(3):
        with pytest.raises(SimulationError, match="race|in flight"):
            run(body.format(barrier="") + STORE, x, out, threads=64, seed=seed)
