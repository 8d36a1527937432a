"""Launches in the simulator: arguments of every kind, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("triton")
pytest.importorskip("torch")

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from kernels.compile import Compiled, compile_launch
from kernels.launch import Launch
from kernels.ptxsim import Statistics, simulate


@triton.jit(do_not_specialize=["count"])
def double_kernel(x_ptr, out_ptr, count, block: tl.constexpr):
    offs = tl.program_id(0) * block + tl.arange(0, block)
    value = tl.load(x_ptr + offs, mask=offs < count, other=0.0)
    tl.store(out_ptr + offs, value * 2, mask=offs < count)


@triton.jit(do_not_specialize=["row"])
def box_kernel(x_desc, out_desc, row):
    out_desc.store([0, 0], x_desc.load([row, 0]))


def doubling(x: torch.Tensor, out: torch.Tensor, architecture: int = 80) -> Compiled:
    arguments = {"x_ptr": x, "out_ptr": out, "count": x.numel()}
    grid = (triton.cdiv(x.numel(), 64), 1, 1)
    launch = Launch("double", double_kernel, grid, arguments, {"block": 64}, num_warps=2)
    return compile_launch(launch, architecture)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_tensors_are_written_in_place(dtype: torch.dtype) -> None:
    x = torch.arange(100).to(dtype)
    out = torch.full((100,), float("nan"), dtype=dtype)
    done = simulate(doubling(x, out))
    assert torch.equal(out, 2 * x)
    assert done.instructions["st.global"] > 0


def test_slices_of_one_storage() -> None:
    """An output between canaries; in and out in the same storage; in place."""
    whole = torch.full((400,), 7.0)
    whole[:100] = torch.arange(100.0)
    simulate(doubling(whole[:100], whole[200:300]))
    assert torch.equal(whole[200:300], 2 * torch.arange(100.0))
    assert (whole[100:200] == 7).all()
    assert (whole[300:] == 7).all()
    simulate(doubling(whole[:100], whole[:100]))
    assert torch.equal(whole[:100], 2 * torch.arange(100.0))


def test_traffic_is_by_parameter() -> None:
    x, out = torch.zeros(128), torch.zeros(128)
    traffic = simulate(doubling(x, out), schedule="lockstep", trace=True).traffic
    assert traffic is not None
    assert traffic.read_buffers["x_ptr"].compulsory == 512
    assert traffic.written_buffers["out_ptr"].requested == 512
    assert set(traffic.read_buffers) == {"x_ptr"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("architecture", [90, 120])
def test_tensor_descriptors(architecture: int, dtype: torch.dtype) -> None:
    x, out = torch.randn(10, 16).to(dtype), torch.full((8, 16), float("nan"), dtype=dtype)
    box = [8, 16]
    descriptors = {
        "x_desc": TensorDescriptor.from_tensor(x, box),
        "out_desc": TensorDescriptor.from_tensor(out, box),
    }
    launch = Launch("box", box_kernel, (1, 1, 1), {**descriptors, "row": 5}, {})
    done = simulate(compile_launch(launch, architecture))
    assert "cp.async.bulk.tensor" in done.instructions
    assert torch.equal(out[:5], x[5:])
    assert (out[5:] == 0).all()


def test_empty_grid() -> None:
    compiled = doubling(torch.zeros(4), torch.zeros(4))
    empty = replace(compiled, launch=replace(compiled.launch, grid=(0, 1, 1)))
    assert simulate(empty) == Statistics()


def test_tensors_of_other_devices() -> None:
    compiled = doubling(torch.zeros(4, device="meta"), torch.zeros(4, device="meta"))
    with pytest.raises(ValueError, match="a tensor on meta cannot be simulated"):
        simulate(compiled)
