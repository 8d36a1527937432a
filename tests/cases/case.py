"""A small launch on CPU tensors with what it must give, for the interpreter and the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from kernels.bounds import converted, exceeds
from kernels.launch import TYPE_NAMES, Argument, Launch, interpreting

# Elements before and after an output: a multiple of 16 bytes in every type.
_CANARIES = 32
_CANARY = 77


def type_name(dtype: torch.dtype) -> str:
    """'fp16' of torch.float16, and so on."""
    return TYPE_NAMES[str(dtype).removeprefix("torch.")]


def stored(reference: ArrayLike, error: ArrayLike, dtype: torch.dtype) -> NDArray[np.float64]:
    """Add the error of converting to an output's type."""
    if dtype == torch.bfloat16 and interpreting():
        # Compilers round bf16 to nearest; Triton's interpreter cuts it off: half a step more.
        error = np.asarray(error) + 2.0**-8 * np.abs(np.asarray(reference))
    return converted(reference, error, type_name(dtype))


@dataclass(frozen=True)
class Output:
    """A tensor that a launch fills, inside a buffer with canaries at both ends."""

    tensor: torch.Tensor
    buffer: torch.Tensor
    reference: ArrayLike
    allowed: ArrayLike

    @classmethod
    def make(
        cls,
        shape: Sequence[int],
        dtype: torch.dtype,
        reference: ArrayLike,
        allowed: ArrayLike = 0.0,
    ) -> Output:
        """An output filled with NaN (with canaries, if integers)."""
        size = int(np.prod(shape))
        buffer = torch.full((size + 2 * _CANARIES,), _CANARY, dtype=dtype)
        tensor = buffer[_CANARIES : _CANARIES + size].view(*shape)
        if dtype.is_floating_point:
            tensor.fill_(float("nan"))
        return cls(tensor, buffer, reference, allowed)

    def wrong(self) -> str | None:
        """What is wrong with the result, or None."""
        ends = torch.cat([self.buffer[:_CANARIES], self.buffer[-_CANARIES:]]).cpu()
        if not bool((ends == _CANARY).all()):
            return "written outside of the output"
        result = self.tensor.cpu()
        if result.dtype.is_floating_point:
            result = result.double()
        return exceeds(result.numpy(), self.reference, self.allowed)


@dataclass(frozen=True)
class Case:
    """Launches to be run in order, and their outputs by name."""

    launches: tuple[Launch, ...]
    outputs: dict[str, Output]

    def run(self) -> None:
        """Run where the tensors are: in the interpreter, or on a device."""
        for launch in self.launches:
            launch.run()

    def on(self, device: str) -> Case:
        """The same case with its memory copied to a device; views of one memory stay so."""
        copies: dict[int, torch.Tensor] = {}

        def moved(value: Argument) -> Argument:
            return _on(value, device, copies) if isinstance(value, torch.Tensor) else value

        launches = tuple(
            replace(launch, arguments={k: moved(v) for k, v in launch.arguments.items()})
            for launch in self.launches
        )
        outputs = {
            name: replace(
                output,
                tensor=_on(output.tensor, device, copies),
                buffer=_on(output.buffer, device, copies),
            )
            for name, output in self.outputs.items()
        }
        return Case(launches, outputs)

    def wrong(self) -> dict[str, str]:
        """What is wrong, by output."""
        found = {name: output.wrong() for name, output in self.outputs.items()}
        return {name: text for name, text in found.items() if text is not None}


def _on(tensor: torch.Tensor, device: str, copies: dict[int, torch.Tensor]) -> torch.Tensor:
    """A tensor's view of the copy of the memory it lies in; each memory is copied once."""
    storage = tensor.untyped_storage()
    key = storage.data_ptr()
    if key not in copies:
        whole = torch.empty(0, dtype=torch.uint8).set_(storage)
        copies[key] = whole.to(device, copy=True)
    view = torch.empty(0, dtype=tensor.dtype, device=device)
    return view.set_(
        copies[key].untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride()
    )
