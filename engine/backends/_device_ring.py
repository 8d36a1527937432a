"""Batches in flight on a device: upload, compute and download overlap, and no buffer is torn.

    host       draw k+2 | take k .......... | draw k+3 | take k+1
    compute    upload k+1, network k+1, stage | upload k+2, ...
    copies                 download k         | download k+1

A network's inputs and outputs are single buffers at fixed addresses, as a CUDA graph wants them;
work on `compute` follows in order, so that they are never two batches' at once. What passes between
streams and host has a slot of its own for each batch: pinned inputs, the outputs staged on the
device, and pinned outputs. A slot is given to another batch only after its copies are done and its
result was released, or thrown away. There are as many slots as batches were ever in flight.

Latents come from the host: their bits are promised to be the same on every machine, and a device's
logarithms and sines are not. They are drawn and uploaded while earlier batches compute.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from engine.backends._cuda_device import Device, Event
from engine.backends.base import Batch, Inputs

# Whether the rows were finite travels beside the tensors, under a name that none of them has.
_FINITE = "*finite"
Tensors = Mapping[str, Any]


@dataclass(frozen=True)
class Network:
    """Buffers [batch, ...] on a device for life; `launch` fills the outputs from the inputs.

    launch: puts its work on the device's compute stream. finite: [batch] bool, filled by it too.
    """

    inputs: Tensors
    outputs: Tensors
    launch: Callable[[], None]
    finite: Any = None


@dataclass(frozen=True)
class _Slot:
    """One batch's way in and out; without `host`, its outputs stay on the device."""

    feed: Tensors
    staged: Tensors
    host: Tensors
    computed: Event
    copied: Event


class Begun:
    """A batch that is computed or waits for it; thrown away, it gives its slot back."""

    def __init__(
        self, device: Device, slot: _Slot, to_host: bool, give_back: Callable[[_Slot], None]
    ) -> None:
        self._device = device
        self._slot = slot
        self._to_host = to_host
        self._release = weakref.finalize(self, give_back, slot)
        self._release.atexit = False

    def result(self) -> Batch:
        """Wait, and give its tensors: arrays that hold until `release`, or tensors for good."""
        if self._to_host:
            self._slot.copied.synchronize()
            tensors = {name: tensor.numpy() for name, tensor in self._slot.host.items()}
        else:
            self._slot.computed.synchronize()
            tensors = {
                name: self._device.handed_over(tensor) for name, tensor in self._slot.staged.items()
            }
        finite = tensors.pop(_FINITE, None)
        return Batch(tensors, finite if finite is None else np.asarray(finite.tolist()))

    def release(self) -> None:
        """Let another batch have the slot."""
        self._release()


class Ring:
    """Puts batches of one network on its device."""

    def __init__(self, device: Device, network: Network) -> None:
        self._device = device
        self._network = network
        self._free: dict[bool, list[_Slot]] = {True: [], False: []}
        # Weights and buffers were made on other streams than those that use them.
        device.synchronize()

    def begin(self, inputs: Inputs, to_host: bool) -> Begun:
        """Put one whole batch on the device; nothing is waited for, but for a slot in use."""
        import torch

        device, network = self._device, self._network
        with device.lock:
            slot = self._take(to_host)
            for name, pinned in slot.feed.items():
                # torch warns of arrays that cannot be written, though it only reads them.
                array = np.require(inputs[name], requirements=("C", "W"))
                # A vector beside one image lies in its buffer without the batch of 1.
                pinned.copy_(torch.from_numpy(array).reshape(pinned.shape))
            device.on(device.compute, partial(_copy, slot.feed, network.inputs))
            network.launch()
            device.on(device.compute, partial(_copy, _leaving(network), slot.staged))
            slot.computed.record(device.compute)
            if to_host:
                device.copies.wait_event(slot.computed)
                device.on(device.copies, partial(_copy, slot.staged, slot.host))
                slot.copied.record(device.copies)
        return Begun(device, slot, to_host, self._free[to_host].append)

    def close(self) -> None:
        """Wait for what is in flight, and free the slots that are not."""
        self._device.synchronize()
        for slots in self._free.values():
            slots.clear()

    def _take(self, to_host: bool) -> _Slot:
        if not self._free[to_host]:
            return self._made(to_host)
        slot = self._free[to_host].pop()
        # Done already, but for batches that were thrown away.
        slot.computed.synchronize()
        slot.copied.synchronize()
        return slot

    def _made(self, to_host: bool) -> _Slot:
        import torch

        device = self._device
        staged = {}
        for name, tensor in _leaving(self._network).items():
            dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
            staged[name] = device.buffer(tuple(tensor.shape), dtype)
        return _Slot(
            feed=_pinned(device, self._network.inputs),
            staged=staged,
            host=_pinned(device, staged) if to_host else {},
            computed=device.event(),
            copied=device.event(),
        )


def _leaving(network: Network) -> Tensors:
    finite = {} if network.finite is None else {_FINITE: network.finite}
    return {**network.outputs, **finite}


def _pinned(device: Device, tensors: Tensors) -> Tensors:
    return {name: device.pinned(tuple(item.shape), item.dtype) for name, item in tensors.items()}


def _copy(sources: Tensors, targets: Tensors) -> None:
    for name, target in targets.items():
        target.copy_(sources[name], non_blocking=True)
