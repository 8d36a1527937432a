from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import SimulationError

FIRST = "setp.eq.u32 %p1, %r0, 0; setp.lt.u32 %p2, %r0, 32; shl.b32 %r1, %r0, 2;"
MAKE = FIRST + "@%p1 mbarrier.init.shared::cta.b64 [1024], {count}; bar.sync 0;"
WAIT = """
{{ .reg .pred done; again{n}: mbarrier.try_wait.parity.shared::cta.b64 done, [1024], {parity};
@!done bra again{n}; }}
"""
ARRIVE = "mbarrier.arrive.shared::cta.b64 _, [1024];"
# Warp 0 writes and arrives; warp 1 waits and reads.
HAND_OVER = (
    MAKE.format(count=32)
    + """
mov.b32 %r9, 0; @!%p2 bra READ;
st.shared.b32 [%r1], %r0; {arrive} bra END;
READ: {wait} ld.shared.b32 %r9, [%r1+-128];
END: mad.wide.u32 %rd3, %r0, 4, %rd1; st.global.b32 [%rd3], %r9;
"""
)


@pytest.mark.parametrize("schedule", ["warp", "subset", "lockstep"])
def test_hand_over(run, schedule: str) -> None:
    out = np.zeros(64, np.uint32)
    body = HAND_OVER.format(arrive=ARRIVE, wait=WAIT.format(n=0, parity=0))
    run(body, out, threads=64, schedule=schedule)
    np.testing.assert_array_equal(out, np.r_[np.zeros(32), np.arange(32)])


@pytest.mark.parametrize(
    ("arrive", "wait", "message"),
    [
        ("", WAIT.format(n=0, parity=0), "deadlock: the phase of an mbarrier never completes"),
        (ARRIVE, "", "race"),
        (ARRIVE, WAIT.format(n=0, parity=1), "race"),
        (ARRIVE + ARRIVE + ARRIVE[:0], WAIT.format(n=0, parity=1), "race|deadlock"),
        ("mbarrier.arrive.shared::cta.b64 _, [1024], 3;", "", "more arrivals|race"),
    ],
    ids=["no-arrival", "no-wait", "last-phase", "two-phases", "too-many"],
)
def test_mistakes(run, arrive: str, wait: str, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        run(HAND_OVER.format(arrive=arrive, wait=wait), np.zeros(64, np.uint32), threads=64)


def test_not_initialised(run) -> None:
    with pytest.raises(SimulationError, match="mbarrier not initialised at 1024"):
        run(ARRIVE, np.zeros(1))


def test_used_without_a_barrier_after_initialisation(run) -> None:
    body = MAKE.format(count=64).replace("bar.sync 0;", "") + ARRIVE
    for seed in range(3):
        with pytest.raises(SimulationError, match="race|not initialised"):
            run(body, np.zeros(1), threads=64, seed=seed)


def test_initialised_twice(run) -> None:
    body = MAKE.format(count=1) + "@%p1 mbarrier.init.shared::cta.b64 [1024], 1;"
    with pytest.raises(SimulationError, match="init on a live mbarrier"):
        run(body, np.zeros(1))


@pytest.mark.parametrize("invalidated", [True, False])
def test_memory_is_free_after_invalidation(run, invalidated: bool) -> None:
    body = MAKE.format(count=1) + ("@%p1 mbarrier.inval.shared::cta.b64 [1024];" * invalidated)
    body += "bar.sync 0; st.shared.b32 [%r1+1024], %r0;"
    if invalidated:
        run(body, np.zeros(1))
    else:
        with pytest.raises(SimulationError, match="live mbarrier overwritten"):
            run(body, np.zeros(1))


def test_bytes_must_arrive(run) -> None:
    body = MAKE.format(count=1)
    body += "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [1024], 64;"
    complete = "@%p1 mbarrier.complete_tx.shared::cta.b64 [1024], 64;"
    run(body + complete + WAIT.format(n=0, parity=0), np.zeros(1))
    with pytest.raises(SimulationError, match="deadlock"):
        run(body + WAIT.format(n=0, parity=0), np.zeros(1))
