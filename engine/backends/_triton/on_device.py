"""A network of Triton kernels as the ring of batches in flight wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from engine.backends._cuda_device import Device
from engine.backends._device_images import with_images
from engine.backends._device_ring import Network
from engine.core.spec import GeneratorSpec
from engine.program.entry_points import from_program, tensors

if TYPE_CHECKING:
    from engine.backends._triton.session import Session


def on_device(
    device: Device, spec: GeneratorSpec, entry_point: str, images: bool, session: Session
) -> Network:
    """An entry point; images: of the decoder, made in its last layer or behind it."""
    made = session.network(entry_point, spec.output.name if images else None)
    values = {value.name: value for value in made.plan.program.outputs}
    _, wanted = tensors(spec, entry_point)
    inputs = {value.name: made.inputs[value.name] for value in made.plan.program.inputs}
    fused = images and made.makes_images

    def leaving() -> dict[str, torch.Tensor]:
        given = {
            name: from_program(made.outputs[name], values[name], shape)
            for name, shape in wanted.items()
        }
        return {name: view.permute(0, 2, 3, 1) for name, view in given.items()} if fused else given

    outputs = leaving()
    # Where an order of the elements has no view, it is made anew after each launch.
    copied = [
        name
        for name, view in outputs.items()
        if view.untyped_storage().data_ptr() != made.outputs[name].untyped_storage().data_ptr()
    ]
    finite = device.buffer((session.batch_size,), torch.bool) if fused else None

    def launch() -> None:
        session.launch(made)
        if copied:
            again = leaving()
            for name in copied:
                outputs[name].copy_(again[name])
        if finite is not None:
            finite.copy_(made.finite)

    network = Network(inputs, outputs, lambda: device.on(device.compute, launch), finite)
    if not images or fused:
        return network
    return with_images(device, network, spec.output.name, spec.output.range)
