"""A compiled launch in the simulator: torch tensors as buffers, descriptors as tensor maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kernels.ptxsim.errors import Unimplemented
from kernels.ptxsim.formats import Array
from kernels.ptxsim.scheduler import Schedule
from kernels.ptxsim.simulation import Argument, Pointer, Simulation, Statistics
from kernels.ptxsim.tensormap import TensorMap

if TYPE_CHECKING:
    from kernels.compile import Compiled


def simulate(
    compiled: Compiled,
    *,
    seed: int = 0,
    schedule: Schedule = "warp",
    trace: bool = False,
    blocks: Iterable[int] | None = None,
    ptx: str | None = None,
    step_limit: int = 10**7,
) -> Statistics:
    """Run a compiled launch on its own arguments, which are tensors on the CPU, in place.

    ptx: text to run instead of the compiled one (a mutant). Traffic is by parameter name. See
    `Simulation.run` for the rest. Raises ValueError for tensors that are not on the CPU.
    """
    values = compiled.launch.arguments
    order = [name for name in compiled.launch.kernel.arg_names if name in values]
    records = iter(getattr(compiled.metadata, "tensordesc_meta", None) or ())
    shared = Counter(_storage(values[name]) for name in order if not isinstance(values[name], int))
    buffers: dict[int, Array] = {}
    names: dict[int, str] = {}
    arguments: list[Argument] = []
    for name in order:
        value: Any = values[name]
        if isinstance(value, int):
            arguments.append(value)
            continue
        storage = _storage(value)
        tensor = getattr(value, "base", value)
        if shared[storage] > 1 or not tensor.is_contiguous() or tensor is not value:
            # One buffer for all arguments that look into it.
            buffer = buffers.setdefault(storage, _whole_storage(tensor))
            offset = tensor.storage_offset() * tensor.element_size()
        else:
            buffer = buffers[storage] = _exact(tensor)
            offset = 0
        names.setdefault(len(buffers) - 1, name)
        if tensor is value:
            arguments.append(Pointer(buffer, offset))
        else:
            arguments.append(_tensor_map(value, buffer, offset, next(records, None)))
    if 0 in compiled.launch.grid:
        return Statistics()
    statistics = Simulation(ptx or compiled.asm["ptx"]).run(
        arguments,
        compiled.launch.grid,
        shared_bytes=compiled.shared_bytes,
        scratch_bytes=compiled.scratch_bytes,
        seed=seed,
        schedule=schedule,
        trace=trace,
        blocks=blocks,
        step_limit=step_limit,
    )
    if statistics.traffic is None:
        return statistics
    return replace(statistics, traffic=statistics.traffic.named(names))


def _storage(value: Any) -> int:
    tensor = getattr(value, "base", value)
    if tensor.device.type != "cpu":
        raise ValueError(f"a tensor on {tensor.device} cannot be simulated; move it to the CPU")
    return int(tensor.untyped_storage().data_ptr())


def _whole_storage(tensor: Any) -> Array:
    import torch

    flat = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
    whole: Array = flat.numpy()
    return whole


def _exact(tensor: Any) -> Array:
    import torch

    exact: Array = tensor.reshape(-1).view(torch.uint8).numpy()
    return exact


def _tensor_map(value: Any, buffer: Array, offset: int, record: Any) -> TensorMap:
    if getattr(value, "padding", "zero") not in ("zero", None):
        raise Unimplemented(f"tensor descriptors padded with {value.padding}")
    return TensorMap(
        buffer,
        tuple(int(size) for size in value.shape),
        tuple(int(stride) for stride in value.strides),
        value.base.element_size(),
        record,
        offset,
    )
