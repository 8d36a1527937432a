"""Loops in SASS: the innermost with the most matrix products, whatever its shape."""

from __future__ import annotations

import pytest

from kernels.inspect.flow import MainLoop, blocks, loops, main_loop
from kernels.inspect.sass import Instruction, parse


def sass(*lines: str) -> tuple[Instruction, ...]:
    """Disassembly with rising addresses; a line that ends in a colon is a label."""
    text, address = [], 0
    for line in lines:
        if line.endswith(":"):
            text.append(line)
        else:
            text.append(f"        /*{address:04x}*/                   {line} ;")
            address += 16
    return parse("\n".join(text))


def measured(code: tuple[Instruction, ...]) -> MainLoop:
    found = main_loop(code)
    assert found is not None
    return found


MMA = "HMMA.16816.F32 R4, R8, R12, R4"
ADD = "IADD3 R1, R1, 0x1, RZ"


def test_a_loop_of_one_block() -> None:
    loop = measured(sass(ADD, ".L_x_0:", MMA, ADD, MMA, "@P0 BRA `(.L_x_0)", ADD, "EXIT"))
    assert (loop.kind, loop.instructions, loop.tensor_instructions) == ("loop", 4, 2)
    assert loop.per_tensor_instruction == 2.0


def test_a_loop_of_several_blocks_counts_all_of_them() -> None:
    code = sass(
        ".L_x_0:", MMA, "@P1 BRA `(.L_x_1)", ADD, MMA, ".L_x_1:", ADD, "@P0 BRA `(.L_x_0)", "EXIT"
    )
    loop = measured(code)
    assert (loop.instructions, loop.tensor_instructions) == (6, 2)


def test_a_wait_moved_out_of_line_belongs_to_its_loop() -> None:
    code = sass(
        ".L_x_0:",
        "UTCHMMA gdesc[UR4], gdesc[UR12], tmem[UR10], tmem[UR30], idesc[UR31], UPT",
        "SYNCS.PHASECHK.TRANS64.TRYWAIT P2, [UR16], R5",
        "@!P2 BRA `(.L_x_7)",
        ".L_x_13:",
        "BRA.U UP1, `(.L_x_0)",
        "EXIT",
        ".L_x_7:",
        "SYNCS.PHASECHK.TRANS64.TRYWAIT P2, [UR16], R5",
        "@!P2 BRA `(.L_x_7)",
        "BRA `(.L_x_13)",
    )
    loop = measured(code)
    assert (loop.kind, loop.instructions, loop.tensor_instructions) == ("loop", 7, 1)


def test_the_inner_of_two_nested_loops_is_taken() -> None:
    code = sass(
        ".L_x_1:",
        ADD,
        ".L_x_0:",
        MMA,
        MMA,
        "@P0 BRA `(.L_x_0)",
        ADD,
        "@P1 BRA `(.L_x_1)",
        "EXIT",
    )
    assert measured(code).instructions == 3
    assert len(loops(blocks(code))) == 2


def test_an_inner_loop_without_products_does_not_count_as_the_inner_one() -> None:
    code = sass(
        ".L_x_1:", MMA, ".L_x_0:", ADD, "@P0 BRA `(.L_x_0)", MMA, "@P1 BRA `(.L_x_1)", "EXIT"
    )
    loop = measured(code)
    assert (loop.instructions, loop.tensor_instructions) == (5, 2)


def test_of_two_loops_the_one_with_more_products_is_taken() -> None:
    code = sass(
        ".L_x_0:", MMA, "@P0 BRA `(.L_x_0)", ".L_x_1:", MMA, ADD, MMA, "@P0 BRA `(.L_x_1)", "EXIT"
    )
    assert measured(code).tensor_instructions == 2


def test_unrolled_products_are_said_to_be_straight() -> None:
    loop = measured(sass(ADD, MMA, ADD, ADD, MMA, ADD, "EXIT"))
    assert (loop.kind, loop.instructions, loop.tensor_instructions) == ("straight", 4, 2)


def test_a_kernel_without_products_has_no_measured() -> None:
    assert main_loop(sass(".L_x_0:", ADD, "@P0 BRA `(.L_x_0)", "EXIT")) is None


def test_a_table_of_jumps_ends_a_block() -> None:
    code = sass(
        'BRX R2 -0x10 (*"BRANCH_TARGETS .L_x_0,.L_x_1"*)',
        ".L_x_0:",
        MMA,
        "EXIT",
        ".L_x_1:",
        ADD,
        "EXIT",
    )
    assert [block.successors for block in blocks(code)] == [(1, 2), (), ()]


def test_text_without_instructions_is_refused() -> None:
    with pytest.raises(ValueError, match="no instructions"):
        parse("nvdisasm fatal")
