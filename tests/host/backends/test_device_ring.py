"""Batches in flight, on a device that is as late as it may be."""

from __future__ import annotations

import gc
import inspect
import random
from functools import partial
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from engine.backends._cuda_device import CudaDevice
from engine.backends._device_graph import Graphed
from engine.backends._device_images import to_uint8, with_images
from engine.backends._device_ring import Begun, Network, Ring
from engine.core.errors import BackendUnavailableError, EngineError
from engine.images import to_uint8 as reference
from tests.host.backends.late_device import LateDevice

EAGER = pytest.mark.parametrize("eager", [0.0, 0.3, 0.9, 1.0])


def doubling(device: LateDevice, batch: int = 3) -> Network:
    """y = 2 z, [batch, 2] each."""
    z, y = (device.buffer((batch, 2), torch.float32) for _ in range(2))

    def double() -> None:
        y.copy_(2 * z)

    return Network({"z": z}, {"y": y}, partial(device.on, device.compute, double))


def feed(number: int) -> dict[str, np.ndarray]:
    return {"z": np.full((3, 2), float(number))}


@EAGER
@pytest.mark.parametrize("seed", range(5))
def test_no_result_is_torn(eager: float, seed: int) -> None:
    device = LateDevice(eager, seed)
    ring = Ring(device, doubling(device))
    chance = random.Random(seed)
    flying: list[tuple[int, bool, Begun]] = []
    for number in range(60):
        to_host = chance.random() < 0.7
        flying.append((number, to_host, ring.begin(feed(number), to_host)))
        while flying and chance.random() < 0.5:
            # Not always the oldest, and some are thrown away without a look.
            taken, host, begun = flying.pop(chance.randrange(len(flying)))
            if chance.random() < 0.2:
                continue
            values = begun.result().tensors["y"]
            assert isinstance(values, np.ndarray) is host
            assert (values == 2 * taken).all()
            if host:
                # It holds until it is released, whatever else is begun.
                ring.begin(feed(-1), to_host)
                assert (values == 2 * taken).all()
            begun.release()
            begun.release()
    for taken, _, begun in flying:
        assert (np.asarray(begun.result().tensors["y"]) == 2 * taken).all()


def test_slots_are_made_for_what_is_in_flight_and_no_more() -> None:
    device = LateDevice()
    ring = Ring(device, doubling(device))
    for number in range(20):
        first, second = (ring.begin(feed(n), True) for n in (number, -number))
        for begun in (first, second):
            begun.result()
            begun.release()
    # Two of the network; a slot has its input, its staged output and that on the host.
    assert len(device.made) == 2 + 2 * 3
    for number in range(20):
        ring.begin(feed(number), True)
        gc.collect()
    assert len(device.made) == 2 + 2 * 3


def test_nothing_is_waited_for_when_a_batch_is_begun() -> None:
    device = LateDevice()
    ring = Ring(device, doubling(device))
    begun = [ring.begin(feed(number), True) for number in range(3)]
    assert (device.compute.done, device.copies.done) == (0, 0)
    assert begun[1].result().tensors["y"][0, 0] == 2
    # Of the third batch nothing had to run.
    assert device.compute.done == 2 * device.compute.put_in_all / 3
    ring.close()
    assert not device.compute.waiting
    assert not device.copies.waiting


@pytest.mark.parametrize("to_host", [True, False])
def test_a_slot_that_was_thrown_away_is_used_again_only_when_it_is_done(to_host: bool) -> None:
    device = LateDevice()
    ring = Ring(device, doubling(device))
    ring.begin(feed(1), to_host)
    gc.collect()
    put = device.compute.put_in_all, device.copies.put_in_all
    assert put == (3, 2 if to_host else 0)
    kept = ring.begin(feed(2), to_host)
    assert (device.compute.done, device.copies.done) == put
    kept.release()


def test_a_launch_that_fails_is_told_and_the_next_batch_runs() -> None:
    device = LateDevice()
    network = doubling(device)
    broken = [True]

    def launch() -> None:
        if broken.pop():
            raise EngineError("the run failed")
        network.launch()

    ring = Ring(device, Network(network.inputs, network.outputs, launch))
    with pytest.raises(EngineError, match="the run failed"):
        ring.begin(feed(1), True)
    broken.append(False)
    assert ring.begin(feed(4), True).result().tensors["y"][0, 0] == 8


@EAGER
def test_graphs_give_what_the_launches_give(eager: float) -> None:
    for captures_fail in (False, True):
        device = LateDevice(eager)
        device.captures_fail = captures_fail
        network = doubling(device)
        notes: list[str] = []
        graphed = Graphed(device, network.launch, notes)
        ring = Ring(device, Network(network.inputs, network.outputs, graphed))
        for number in range(5):
            begun = ring.begin(feed(number), True)
            assert (begun.result().tensors["y"] == 2 * number).all()
            begun.release()
        assert device.captures == (0 if captures_fail else 1)
        assert notes == (
            [
                "without a CUDA graph, which could not be captured: operation not permitted when "
                "stream is capturing"
            ]
            if captures_fail
            else []
        )


def test_what_fails_before_a_capture_is_an_error_and_no_note() -> None:
    def fail() -> None:
        raise EngineError("the run failed")

    with pytest.raises(EngineError, match="the run failed"):
        Graphed(LateDevice(), fail, [])


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (-0.3, 2.7), (0.0, 255.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_images_have_the_bits_of_those_made_on_the_host(
    value_range: tuple[float, float], dtype: torch.dtype
) -> None:
    low, high = value_range
    edges = torch.linspace(low, high, 256 * 2 + 1, dtype=torch.float64)
    spread = torch.rand(50_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    values = torch.cat([edges, low - 1 + spread * (high - low + 2)]).to(dtype)
    values = values[: len(values) // 6 * 6].view(-1, 3, 2, 1)
    wanted = reference(values.float().numpy(), value_range)
    made = to_uint8(values.permute(0, 2, 3, 1), value_range)
    assert (made.numpy() == wanted).all()


@EAGER
def test_images_and_rows_that_are_not_finite(eager: float) -> None:
    device = LateDevice(eager)
    z, y = (device.buffer((4, 3, 2, 2), torch.float32) for _ in range(2))
    floats = Network({"z": z}, {"y": y}, partial(device.on, device.compute, lambda: y.copy_(z)))
    network = with_images(device, floats, "y", (-1.0, 1.0))
    ring = Ring(
        device,
        Network(
            network.inputs,
            network.outputs,
            Graphed(device, network.launch, []),
            network.finite,
        ),
    )
    values = np.linspace(-1, 1, 48, dtype=np.float32).reshape(4, 3, 2, 2)
    values[2, 1, 0, 1] = np.inf
    for to_host in (True, False):
        begun = ring.begin({"z": values}, to_host)
        batch = begun.result()
        assert list(batch.tensors) == ["y"]
        assert batch.finite.tolist() == [True, True, False, True]
        images = np.asarray(batch.tensors["y"])
        assert (images[:2] == reference(values[:2], (-1.0, 1.0))).all()
        begun.release()


def test_a_pytorch_without_a_gpu_is_told_of() -> None:
    if torch.cuda.is_available():
        pytest.skip("PyTorch has a GPU here")
    with pytest.raises(BackendUnavailableError, match="sees no GPU; install its build for CUDA"):
        CudaDevice()


def test_names_that_a_real_device_is_made_with() -> None:
    asked: dict[Any, tuple[str, ...]] = {
        torch.cuda.graph.__init__: ("cuda_graph", "stream", "capture_error_mode"),
        torch.cuda.Event.__new__: ("blocking",),
        torch.cuda.Event.record: ("stream",),
        torch.cuda.Stream.wait_event: ("event",),
    }
    for function, names in asked.items():
        assert [name for name in names if name not in inspect.signature(function).parameters] == []
    assert {"synchronize"} <= set(dir(torch.cuda.Stream))
    assert {"replay"} <= set(dir(torch.cuda.CUDAGraph))
