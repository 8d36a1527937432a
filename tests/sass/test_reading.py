"""The reader, on binaries made for it: what is known of them is what is read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import triton
import triton.language as tl

from kernels.compile import Compiled, compile_launch
from kernels.inspect.cubin import read_cubin
from kernels.inspect.gate import Demand, gate
from kernels.inspect.reading import read
from kernels.launch import Constant, Launch
from kernels.parameters import parameters


@triton.jit(do_not_specialize=["count"])
def add_kernel(a_ptr, b_ptr, out_ptr, count, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    # Blocks of eight elements are loaded or left out together, so that loads stay whole.
    mask = offsets // 8 * 8 < count
    value = tl.load(a_ptr + offsets, mask=mask) + tl.load(b_ptr + offsets, mask=mask)
    tl.store(out_ptr + offsets, value, mask=mask)


@triton.jit
def hungry_kernel(x_ptr, out_ptr, SIZE: tl.constexpr):
    rows = tl.arange(0, SIZE)
    offsets = rows[:, None] * SIZE + rows[None, :]
    x = tl.load(x_ptr + offsets)
    # All of x has to be kept until its sum is known.
    tl.store(out_ptr + offsets, x / tl.sum(tl.sum(x, 1), 0))


def compiled(
    kernel: Any,
    arguments: dict[str, Any],
    constants: dict[str, Constant],
    architecture: int,
    num_warps: int = 4,
) -> Compiled:
    launch = Launch("test", kernel, (1, 1, 1), arguments, constants, num_warps)
    return compile_launch(launch, architecture, line_info=False)


def halves(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float16, device="meta")


@pytest.mark.parametrize("architecture", [80, 90, 100, 120])
def test_widths_and_arguments_are_read(architecture: int) -> None:
    tensors = {name: halves(4096) for name in ("a_ptr", "b_ptr", "out_ptr")}
    kernel = compiled(add_kernel, {**tensors, "count": 4000}, {"BLOCK": 1024}, architecture)
    reading = read(kernel)
    found = {(access.arguments, access.direction): access.bytes for access in reading.accesses}
    assert found == {
        (("a_ptr",), "load"): 16,
        (("b_ptr",), "load"): 16,
        (("out_ptr",), "store"): 16,
    }
    assert reading.loop is None
    assert reading.tensor_instructions == {}
    assert gate(reading, Demand(wide=("a_ptr", "b_ptr", "out_ptr"))) == []
    assert gate(reading, Demand(tensor_cores=True)) != []


def test_a_kernel_that_spills_is_found_out() -> None:
    arguments = {"x_ptr": halves(128, 128), "out_ptr": halves(128, 128)}
    kernel = compiled(hungry_kernel, arguments, {"SIZE": 128}, 80, num_warps=1)
    reading = read(kernel)
    assert reading.stack_bytes > 0
    assert reading.spill_loads > 0
    assert reading.spill_stores > 0
    assert any("spills" in fault for fault in gate(reading, Demand()))


@pytest.mark.parametrize("architecture", [80, 90, 120])
def test_the_binary_records_the_parameters_that_are_passed(architecture: int) -> None:
    tensors = {name: halves(4096) for name in ("a_ptr", "b_ptr", "out_ptr")}
    kernel = compiled(add_kernel, {**tensors, "count": 4000}, {"BLOCK": 1024}, architecture)
    cubin = read_cubin(kernel.asm["cubin"])
    assert cubin.name == kernel.name
    assert [each.size for each in cubin.parameters] == [8, 8, 8, 4, 8, 8]
    assert [each.size for each in parameters(kernel.launch)] == [8, 8, 8, 4, 8, 8]


def test_tensor_maps_are_passed_with_shape_and_strides() -> None:
    from triton.tools.tensor_descriptor import TensorDescriptor

    source = torch.empty(256, 64, dtype=torch.float16)
    arguments = {
        "source": TensorDescriptor(source, [256, 64], [64, 1], [64, 64]),
        "out_ptr": halves(256, 64),
    }
    kernel = compiled(copy_kernel, arguments, {"ROWS": 64}, 90)
    cubin = read_cubin(kernel.asm["cubin"])
    assert [each.size for each in cubin.parameters] == [128, 4, 4, 8, 8, 8, 8, 8]
    reading = read(kernel)
    assert any(access.tensor_map for access in reading.accesses)
    assert gate(reading, Demand(wide=("source", "out_ptr"))) == []


@triton.jit
def copy_kernel(source, out_ptr, ROWS: tl.constexpr):
    first = tl.program_id(0) * ROWS
    offsets = (first + tl.arange(0, ROWS))[:, None] * 64 + tl.arange(0, 64)[None, :]
    tl.store(out_ptr + offsets, source.load([first, 0]))


@pytest.mark.parametrize("data", [b"", b"\x7fELF\x02\x01", b"PK\x03\x04" * 30])
def test_what_is_no_cubin_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="ELF|cubin"):
        read_cubin(data)
