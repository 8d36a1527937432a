"""Small launches of every pointwise kernel with what they must give, for all tiers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from kernels import bounds
from kernels.geometry import Geometry
from kernels.launch import Launch
from kernels.pointwise import arithmetic, gather, moves, normalisation, pad, pooling, reduction
from kernels.pointwise import resample as resampling
from kernels.reference import arithmetic as reference_arithmetic
from kernels.reference import layout as reference_layout
from kernels.reference import normalisation as reference_norm
from kernels.reference import pooling as reference_pooling
from kernels.reference import reduction as reference_reduction
from kernels.reference import resampling as reference_resampling
from kernels.reference.activation import FUNCTIONS, activation
from tests.cases.case import Case, Output, stored

TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


def values(*shape: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    """Normal numbers of a type."""
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator).to(dtype)


def doubles(tensor: Tensor | None) -> np.ndarray | None:
    """The same numbers in float64."""
    return None if tensor is None else tensor.double().numpy()


def small_launches(dtype: str = "fp16") -> dict[str, Case]:
    """Every case in a type ('fp16', 'bf16', 'fp32'), by name."""
    return {name: make(dtype) for name, make in CASES.items()}


def _case(
    launches: Callable[[Tensor], tuple[Launch, ...]],
    reference: np.ndarray,
    dtype: str,
    error: np.ndarray | float = 0.0,
    exact: bool = False,
) -> Case:
    # A move changes nothing, so nothing is allowed.
    allowed = 0.0 if exact else stored(reference, error, TYPES[dtype])
    output = Output.make(reference.shape, TYPES[dtype], reference, allowed)
    return Case(launches(output.tensor), {"out": output})


def _binary(function, shape, other, kind="none", alpha=0.0) -> Callable[[str], Case]:
    def make(dtype: str) -> Case:
        a, b = values(*shape, dtype=TYPES[dtype]), values(*other, dtype=TYPES[dtype], seed=1)
        exact = reference_arithmetic.binary(function, doubles(a), doubles(b))
        reference = activation(exact, kind, alpha)
        size = reference_arithmetic.binary(function, abs(doubles(a)), abs(doubles(b)))
        # A difference of sizes is no bound of a difference.
        if function == "sub":
            size = abs(doubles(a)) + abs(doubles(b))
        # div.full is 2 ulp.
        error = 4 * bounds.UNIT * np.abs(size) + bounds.activation_error(kind, exact, reference)
        return _case(
            lambda out: arithmetic.binary_launches(function, a, b, out, kind, alpha),
            reference,
            dtype,
            error,
        )

    return make


def _affine(shape, vector, kind="none", alpha=0.0, beta=0.0, positive=False, parts=2):
    def make(dtype: str) -> Case:
        x = values(*shape, dtype=TYPES[dtype]) * 2
        x = x.abs() + 0.01 if positive else x
        scale = values(*vector, dtype=torch.float32, seed=2) if parts > 0 else None
        shift = values(*vector, dtype=torch.float32, seed=3) if parts > 1 else None
        exact = reference_arithmetic.affine(doubles(x), doubles(scale), doubles(shift))
        reference = activation(exact, kind, alpha, beta)
        error = bounds.activation_error(kind, exact, reference, alpha, beta)
        if parts:
            size = reference_arithmetic.affine(
                abs(doubles(x)), np.abs(doubles(scale)), np.abs(doubles(shift))
            )
            error = error + 2 * bounds.UNIT * size
        return _case(
            lambda out: arithmetic.affine_launches(x, scale, shift, out, kind, alpha, beta),
            reference,
            dtype,
            error,
        )

    return make


def _prelu(dtype: str) -> Case:
    x = values(2, 5, 24, dtype=TYPES[dtype])
    slope = values(24, dtype=torch.float32, seed=4)
    reference = reference_arithmetic.prelu(doubles(x), doubles(slope))
    return _case(
        lambda out: arithmetic.affine_launches(x, slope, None, out, function="prelu"),
        reference,
        dtype,
        bounds.UNIT * np.abs(reference),
    )


def _move(reference, launches, *shape) -> Callable[[str], Case]:
    def make(dtype: str) -> Case:
        x = values(*shape, dtype=TYPES[dtype])
        return _case(lambda out: launches(x, out), reference(doubles(x)), dtype, exact=True)

    return make


def _concat(axis, *shapes) -> Callable[[str], Case]:
    def make(dtype: str) -> Case:
        parts = [values(*shape, dtype=TYPES[dtype], seed=i) for i, shape in enumerate(shapes)]
        return _case(
            lambda out: moves.concat_launches(parts, axis, out),
            reference_layout.concat(*map(doubles, parts), axis=axis),
            dtype,
            exact=True,
        )

    return make


def _pad(mode, before, after, *shape, value=0.0) -> Callable[[str], Case]:
    return _move(
        lambda x: reference_layout.pad(x, before, after, mode, value),
        lambda x, out: pad.pad_launches(x, before, out, mode, value),
        *shape,
    )


def _embedding(dtype: str) -> Case:
    table, index = values(7, 3, 8, dtype=TYPES[dtype]), torch.tensor([6, 0, 3, 3])
    return _case(
        lambda out: gather.embedding_launches(index, table, out),
        reference_layout.embedding(index.numpy(), doubles(table)),
        dtype,
        exact=True,
    )


def _norm(shape, groups=None, kind="none", alpha=0.0, layer=False) -> Callable[[str], Case]:
    def make(dtype: str) -> Case:
        x = values(*shape, dtype=TYPES[dtype]) + 3
        channels = shape[-1]
        scale = values(channels, dtype=torch.float32, seed=5)
        shift = values(channels, dtype=torch.float32, seed=6)
        d, epsilon = doubles(x), 1e-5
        if layer:
            exact = reference_norm.layer_norm(d, doubles(scale), doubles(shift), epsilon)
            view = x.view(-1, channels)
            axes, count, split = (-1,), channels, d
        else:
            exact = (
                reference_norm.group_norm(d, groups, doubles(scale), doubles(shift), epsilon)
                if groups
                else reference_norm.instance_norm(d, doubles(scale), doubles(shift), epsilon)
            )
            view = x
            split = d.reshape(*shape[:-1], groups or channels, -1)
            axes = (*range(1, len(shape) - 1), -1)
            count = int(np.prod([split.shape[axis] for axis in axes]))
        mean = split.mean(axis=axes, keepdims=True)
        error = bounds.norm_error(
            split,
            split - mean,
            np.sqrt(split.var(axis=axes, keepdims=True) + epsilon),
            np.abs(split).mean(axis=axes, keepdims=True),
            count,
        ).reshape(shape)
        error = error * np.abs(doubles(scale)) + 2 * bounds.UNIT * np.abs(exact)
        reference = activation(exact, kind, alpha)
        error = error + bounds.activation_error(kind, exact, reference)
        return _case(
            lambda out: normalisation.norm_launches(
                "norm",
                view,
                scale,
                shift,
                out.view(view.shape),
                groups=1 if layer else groups,
                epsilon=epsilon,
                activation=kind,
                alpha=alpha,
            ),
            reference,
            dtype,
            error,
        )

    return make


def _pool(function, geometry, channels, outside=False) -> Callable[[str], Case]:
    def make(dtype: str) -> Case:
        x = values(2, *geometry.input_size, channels, dtype=TYPES[dtype])
        d = doubles(x)
        if function == "max":
            reference, error = reference_pooling.max_pool(d, geometry), 0.0
        else:
            reference = reference_pooling.average_pool(d, geometry, outside)
            size = reference_pooling.average_pool(np.abs(d), geometry, outside)
            error = (geometry.taps + 4) * bounds.UNIT * size
        return _case(
            lambda out: pooling.pool_launches(function, x, geometry, out, outside),
            reference,
            dtype,
            error,
            exact=function == "max",
        )

    return make


def _reduce(function, first, last, *shape) -> Callable[[str], Case]:
    def make(dtype: str) -> Case:
        x = values(*shape, dtype=TYPES[dtype])
        axes = tuple(range(first, last + 1))
        reference = reference_reduction.reduce(doubles(x), function, axes)
        size = reference_reduction.reduce(np.abs(doubles(x)), function, axes)
        depth = int(np.prod([shape[axis] for axis in axes]))
        summed = function in ("mean", "sum")
        return _case(
            lambda out: reduction.reduce_launches(function, x, first, last, out),
            reference,
            dtype,
            (bounds.growth(depth) + 4) * bounds.UNIT * size if summed else 0.0,
            exact=not summed,
        )

    return make


def _softmax(dtype: str) -> Case:
    x = values(3, 5, 37, dtype=TYPES[dtype]) * 4
    reference = reference_reduction.softmax(doubles(x))
    depth = bounds.growth(37) + 12 + 2 * np.abs(doubles(x)).max() * 2
    return _case(
        lambda out: reduction.softmax_launches(x, out),
        reference,
        dtype,
        depth * bounds.UNIT * reference,
    )


def _resample(dtype: str) -> Case:
    x = values(2, 5, 3, 8, dtype=TYPES[dtype])
    # Bilinear, 5 -> 9, half-pixel centres.
    units = torch.eye(5)[None]
    matrix = torch.nn.functional.interpolate(units, 9, mode="linear")[0].T.contiguous().numpy()
    weight, place = resampling.pack_matrix(matrix, "cpu")
    size = reference_resampling.resample(np.abs(doubles(x)), (np.abs(matrix), None))
    return _case(
        lambda out: resampling.resample_launches(x, weight, place, 1, out),
        reference_resampling.resample(doubles(x), (matrix, None)),
        dtype,
        3 * bounds.UNIT * size,
    )


NUMBERS = {
    "leaky_relu": (0.2, 0.0),
    "elu": (0.7, 0.0),
    "celu": (0.7, 0.0),
    "selu": (1.6732632423543772, 1.0507009873554805),
    "hard_sigmoid": (1 / 6, 0.5),
    "thresholded_relu": (0.5, 0.0),
    "clip": (-0.5, float("inf")),
    "power": (2.6, 0.0),
}
POSITIVE = ("log", "sqrt", "power", "reciprocal")

CASES: dict[str, Callable[[str], Case]] = {
    "add_relu": _binary("add", (3, 5, 7, 8), (3, 5, 7, 8), "relu"),
    "add_odd": _binary("add", (2, 3, 5), (2, 3, 5)),
    "sub": _binary("sub", (2, 33), (2, 33)),
    "multiply_repeats": _binary("mul", (2, 4, 3, 16), (2, 1, 1, 16)),
    "multiply_batch_of_one": _binary("mul", (3, 4, 8), (1, 4, 1), "tanh"),
    "both_repeat": _binary("add", (2, 5, 1, 8), (2, 1, 3, 1)),
    "div": _binary("div", (2, 40), (2, 40)),
    "max": _binary("max", (2, 5, 8), (2, 5, 8)),
    "min": _binary("min", (2, 5, 8), (2, 1, 8)),
    "affine_leaky_relu": _affine((2, 5, 3, 24), (24,), "leaky_relu", 0.2),
    "affine_row": _affine((2, 3, 4, 8), (3, 1, 1)),
    "affine_one": _affine((4, 1), (1,)),
    "prelu": _prelu,
    **{
        f"activation_{kind}": _affine(
            (2, 9, 16), (16,), kind, *NUMBERS.get(kind, (0.0, 0.0)), kind in POSITIVE, parts=0
        )
        for kind in FUNCTIONS
    },
    "permute": _move(
        lambda x: x.transpose(0, 3, 1, 2),
        lambda x, out: moves.permute_launches(x, (3, 1, 2), out),
        *(2, 3, 5, 8),
    ),
    "transpose": _move(
        lambda x: x.transpose(0, 2, 1),
        lambda x, out: moves.permute_launches(x, (2, 1), out),
        *(2, 72, 24),
    ),
    "permute_reversed": _move(
        lambda x: x.transpose(0, 4, 3, 2, 1),
        lambda x, out: moves.permute_launches(x, (4, 3, 2, 1), out),
        *(2, 2, 3, 4, 5),
    ),
    "slice_backwards": _move(
        lambda x: x[:, ::-1, 1::2, 8:],
        lambda x, out: moves.take_launches(x, (4, 1, 8), (-1, 2, 1), out),
        *(2, 5, 6, 24),
    ),
    "concat_channels": _concat(-1 + 4, (2, 3, 4, 8), (2, 3, 4, 16), (2, 3, 4, 3)),
    "concat_rows": _concat(1, (2, 3, 8), (2, 1, 8)),
    "upsample": _move(
        lambda x: reference_resampling.upsample(x, (2, 3)),
        lambda x, out: moves.upsample_launches(x, (2, 3), out),
        *(2, 3, 2, 8),
    ),
    "upsample_3d": _move(
        lambda x: reference_resampling.upsample(x, (2, 1, 2)),
        lambda x, out: moves.upsample_launches(x, (2, 1, 2), out),
        *(1, 2, 3, 2, 5),
    ),
    "depth_to_space": _move(
        lambda x: reference_resampling.depth_to_space(x, (2, 2)),
        lambda x, out: moves.depth_to_space_launches(x, (2, 2), False, out),
        *(2, 3, 5, 32),
    ),
    "pixel_shuffle": _move(
        lambda x: reference_resampling.depth_to_space(x, (2, 2), True),
        lambda x, out: moves.depth_to_space_launches(x, (2, 2), True, out),
        *(2, 3, 5, 12),
    ),
    "pad_constant": _pad("constant", (1, 0, 0), (2, 1, 0), 2, 3, 5, 8, value=-2.0),
    "pad_channels": _pad("constant", (0, 1), (0, 2), 2, 3, 5),
    "crop": _pad("constant", (-1, 1, 0), (0, -2, 0), 2, 3, 5, 8),
    "pad_reflect": _pad("reflect", (2, 1, 0), (1, 3, 0), 2, 3, 5, 8),
    "pad_edge": _pad("edge", (4, 0, 0), (0, 2, 0), 2, 3, 2, 8),
    "pad_wrap": _pad("wrap", (3, 1, 0), (2, 0, 0), 2, 3, 2, 8),
    "embedding": _embedding,
    "instance_norm": _norm((2, 5, 6, 24), kind="relu"),
    "instance_norm_long": _norm((1, 700, 3), kind="leaky_relu", alpha=0.2),
    "group_norm": _norm((2, 4, 3, 24), groups=2, kind="silu"),
    "group_norm_odd": _norm((2, 5, 9), groups=3),
    "layer_norm": _norm((2, 5, 40), layer=True),
    "pool_max": _pool("max", Geometry.forward((7, 6), (3, 3), 2, 1), 8),
    "pool_mean": _pool("mean", Geometry.forward((7, 6), (3, 3), 2, 1), 5),
    "pool_mean_outside": _pool("mean", Geometry.forward((5, 4), (2, 2), 2, 1), 8, outside=True),
    "pool_1d": _pool("max", Geometry.forward((9,), (2,), 2, 0, 2), 16),
    "reduce_mean_positions": _reduce("mean", 1, 2, 2, 5, 6, 24),
    "reduce_sum_channels": _reduce("sum", 3, 3, 2, 3, 5, 37),
    "reduce_max": _reduce("max", 1, 1, 3, 70, 8),
    "reduce_min": _reduce("min", 1, 2, 2, 3, 3, 5),
    "softmax": _softmax,
    "resample": _resample,
}
