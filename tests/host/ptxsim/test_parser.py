from __future__ import annotations

import pytest

from kernels.ptxsim import Simulation, Unimplemented
from kernels.ptxsim.operands import Address, Immediate, Negated, Pair, Register, Vector
from kernels.ptxsim.parser import parse

PTX = """
// a comment
.version 8.7
.target sm_90a
.extern .shared .align 16 .b8 global_smem[];
.visible .entry kernel(
  .param .u64 .ptr .global .align 16 kernel_param_0,
  .param .align 64 .b8 kernel_param_1[128],
  .param .u32 kernel_param_2
)
.reqntid 128
{
  .reg .pred %p<2>;
  .reg .b32 %r<4>; /* two
  lines */ .reg .b64 %rd<2>;
$L__BB0_0:
  .loc 1 2 3
  mov.b32 {%r1, %r2}, %rd1;
  @!%p1 bra $L__BB0_0;
  {
    .reg .pred complete;
    wait:
    mbarrier.try_wait.parity.shared.b64 complete, [%r1+8], 0;
    @!complete bra.uni wait;
  }
  {
    .reg .pred complete;
    wait:
    setp.eq.s32 complete|%p1, %r1, -3;
    @complete bra.uni wait;
  }
  ld.global.v2.b32 {%r1, %r2}, [%rd1 + -16];
  ret;
}
"""


def test_program() -> None:
    program = parse(PTX)
    assert (program.name, program.threads) == ("kernel", 128)
    kinds = [(found.kind, found.offset) for found in program.parameters]
    assert kinds == [("u64", 0), ("tensormap", 64), ("u32", 192)]
    assert [found.name for found in program.instructions] == [
        *("mov", "bra", "mbarrier", "bra", "setp", "bra", "ld", "ret")
    ]
    assert [found.target for found in program.instructions if found.name == "bra"] == [0, 2, 4]
    lines = PTX.split("\n")
    for found in program.instructions:
        assert " ".join(lines[found.line - 1].split()) == f"{found.text};"


def test_operands() -> None:
    move, _, wait, _, compare, _, load, _ = parse(PTX).instructions
    assert isinstance(move.operands[0], Vector)
    assert [part.text for part in move.operands[0].elements] == ["%r1", "%r2"]
    assert isinstance(wait.operands[1], Address)
    assert wait.operands[1].offset == 8
    assert isinstance(compare.operands[0], Pair)
    assert isinstance(compare.operands[2], Immediate)
    assert isinstance(load.operands[1], Address)
    assert load.operands[1].offset == -16
    # Registers of inner scopes are not those of the same name in another one.
    first, second = wait.operands[0], compare.operands[0].first
    assert isinstance(first, Register)
    assert isinstance(second, Register)
    assert first.index != second.index


def test_what_converges() -> None:
    converging = "shfl.sync.idx.b32 %r1, %r1, 0, 31, -1; bar.warp.sync -1; elect.sync %r1|%p1, -1;"
    program = parse(PTX.replace("  ret;", converging + "bar.sync 0; ret;"))
    assert [found.converges for found in program.instructions[-5:]] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_coordinates_and_negation() -> None:
    text = "@%p1 cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd1, {%r1, %r2}], [%r3];"
    found = parse(PTX.replace("  ret;", text + "vote.sync.any.pred %p1, !%p1, -1; ret;"))
    copy, vote = found.instructions[-3:-1]
    assert isinstance(copy.operands[0], Address)
    assert [part.text for part in copy.operands[0].coordinates] == ["%r1", "%r2"]
    assert isinstance(vote.operands[1], Negated)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (".entry", ".func", "without an .entry"),
        (".reqntid 128", "", "without .reqntid"),
        (".reqntid 128", ".reqntid 48", "48 threads are not whole warps"),
        ("kernel_param_1[128]", "kernel_param_1[64]", "parameter"),
    ],
    ids=["entry", "threads", "warps", "array"],
)
def test_what_is_not_read(before: str, after: str, message: str) -> None:
    with pytest.raises(Unimplemented, match=message):
        parse(PTX.replace(before, after))


def test_too_many_arguments() -> None:
    with pytest.raises(ValueError, match="5 argument words for 3 parameters"):
        Simulation(PTX).run([1, 2, 3, 4, 5], (1,))
