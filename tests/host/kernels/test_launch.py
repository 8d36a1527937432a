"""Where a launch goes, without a GPU."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from kernels.launch import Launch, launching_with


class Kernel:
    """Stands for a JIT function: notes the grid and the device that were current."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, str]] = []
        self.device = "cuda:0"

    def __getitem__(self, grid: Any) -> Any:
        return lambda **arguments: self.calls.append((grid, self.device))


def launch(kernel: Kernel, grid: tuple[int, int, int], **arguments: Any) -> Launch:
    return Launch("stand-in", kernel, grid, arguments, {})


@pytest.mark.parametrize("described", [False, True], ids=["tensor", "descriptor"])
def test_on_the_device_of_its_tensors(monkeypatch: pytest.MonkeyPatch, described: bool) -> None:
    kernel = Kernel()

    @contextmanager
    def device(name: str) -> Any:
        before, kernel.device = kernel.device, name
        yield
        kernel.device = before

    monkeypatch.setattr(torch.cuda, "device", device)
    tensor = SimpleNamespace(is_cuda=True, device="cuda:1")
    value = SimpleNamespace(base=tensor) if described else tensor
    launch(kernel, (2, 1, 1), count=3, x=value).run()
    assert kernel.calls == [((2, 1, 1), "cuda:1")]
    assert kernel.device == "cuda:0"


def test_an_empty_grid_does_nothing() -> None:
    kernel = Kernel()
    launch(kernel, (0, 1, 1), x=torch.zeros(1)).run()
    assert kernel.calls == []


@pytest.mark.parametrize("taken", [False, True])
def test_a_launcher_is_asked_first(taken: bool) -> None:
    kernel, asked = Kernel(), []
    found = launch(kernel, (1, 1, 1), x=torch.zeros(1))
    with launching_with(lambda one: asked.append(one) or taken):
        found.run()
    assert asked == [found]
    assert len(kernel.calls) == (0 if taken else 1)
