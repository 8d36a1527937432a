"""An ONNX file on a GPU by onnxruntime: buffers bound once, on PyTorch's stream, without waits.

onnxruntime captures a CUDA graph by itself, on the third run; all three are warm-ups here, so that
nothing else is under way meanwhile.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from engine.backends._cuda_device import Device
from engine.backends._device_ring import Network
from engine.backends._onnx_providers import first_line
from engine.backends._onnx_session import DTYPES
from engine.core.errors import ArtifactError, EngineError
from engine.core.spec import GeneratorSpec
from engine.program.entry_points import tensors

if TYPE_CHECKING:
    import onnxruntime as ort

_WARM_UPS = 3
_TORCH_TYPES = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
    "tensor(int64)": torch.int64,
    "tensor(int32)": torch.int32,
    "tensor(uint8)": torch.uint8,
}


def shapes(
    session: ort.InferenceSession, spec: GeneratorSpec, entry_point: str, batch: int, path: Path
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Of all inputs, and of the outputs that the spec speaks of, with the batch. [H, W, C] bytes.

    Raises ArtifactError for an input that the spec does not know.
    """
    given, wanted = tensors(spec, entry_point)
    inputs, outputs = {}, {}
    for node in session.get_inputs():
        if node.name not in given or node.type not in DTYPES:
            raise ArtifactError(
                f"{path}: the {entry_point} takes {node.name!r} ({node.type}), its spec says "
                f"{', '.join(given)}; export it again"
            )
        shape = (batch, *given[node.name])
        # A vector beside one image has no batch, as in `as_taken`.
        inputs[node.name] = shape[1:] if len(shape) == len(node.shape) + 1 == 2 else shape
    kinds = {node.name: node.type for node in session.get_outputs()}
    for name, shape in wanted.items():
        if kinds.get(name) not in _TORCH_TYPES:
            raise ArtifactError(
                f"{path}: the {entry_point} gives {', '.join(kinds)}, its spec says "
                f"{', '.join(wanted)}; export it again"
            )
        last = (*shape[1:], shape[0]) if kinds[name] == "tensor(uint8)" else shape
        outputs[name] = (batch, *last)
    return inputs, outputs


def bound(
    session: ort.InferenceSession,
    device: Device,
    inputs: dict[str, tuple[int, ...]],
    outputs: dict[str, tuple[int, ...]],
    path: Path,
    on_device_alone: bool,
) -> Network:
    """The session with buffers of these shapes, warmed up. Raises what onnxruntime raises.

    on_device_alone: nothing of it runs on the CPU, and so nobody has to wait for the end of a run.
    """
    import onnxruntime as ort

    kinds = {node.name: node.type for node in (*session.get_inputs(), *session.get_outputs())}
    binding = session.io_binding()

    def buffers(names: dict[str, tuple[int, ...]], bind: Any) -> dict[str, torch.Tensor]:
        made = {}
        for name, shape in names.items():
            made[name] = device.buffer(shape, _TORCH_TYPES[kinds[name]])
            # A raw pointer keeps nothing alive: the network holds the tensors.
            number = _numpy_type(made[name])
            bind(name, device.kind, device.index, number, list(shape), made[name].data_ptr())
        return made

    network_inputs = buffers(inputs, binding.bind_input)
    network_outputs = buffers(outputs, binding.bind_output)
    options = ort.RunOptions()
    options.log_severity_level = 4
    if on_device_alone:
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    run = partial(session.run_with_iobinding, binding, options)
    # Fresh memory may still be in use, and what lies in it is no class of a model.
    device.synchronize()
    for tensor in network_inputs.values():
        device.on(device.compute, tensor.zero_)
    for _ in range(_WARM_UPS):
        device.on(device.compute, run)
        device.compute.synchronize()

    def checked() -> None:
        try:
            run()
        # onnxruntime's exceptions share no base class of its own.
        except Exception as error:
            raise EngineError(f"{path}: the run failed: {first_line(error)}") from error

    return Network(network_inputs, network_outputs, partial(device.on, device.compute, checked))


def _numpy_type(tensor: torch.Tensor) -> Any:
    return np.dtype(str(tensor.dtype).removeprefix("torch.")).type
