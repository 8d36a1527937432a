"""One kernel launch as a record: what runs, over which grid, on which arguments.

Every tier uses the same record: Triton's JIT and its interpreter run it, `kernels.compile` makes
PTX and a binary of it for a GPU that need not be there, the simulator executes that PTX, and
`export.kernels` packs it.

Conventions that make one record serve them all:
- Runtime arguments are pointers (contiguous tensors whose address is a multiple of 16 bytes),
  tensor descriptors, and integers that fit 32 bits; a 64-bit number travels as two words. Whatever
  is known when a model is loaded (sizes, strides, taps) is a constant of the kernel.
- Kernels are `@triton.jit(do_not_specialize=[...])` in all their integers, so that the JIT compiles
  one variant, the same as ahead of time.
- No kernel is launched over more than 2^31 - 1 elements of a tensor: launchers split the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch
    from triton.tools.tensor_descriptor import TensorDescriptor

Constant: TypeAlias = int | float | bool | str | tuple[int, ...] | None
Argument: TypeAlias = "torch.Tensor | TensorDescriptor | int"

ALIGNMENT_BYTES = 16
# Said outright, because Triton's own default changes from fused to unfused in 3.10.
FIXED_OPTIONS: Mapping[str, Constant] = {"enable_fp_fusion": True}
LARGEST_OFFSET = 2**31 - 1

# The names that Triton's signatures have for the types of torch.
TYPE_NAMES = {
    "float16": "fp16",
    "bfloat16": "bf16",
    "float32": "fp32",
    "float64": "fp64",
    "uint8": "u8",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint32": "u32",
}

Launcher: TypeAlias = "Callable[[Launch], bool]"
_LAUNCHER: ContextVar[Launcher | None] = ContextVar("launcher", default=None)
_ANY_DEVICE: ContextVar[bool] = ContextVar("any_device", default=False)


@dataclass(frozen=True)
class Launch:
    """A Triton kernel with its grid, runtime arguments and constants, both by parameter name."""

    name: str
    kernel: Any
    grid: tuple[int, int, int]
    arguments: Mapping[str, Argument]
    constants: Mapping[str, Constant]
    num_warps: int = 4
    num_stages: int = 3
    options: Mapping[str, Constant] = field(default_factory=dict)

    def run(self) -> None:
        """Launch on the tensors' device, or in the interpreter. An empty grid does nothing.

        Within `launching_with`, that launcher is asked first.
        """
        if 0 in self.grid:
            return
        launcher = _LAUNCHER.get()
        if launcher is not None and launcher(self):
            return
        with _on_device_of(self.arguments):
            self.kernel[self.grid](
                **self.arguments,
                **self.constants,
                num_warps=self.num_warps,
                num_stages=self.num_stages,
                **FIXED_OPTIONS,
                **self.options,
            )

    def signature(self) -> dict[str, str]:
        """Triton's type of every parameter, in order; 'constexpr' for constants."""
        types = {name: _type_name(value) for name, value in self.arguments.items()}
        parameters: list[str] = self.kernel.arg_names
        unknown = [name for name in parameters if name not in types and name not in self.constants]
        if unknown:
            raise ValueError(f"{self.name}: no value for {', '.join(unknown)}")
        return {name: types.get(name, "constexpr") for name in parameters}


@contextmanager
def launching_with(launcher: Launcher, *, any_device: bool = False) -> Iterator[None]:
    """Ask a launcher to run launches in this block; those it answers False for run as always.

    any_device: the launcher takes tensors wherever they are (it records, and runs nothing).
    """
    tokens = _LAUNCHER.set(launcher), _ANY_DEVICE.set(any_device)
    try:
        yield
    finally:
        _LAUNCHER.reset(tokens[0])
        _ANY_DEVICE.reset(tokens[1])


def takes_any_device() -> bool:
    """Whether launches go where the device of tensors does not matter."""
    return _ANY_DEVICE.get() or interpreting()


def interpreting() -> bool:
    """Whether kernels run in Triton's interpreter (TRITON_INTERPRET=1) in this process."""
    from triton import knobs

    return bool(knobs.runtime.interpret)


def signed_word(value: int) -> int:
    """The low 32 bits of a number as the int32 that has them."""
    low = value & 0xFFFFFFFF
    return low - 2**32 if low >= 2**31 else low


def _on_device_of(arguments: Mapping[str, Any]) -> AbstractContextManager[object]:
    """Triton launches on torch's current device, which need not be the tensors' own."""
    for value in arguments.values():
        # A tensor descriptor has its tensor by this name.
        tensor = getattr(value, "base", value)
        if getattr(tensor, "is_cuda", False):
            import torch

            return torch.cuda.device(tensor.device)
    return nullcontext()


def _type_name(value: Any) -> str:
    if isinstance(value, int):
        if not -(2**31) <= value < 2**31:
            raise ValueError(f"argument {value} does not fit 32 bits; pass it as two words")
        return "i32"
    block = getattr(value, "block_shape", None)
    if block is not None:
        return f"tensordesc<{_type_name(value.base)[1:]}{list(block)}>"
    name = str(value.dtype).removeprefix("torch.")
    return f"*{TYPE_NAMES[name]}"
