"""Widths of global accesses, and the parameter that each address comes from."""

from __future__ import annotations

import pytest

from kernels.inspect.accesses import Access, accesses
from kernels.inspect.cubin import Cubin, Parameter
from kernels.inspect.sass import parse

POINTERS = tuple(Parameter(i, 8 * i, 8) for i in range(3))
CUBIN = Cubin("kernel", 32, 0, 0, 0x160, (*POINTERS, Parameter(3, 24, 4)))


def count(*lines: str, base: int = 0x160) -> dict[Access, int]:
    text, address = [], 0
    for line in lines:
        if line.endswith(":"):
            text.append(line)
        else:
            text.append(f"        /*{address:04x}*/                   {line} ;")
            address += 16
    cubin = Cubin("kernel", 32, 0, 0, base, CUBIN.parameters)
    return dict(accesses(parse("\n".join(text)), cubin))


@pytest.mark.parametrize(
    ("opcode", "width"),
    [
        ("LDG.E", 4),
        ("LDG.E.U8", 1),
        ("LDG.E.U16", 2),
        ("LDG.E.64", 8),
        ("LDG.E.128", 16),
        ("LDG.E.ENL2.256", 32),
    ],
)
def test_the_width_is_that_of_the_opcode(opcode: str, width: int) -> None:
    found = count("MOV R2, c[0x0][0x160]", f"{opcode} R8, [R2.64]")
    assert found == {Access("load", width, (0,)): 1}


def test_an_address_is_followed_through_arithmetic() -> None:
    found = count(
        "IMAD.WIDE R2, R9, 0x2, RZ",
        "IADD3 R4, P0, R2.reuse, c[0x0][0x168], RZ",
        "IADD3.X R5, R3, c[0x0][0x16c], RZ, P0, !PT",
        "IADD3 R6, P0, R4, 0x4000, RZ",
        "LDG.E.128 R8, [R6.64+0x80]",
    )
    assert found == {Access("load", 16, (1,)): 1}


def test_a_wide_load_of_the_bank_gives_every_register_its_own_pointer() -> None:
    found = count(
        "LDCU.128 UR12, c[0x0][0x380]",
        "LEA R2, P0, R9, UR12, 0x1",
        "LEA R4, P0, R9, UR14, 0x1",
        "LDG.E.128 R8, desc[UR20][R2.64]",
        "STG.E.128 desc[UR20][R4.64], R8",
        base=0x380,
    )
    assert found == {Access("load", 16, (0,)): 1, Access("store", 16, (1,)): 1}


def test_a_copy_to_shared_memory_is_a_load_from_its_second_address() -> None:
    found = count(
        "MOV R2, c[0x0][0x170]", "MOV R30, c[0x0][0x160]", "LDGSTS.E.BYPASS.128 [R30], [R2.64], !P0"
    )
    assert found == {Access("load", 16, (2,)): 1}


def test_an_offset_in_a_uniform_register_counts_too() -> None:
    found = count("ULDC.64 UR4, c[0x0][0x160]", "LDG.E.64 R8, desc[UR20][R2.64+UR4]")
    assert found == {Access("load", 8, (0,)): 1}


def test_a_loaded_value_is_no_pointer() -> None:
    found = count(
        "MOV R2, c[0x0][0x160]",
        "LDG.E R2, [R2.64]",
        "IADD3 R4, P0, R2, c[0x0][0x168], RZ",
        "LDG.E R6, [R4.64]",
    )
    assert found == {Access("load", 4, (0,)): 1, Access("load", 4, (1,)): 1}


def test_paths_that_meet_leave_both_possibilities() -> None:
    found = count(
        "MOV R2, c[0x0][0x160]",
        "@P0 BRA `(.L_x_0)",
        "MOV R2, c[0x0][0x168]",
        ".L_x_0:",
        "LDG.E.128 R8, [R2.64]",
    )
    assert found == {Access("load", 16, (0, 1)): 1}


def test_a_predicated_move_leaves_both_possibilities() -> None:
    found = count("MOV R2, c[0x0][0x160]", "@!P0 MOV R2, c[0x0][0x168]", "STG.E [R2.64], R8")
    assert found == {Access("store", 4, (0, 1)): 1}


def test_an_address_carried_around_a_loop_is_followed() -> None:
    found = count(
        "MOV R4, c[0x0][0x170]",
        ".L_x_0:",
        "IADD3 R2, P1, R4, R6, RZ",
        "LDG.E.128 R8, [R2.64]",
        "IADD3 R4, P2, R4, 0x80, RZ",
        "@P0 BRA `(.L_x_0)",
    )
    assert found == {Access("load", 16, (2,)): 1}


def test_integers_are_not_followed_and_unknown_addresses_have_no_argument() -> None:
    assert count("MOV R2, c[0x0][0x178]", "LDG.E R8, [R2.64]") == {Access("load", 4, ()): 1}


def test_tensor_map_copies_are_told_apart() -> None:
    found = count("UTMALDG.4D [UR8], [UR6]", "UTMASTG.2D [UR6], [UR8]")
    assert found == {
        Access("load", 16, (), tensor_map=True): 1,
        Access("store", 16, (), tensor_map=True): 1,
    }
