"""Small hand-made kernels for the simulator: PTX around a few instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kernels.ptxsim import Simulation, Statistics

_KERNEL = """
.visible .entry k({parameters})
.reqntid {threads}
{{
.reg .pred %p<20>; .reg .b16 %rs<40>; .reg .b32 %r<80>; .reg .b64 %rd<40>;
{loads}
mov.u32 %r0, %tid.x;
{body}
ret;
}}
"""


def text(body: str, pointers: int = 1, numbers: int = 0, threads: int = 32) -> str:
    """PTX of a kernel whose pointers are in %rd1 .., numbers in %r70 .., and its thread in %r0."""
    parameters = [f".param .u64 .ptr .global k_param_{i}" for i in range(pointers)]
    parameters += [f".param .u32 k_param_{pointers + i}" for i in range(numbers)]
    loads = [f"ld.param.b64 %rd{1 + i}, [k_param_{i}];" for i in range(pointers)]
    loads += [f"ld.param.b32 %r{70 + i}, [k_param_{pointers + i}];" for i in range(numbers)]
    return _KERNEL.format(
        parameters=",\n".join(parameters), threads=threads, loads="\n".join(loads), body=body
    )


@pytest.fixture
def run() -> Callable[..., Statistics]:
    """Run a body on buffers, with numbers after them."""

    def run(
        body: str,
        *buffers: np.ndarray,
        numbers: tuple[int, ...] = (),
        threads: int = 32,
        grid: tuple[int, ...] = (1,),
        shared_bytes: int = 4096,
        **options: Any,
    ) -> Statistics:
        ptx = text(body, len(buffers), len(numbers), threads)
        return Simulation(ptx).run([*buffers, *numbers], grid, shared_bytes, **options)

    return run


@pytest.fixture
def compute() -> Callable[..., np.ndarray]:
    """Words [lanes, sources] through instructions: sources in %r1 .., %rd11 ..; the result in %r9.

    With wide=True they are 64-bit words and the result is in %rd19.
    """

    def compute(body: str, *sources: np.ndarray, wide: bool = False) -> np.ndarray:
        dtype = np.uint64 if wide else np.uint32
        size, kind = (8, "b64") if wide else (4, "b32")
        register = (lambda i: f"%rd{11 + i}") if wide else (lambda i: f"%r{1 + i}")
        out, lines = np.zeros(32, dtype), []
        words = [np.resize(np.asarray(source).view(dtype), 32) for source in sources]
        for i in range(len(words)):
            lines += [
                f"mad.wide.u32 %rd10, %r0, {size}, %rd{1 + i};",
                f"ld.global.{kind} {register(i)}, [%rd10];",
            ]
        result = "%rd19" if wide else "%r9"
        lines += [
            body,
            f"mad.wide.u32 %rd10, %r0, {size}, %rd{1 + len(words)};",
            f"st.global.{kind} [%rd10], {result};",
        ]
        buffers = [np.ascontiguousarray(word) for word in words]
        Simulation(text("\n".join(lines), len(words) + 1)).run([*buffers, out], (1,))
        return out

    return compute
