"""One Program, planned, packed and bound to its buffers: ready to be launched again and again."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.backends._triton.context import Context, allocate
from engine.backends._triton.runners import prepare
from engine.program.graph import Convolution, Linear
from engine.program.plan import Plan


class Network:
    """A plan's steps in order, over static buffers of one batch size.

    `inputs` are filled by the caller; `launch` overwrites `outputs`.
    """

    def __init__(self, plan: Plan, batch: int, device: torch.device) -> None:
        buffers = allocate(plan, batch, device)
        context = Context(plan, batch, device, buffers)
        self.plan = plan
        self.inputs: Mapping[str, Tensor] = {
            value.name: buffers[value.name] for value in plan.program.inputs
        }
        self.outputs: Mapping[str, Tensor] = {
            value.name: buffers[value.name] for value in plan.program.outputs
        }
        self._steps = tuple(prepare(step, context) for step in plan.steps)
        self._context = context
        self._watched = _before_images(plan, buffers)
        self._sums = torch.zeros(batch, dtype=torch.float64, device=device)

    @property
    def notes(self) -> tuple[str, ...]:
        """What runs otherwise than through a fused kernel; complete after the first launch."""
        return tuple(self._context.notes)

    @property
    def makes_images(self) -> bool:
        """Whether the last layer itself gives uint8."""
        images = self.plan.precision.images
        return images is not None and self.plan.types[images] == "uint8"

    @property
    def finite(self) -> Tensor:
        """[batch] of the last launch: whether what the image layer read was finite."""
        return torch.isfinite(self._sums)

    def launch(self) -> None:
        """Run all steps on the current stream."""
        for step, run in enumerate(self._steps):
            if self._watched is not None and self._watched[0] == step:
                # In float64 no sum of finite numbers overflows; NaN and infinity stay.
                torch.sum(self._watched[1], 1, dtype=torch.float64, out=self._sums)
            run()


def _before_images(plan: Plan, buffers: Mapping[str, Tensor]) -> tuple[int, Tensor] | None:
    """The step that makes uint8, and its input [batch, elements]: NaN would be lost in it."""
    for number, step in enumerate(plan.steps):
        operation = step.operation
        if isinstance(operation, (Convolution, Linear)) and (
            plan.types[operation.outputs[0]] == "uint8"
        ):
            return number, buffers[operation.inputs[0]].flatten(1)
    return None
