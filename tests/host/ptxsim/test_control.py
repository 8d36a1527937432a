from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import SimulationError, Unimplemented
from kernels.ptxsim.scheduler import SCHEDULES

OUT = "mad.wide.u32 %rd3, %r0, 4, %rd1; st.global.b32 [%rd3], %r9;"
EXCHANGE = """
shl.b32 %r1, %r0, 2; mov.u32 %r2, %ntid.x; sub.s32 %r3, %r2, 1; sub.s32 %r3, %r3, %r0;
shl.b32 %r3, %r3, 2; st.shared.b32 [%r1], %r0; {first} ld.shared.b32 %r9, [%r3]; {second}
st.shared.b32 [%r1], %r9;
"""


def test_loop_with_divergent_ends(run) -> None:
    out = np.zeros(32, np.uint32)
    body = "mov.b32 %r9, 0; mov.b32 %r1, 0; LOOP: add.s32 %r9, %r9, %r1; add.s32 %r1, %r1, 1;"
    run(body + "setp.le.u32 %p1, %r1, %r0; @%p1 bra LOOP;" + OUT, out)
    np.testing.assert_array_equal(out, np.arange(32) * (np.arange(32) + 1) // 2)


def test_branches_meet_again(run) -> None:
    out = np.zeros(32, np.uint32)
    body = "and.b32 %r1, %r0, 1; setp.eq.b32 %p1, %r1, 0; @%p1 bra EVEN; mov.b32 %r9, 7; bra MEET;"
    body += "EVEN: mov.b32 %r9, 8; MEET: shfl.sync.bfly.b32 %r9, %r9, 1, 31, -1;"
    run(body + OUT, out)
    np.testing.assert_array_equal(out, np.where(np.arange(32) % 2, 8, 7))


def test_branch_table(run) -> None:
    out = np.zeros(32, np.uint32)
    body = "and.b32 %r1, %r0, 1; TABLE: .branchtargets A, B; brx.idx %r1, TABLE;"
    run(body + "A: mov.b32 %r9, 3; bra END; B: mov.b32 %r9, 4; END:" + OUT, out)
    np.testing.assert_array_equal(out, 3 + np.arange(32) % 2)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_barriers_order_shared_memory(run, schedule: str) -> None:
    out = np.zeros(128, np.uint32)
    body = EXCHANGE.format(first="bar.sync 0;", second="bar.sync 0;")
    run(body + OUT, out, threads=128, schedule=schedule)
    np.testing.assert_array_equal(out, np.arange(128)[::-1])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("missing", ["first", "second"])
def test_missing_barriers_are_races_in_every_order(run, schedule: str, missing: str) -> None:
    barriers = {"first": "bar.sync 0;", "second": "bar.sync 0;", missing: ""}
    for seed in range(3):
        with pytest.raises(SimulationError, match="race"):
            run(
                EXCHANGE.format(**barriers),
                np.zeros(1),
                threads=128,
                schedule=schedule,
                seed=seed,
            )


def test_writing_the_same_is_no_race(run) -> None:
    run("st.shared.b32 [0], 5;", np.zeros(1), threads=128)
    with pytest.raises(SimulationError, match="written twice"):
        run("st.shared.b32 [0], %r0;", np.zeros(1), threads=128)


def test_named_barriers_pair_producers_with_consumers(run) -> None:
    """Warp 0 writes and arrives, warp 1 waits and reads."""
    out = np.zeros(64, np.uint32)
    body = "shl.b32 %r1, %r0, 2; setp.lt.u32 %p1, %r0, 32; mov.b32 %r9, 0; @!%p1 bra READ;"
    body += "st.shared.b32 [%r1], %r0; {arrive} bra END;"
    body += "READ: bar.sync 3, 64; ld.shared.b32 %r9, [%r1+-128]; END:" + OUT
    run(body.format(arrive="bar.arrive 3, 64;"), out, threads=64)
    np.testing.assert_array_equal(out, np.r_[np.zeros(32), np.arange(32)])
    with pytest.raises(SimulationError, match="deadlock"):
        run(body.format(arrive=""), out, threads=64)


def test_lanes_that_have_ended(run) -> None:
    """A barrier of the warp does not wait for them; a shuffle needs them."""
    body = "setp.lt.u32 %p1, %r0, 16; @%p1 ret; "
    run(body + "bar.warp.sync -1;", np.zeros(1))
    with pytest.raises(SimulationError, match="only some of its lanes"):
        run(body + "shfl.sync.bfly.b32 %r9, %r0, 1, 31, -1;", np.zeros(1))


def test_lanes_that_never_meet(run) -> None:
    body = "setp.lt.u32 %p1, %r0, 5; @%p1 bar.sync 1, 64; shfl.sync.bfly.b32 %r9, %r0, 1, 31, -1;"
    with pytest.raises(SimulationError, match="never come together"):
        run(body, np.zeros(1))


def test_endless_loop(run) -> None:
    with pytest.raises(SimulationError, match="not ended after 500 steps"):
        run("FOREVER: bra FOREVER;", np.zeros(1), step_limit=500)


def test_trap(run) -> None:
    body = "mov.u32 %r1, %ctaid.x; setp.eq.b32 %p1, %r1, 1; @!%p1 bra END; trap; END:"
    with pytest.raises(SimulationError, match=r"trap at `trap` in block \(1, 0, 0\)"):
        run(body, np.zeros(1), grid=(2,))


@pytest.mark.parametrize("body", ["barrier.cluster.arrive;", "dp4a.u32.u32 %r1, %r2, %r3, %r4;"])
def test_what_is_not_known_says_so(run, body: str) -> None:
    with pytest.raises(Unimplemented):
        run(body, np.zeros(1))


def test_unknown_instructions_that_are_not_reached_do_no_harm(run) -> None:
    run("bra END; dp4a.u32.u32 %r1, %r2, %r3, %r4; END:", np.zeros(1))


def test_unknown_schedule(run) -> None:
    with pytest.raises(ValueError, match="schedule='random' is not one of warp, subset, lockstep"):
        run("", np.zeros(1), schedule="random")
