"""What Triton makes of a launch for a GPU that need not be there: PTX, binary, and its record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kernels.launch import ALIGNMENT_BYTES, FIXED_OPTIONS, Launch, interpreting

# Compute capabilities that kernels are built for and checked on.
ARCHITECTURES = (80, 86, 89, 90, 100, 120)
AMD_ARCHITECTURE = "gfx942"


@dataclass(frozen=True)
class Compiled:
    """One compiled kernel.

    `metadata` is Triton's record: shared memory in bytes, warps, scratch, tensor descriptors.
    `asm` has the stages by name: 'ptx' and 'cubin', or 'amdgcn' and 'hsaco'.
    """

    launch: Launch
    architecture: int | str
    name: str
    shared_bytes: int
    num_warps: int
    scratch_bytes: int
    metadata: Any
    asm: dict[str, Any]


def compile_launch(
    launch: Launch, architecture: int | str, *, fresh: bool = False, line_info: bool = True
) -> Compiled:
    """Compile for a compute capability (80 .. 120) or an AMD architecture ('gfx942').

    Pointers are promised to be multiples of 16 bytes; integers promise nothing. `fresh` compiles
    even what Triton's cache holds; binaries without line information are less than half as large.
    Raises RuntimeError under TRITON_INTERPRET=1, where there is no compiler, and Triton's own
    errors.
    """
    if interpreting():
        raise RuntimeError("kernels cannot be compiled under TRITON_INTERPRET=1; unset it")
    import triton
    from triton import knobs
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    constants = dict(launch.constants)
    if not isinstance(architecture, int):
        # Three tf32 products stand for one of fp32 on NVIDIA only; AMD multiplies fp32 itself.
        constants = {k: "ieee" if v == "tf32x3" else v for k, v in constants.items()}
    signature = launch.signature()
    names = list(signature)
    pointers = [i for i, kind in enumerate(signature.values()) if kind.startswith("*")]
    source = ASTSource(
        fn=launch.kernel,
        signature=signature,
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs={(i,): [["tt.divisibility", ALIGNMENT_BYTES]] for i in pointers},
    )
    if isinstance(architecture, int):
        target = GPUTarget("cuda", architecture, 32)
    else:
        target = GPUTarget("hip", architecture, 64)
    options = {
        "num_warps": launch.num_warps,
        "num_stages": launch.num_stages,
        **FIXED_OPTIONS,
        **launch.options,
    }
    with knobs.compilation.scope():
        knobs.compilation.always_compile = fresh or knobs.compilation.always_compile
        knobs.compilation.disable_line_info = not line_info
        kernel = triton.compile(source, target=target, options=options)
    metadata = kernel.metadata
    return Compiled(
        launch=launch,
        architecture=architecture,
        name=metadata.name,
        shared_bytes=metadata.shared,
        num_warps=metadata.num_warps,
        scratch_bytes=getattr(metadata, "global_scratch_size", 0) or 0,
        metadata=metadata,
        asm=dict(kernel.asm),
    )
