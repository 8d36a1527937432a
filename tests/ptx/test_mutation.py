"""Broken kernels are noticed: a small seeded draw of mutants, and that their makers work.

A larger draw: python -m tests.ptx.campaign --draw 60
"""

from __future__ import annotations

import pytest

pytest.importorskip("triton")
pytest.importorskip("torch")

from tests.ptx.campaign import TARGETS, Verdict, draw, run, summary
from tests.ptx.equivalence import Proof
from tests.ptx.mutants import OPERATORS, Mutant, mutants

DRAW = 12
LEAST_CAUGHT = 0.8
MOST_EXCUSED = 0.1


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return run({name: draw(name, DRAW, seed=0) for name in TARGETS})


def test_most_mutants_are_caught(verdicts: list[Verdict]) -> None:
    caught = sum(bool(verdict.caught) for verdict in verdicts)
    assert len(verdicts) == DRAW * len(TARGETS)
    assert caught >= LEAST_CAUGHT * len(verdicts), summary(verdicts)


def test_few_mutants_are_excused(verdicts: list[Verdict]) -> None:
    excused = sum(bool(verdict.excused) for verdict in verdicts)
    assert excused <= MOST_EXCUSED * len(verdicts), summary(verdicts)


def kernel(body: str) -> str:
    """A kernel of 64 threads around some instructions."""
    return (
        ".visible .entry k(\n.param .u64 k_param_0\n)\n.reqntid 64\n{\n"
        ".reg .b32 %r<9>;\n.reg .b64 %rd<4>;\n.reg .pred %p<3>;\n" + body + "\nret;\n}\n"
    )


@pytest.mark.parametrize(
    ("operator", "line", "after"),
    [
        ("drop", "bar.sync 0;", {""}),
        ("late", "cp.async.wait_group 2;", {"cp.async.wait_group 3"}),
        ("predicate", "setp.lt.s32 %p1, %r1, %r2;", {"setp.ge.s32 %p1, %r1, %r2"}),
        ("predicate", "@%p1 mov.b32 %r1, %r2;", {"@!%p1 mov.b32 %r1, %r2"}),
        ("predicate", "selp.b32 %r1, %r2, %r3, %p1;", {"selp.b32 %r1, %r3, %r2, %p1"}),
        ("address", "ld.shared.v4.b32 {%r1, %r2, %r3, %r4}, [%r5+16];", None),
        ("operands", "sub.s32 %r1, %r2, %r3;", {"sub.s32 %r1, %r3, %r2"}),
        ("arithmetic", "add.s32 %r1, %r2, %r3;", {"sub.s32 %r1, %r2, %r3"}),
    ],
    ids=["drop", "late", "comparison", "guard", "selection", "address", "operands", "arithmetic"],
)
def test_operators(operator: str, line: str, after: set[str] | None) -> None:
    made = [mutant for mutant in mutants(kernel(line)) if mutant.operator == operator]
    expected = after or {"ld.shared.v4.b32 {%r1, %r2, %r3, %r4}, [%r5+32]"}
    assert {mutant.after for mutant in made} == expected
    assert operator in OPERATORS
    for mutant in made:
        assert (f"\t{mutant.after};" in mutant.apply(kernel(line))) == bool(mutant.after)
        assert line not in mutant.apply(kernel(line))


STORE, LOAD = "st.shared.b32 [%r1], %r2;\n", "ld.shared.b32 %r3, [%r1];\n"
ISSUE = "cp.async.cg.shared.global [%r1], [%rd1], 16;\ncp.async.commit_group;\n"
WAIT, BARRIER = "cp.async.wait_group 0;\n", "bar.sync 0;\n"
INITIALISE = "mbarrier.init.shared::cta.b64 [%r1], 1;\n"
EXPECT = "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r1], 64;\n"
FENCE = "fence.proxy.async.shared::cta;\n"


@pytest.mark.parametrize(
    ("body", "place", "after", "rule"),
    [
        (STORE + BARRIER + BARRIER + LOAD, 1, "", "barrier"),
        (STORE + BARRIER + LOAD, 1, "", ""),
        (BARRIER + EXPECT + BARRIER, 0, "", "barrier"),
        (INITIALISE + BARRIER + EXPECT + BARRIER, 1, "", ""),
        (BARRIER + LOAD + BARRIER + LOAD + BARRIER, 2, "", "barrier"),
        (BARRIER + LOAD + BARRIER + STORE + BARRIER, 2, "", ""),
        (STORE + BARRIER + FENCE + BARRIER + LOAD, 3, "", "barrier"),
        (ISSUE + WAIT + WAIT + BARRIER + LOAD, 2, "", "wait"),
        (ISSUE + WAIT + BARRIER + LOAD, 2, "", ""),
        (ISSUE + WAIT + ISSUE + WAIT + LOAD, 5, "", ""),
        (ISSUE + ISSUE + WAIT, 1, "", "group"),
        (ISSUE + ISSUE + "cp.async.wait_group 1;\n", 1, "", ""),
        (STORE + FENCE + FENCE + BARRIER, 1, "", "fence"),
        (STORE + FENCE + BARRIER, 1, "", ""),
        ("add.s32 %r4, %r2, %r3;\n" + STORE, 0, "sub.s32 %r4, %r2, %r3", "dead"),
        ("add.s32 %r2, %r2, %r3;\n" + STORE, 0, "sub.s32 %r2, %r2, %r3", ""),
        ("add.s32 %r2, %r3, 0;\n" + STORE, 0, "sub.s32 %r2, %r3, 0", "neutral"),
    ],
    ids=[
        "barrier-twice",
        "barrier-needed",
        "barrier-before-expected-bytes",
        "barrier-after-initialisation",
        "barrier-between-reads",
        "barrier-before-write",
        "barrier-after-fence",
        "wait-twice",
        "wait-needed",
        "wait-after-commit",
        "group-merged",
        "group-needed",
        "fence-twice",
        "fence-needed",
        "dead",
        "alive",
        "neutral",
    ],
)
def test_proofs(body: str, place: int, after: str, rule: str) -> None:
    operator = "arithmetic" if after else "drop"
    mutant = Mutant(operator, place, 0, "", after)
    assert Proof(kernel(body), private=True).of(mutant) == rule
