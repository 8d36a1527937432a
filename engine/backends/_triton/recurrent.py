"""LSTM and GRU sequences: one fused step after the other, or torch for the other form of GRU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.backends._torch.recurrent import gru
from engine.backends._triton.context import DTYPES, Context, Runner
from engine.program.graph import Recurrent
from engine.program.plan import Step
from kernels.recurrent import gru_step, lstm_step
from kernels.recurrent_packing import pack

# x [batch, features], h and c [batch, hidden] -> the next h and c.
Cell = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def recurrent(operation: Recurrent, _: Step, context: Context) -> Runner:
    """All hidden states [batch, time, hidden], then the last states [batch, hidden]."""
    fused = operation.cell == "lstm" or operation.linear_before_reset
    cell = _fused(operation, context) if fused else _reset_first(operation, context)
    if not fused:
        context.notes.append(
            f"recurrent {operation.name!r} runs through torch: the fused step is PyTorch's GRU, "
            "linear before reset"
        )
    x, *states = (context.buffers[name] for name in operation.inputs if name)
    out, *last = (context.buffers[name] if name else None for name in operation.outputs)
    dtype = DTYPES[context.plan.precision.operand]
    shape = (context.batch, operation.recurrent.shape[0])

    def run() -> None:
        h, c = (
            states[index].to(kind) if index < len(states) else x.new_zeros(shape, dtype=kind)
            for index, kind in enumerate((dtype, torch.float32))
        )
        times = range(x.shape[1])
        for time in reversed(times) if operation.reverse else times:
            h, c = cell(x[:, time].contiguous(), h, c)
            if out is not None:
                out[:, time].copy_(h)
        for target, value in zip(last, (h, c), strict=False):
            if target is not None:
                target.copy_(value)

    return run


def _fused(operation: Recurrent, context: Context) -> Cell:
    cell = pack(
        operation.cell,
        context.put(operation.weight).t(),
        context.put(operation.recurrent).t(),
        context.put(operation.bias),
        context.put(operation.recurrent_bias),
        dtype=DTYPES[context.plan.precision.operand],
        order="onnx",
    )
    if operation.cell == "lstm":
        return lambda x, h, c: lstm_step(cell, x, h, c)
    return lambda x, h, c: (gru_step(cell, x, h), c)


def _reset_first(operation: Recurrent, context: Context) -> Cell:
    """The GRU of the torch backend, in float32."""
    weight, bias = context.put(operation.weight), context.put(operation.bias)
    cell = gru(operation, context.put)

    def step(x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        made, _ = cell(x.float() @ weight + bias, h.float(), c)
        return made.to(h.dtype), c

    return step
