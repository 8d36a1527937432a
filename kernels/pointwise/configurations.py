"""Named launches of the pointwise kernels at the sizes of real models, to be compiled, not run."""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.geometry import Geometry
from kernels.launch import Launch
from kernels.pointwise import (
    arithmetic,
    gather,
    moves,
    normalisation,
    pad,
    pooling,
    reduction,
    resample,
)

BATCH = 64

# Arguments that hold maps: touched in steps of 16 bytes only, where channels allow it. Indices,
# weights of an interpolation and the sums of a reduction are single numbers.
MAPS = ("a_ptr", "b_ptr", "x_ptr", "table_ptr", "out_ptr")
_SUMS = ("pointwise reduce_mean",)

# One of each kernel, and of the map two: compiling all for every architecture takes too long.
_GATED = (
    *("affine_leaky_relu", "concat", "transpose", "pad_reflect", "embedding", "instance_norm"),
    *("pool_max", "reduce_mean", "softmax", "resample"),
)


def gated_launches() -> dict[str, Launch]:
    """The named launches whose binaries are gated and shown in the report, in fp16."""
    every = named_launches()
    return {f"pointwise {name}": every[f"pointwise {name}"] for name in _GATED}


def wide_arguments(name: str, launch: Launch) -> tuple[str, ...]:
    """The arguments of a named launch that it may touch in steps of 16 bytes only."""
    maps = MAPS[:-1] if name in _SUMS else MAPS
    return tuple(argument for argument in maps if argument in launch.arguments)


def named_launches(dtype: torch.dtype = torch.float16) -> dict[str, Launch]:
    """One launch a kernel and shape, on meta tensors of a type, by name."""

    def tensor(*shape: int, like: torch.dtype = dtype) -> Tensor:
        return torch.empty(shape, dtype=like, device="meta")

    def vector(size: int) -> Tensor:
        return tensor(size, like=torch.float32)

    maps = tensor(BATCH, 32, 32, 128)
    half = tensor(BATCH, 16, 16, 128)
    wide = tensor(BATCH, 32, 32, 256)
    rows = tensor(BATCH, 256, 512)
    padded = tensor(BATCH, 38, 38, 128)
    pixels = tensor(BATCH, 64, 64, 64)
    window = Geometry.forward((32, 32), (2, 2), 2)
    weights = tensor(64, 2, like=torch.float32), tensor(64, 2, like=torch.int32)
    found = {
        "add_relu": arithmetic.binary_launches("add", maps, maps, maps, "relu"),
        "multiply": arithmetic.binary_launches("mul", maps, tensor(BATCH, 1, 1, 128), maps),
        "affine_leaky_relu": arithmetic.affine_launches(
            maps, vector(128), vector(128), maps, "leaky_relu", 0.2
        ),
        "tanh": arithmetic.affine_launches(maps, None, None, maps, "tanh"),
        "gelu": arithmetic.affine_launches(maps, None, None, maps, "gelu"),
        "transpose": moves.permute_launches(maps, (3, 1, 2), tensor(BATCH, 128, 32, 32)),
        "permute": moves.permute_launches(
            tensor(BATCH, 4, 4, 2, 2, 64), (1, 3, 2, 4, 5), tensor(BATCH, 4, 2, 4, 2, 64)
        ),
        "concat": moves.concat_launches([maps, maps], 3, wide),
        "upsample": moves.upsample_launches(half, (2, 2), maps),
        "depth_to_space": moves.depth_to_space_launches(
            tensor(BATCH, 32, 32, 256), (2, 2), False, pixels
        ),
        "pad_reflect": pad.pad_launches(maps, (3, 3, 0), padded, "reflect"),
        "pad_constant": pad.pad_launches(maps, (3, 3, 0), padded),
        "embedding": gather.embedding_launches(
            tensor(BATCH, like=torch.int64), tensor(1000, 128), tensor(BATCH, 128)
        ),
        "instance_norm": normalisation.norm_launches(
            "instance_norm", maps, vector(128), vector(128), maps, activation="relu"
        ),
        "group_norm": normalisation.norm_launches(
            "group_norm", maps, vector(128), vector(128), maps, groups=8, activation="silu"
        ),
        "layer_norm": normalisation.norm_launches(
            "layer_norm", rows.view(-1, 512), vector(512), vector(512), rows.view(-1, 512), groups=1
        ),
        "pool_max": pooling.pool_launches("max", maps, window, half),
        "pool_mean": pooling.pool_launches("mean", maps, window, half),
        "reduce_mean": reduction.reduce_launches("mean", maps, 1, 2, tensor(BATCH, 1, 1, 128)),
        "softmax": reduction.softmax_launches(rows, rows),
        "resample": resample.resample_launches(maps, *weights, 1, tensor(BATCH, 64, 32, 128)),
    }
    return {f"pointwise {name}": launches[0] for name, launches in found.items()}
