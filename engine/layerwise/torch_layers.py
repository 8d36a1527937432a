"""Layers of a PyTorch module: its calls are listened to as they are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engine.backends.eager import prepare
from engine.core.artifacts import Artifact
from engine.core.spec import GeneratorSpec
from engine.layerwise.feeds import feed
from engine.layerwise.layers import Key, Layer, Reading, Samples, Step, grouped, is_read, stem
from engine.models.load import load_generator

_PRODUCTS = ("linear", "addmm", "mm", "bmm", "baddbmm", "matmul", "einsum", "lstm", "gru")
_RECURRENT = ("lstm", "gru")
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchLayers:
    """One module, as the backend `eager` runs it."""

    most = None

    def __init__(
        self, artifact: Artifact, spec: GeneratorSpec, entry_point: str, device: str, precision: str
    ) -> None:
        self._spec, self._entry_point, self._device = spec, entry_point, device
        self._dtype = _DTYPES[precision]
        loaded = load_generator(artifact.path, artifact.options)
        self._module = prepare(loaded.entry_points[entry_point], device, self._dtype)

    def read(self, samples: Samples) -> list[Layer]:
        """One run, with every result copied as soon as it is there."""
        inputs = [
            torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
            for array in feed(self._spec, self._entry_point, samples).values()
        ]
        inputs = [part.to(self._dtype) if part.is_floating_point() else part for part in inputs]
        listener = _Listener(self._module, len(samples.numbers))
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(allow_tf32=False),
            listener,
        ):
            self._module(*inputs)
        return listener.layers(inputs)


class _Listener(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, module: torch.nn.Module, count: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._count = count
        self._steps: list[Step] = []
        self._arrays: dict[Key, Any] = {}
        # Numbers of tensors are those of their memory, which must not be given to others.
        self._alive: list[Any] = []
        self._origin = {id(part): name for name, part in module.named_parameters()}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        reads, makes = _tensors((args, kwargs)), _tensors(made)
        self._alive += [*reads, *makes]
        name = function.overloadpacket.__name__
        origins = [self._origin.get(id(part), "") for part in reads]
        if reads and all(origins):
            self._origin |= {id(part): origins[0] for part in makes}
        product = name.startswith("conv") or name in _PRODUCTS
        weight = next(filter(None, map(stem, origins)), "") if product else ""
        keys = tuple(id(part) for part in makes)
        self._steps.append(Step(name, name, product, tuple(map(id, reads)), keys, weight))
        # The states after all steps are those of the last step again.
        for part in makes[:1] if name in _RECURRENT else makes:
            if part.is_floating_point() and part.dim() > 1 and len(part) == self._count:
                self._arrays[id(part)] = part.detach().float().cpu().numpy().copy()
        return made

    def layers(self, inputs: list[Any]) -> list[Layer]:
        found = []
        for number, group in enumerate(grouped(self._steps, [id(part) for part in inputs])):
            # A tensor that is written in place stands there once for each time.
            keys = dict.fromkeys(group.makes)
            readings = tuple(
                Reading("", self._arrays[key])
                for key in keys
                if is_read(self._arrays.get(key), self._count)
            )
            step = group.product
            if step is None:
                found.append(Layer("inputs", "", "", readings))
            else:
                name = step.weight or f"{step.operator} {number}"
                found.append(Layer(name, step.operator, step.weight, readings))
        return found


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in _tensors(item)]
    return []
