"""What the public functions refuse: types, layouts, devices, shapes, names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from kernels.geometry import Geometry
from kernels.launch import LARGEST_OFFSET
from kernels.pointwise import arithmetic, gather, moves, normalisation, pad, pooling, reduction
from kernels.pointwise import resample as resampling

X = torch.zeros(2, 4, 6, 8)
SQUARE = torch.zeros(3, 4, 4, 8)


@pytest.mark.parametrize(
    ("tensor", "error", "message"),
    [
        pytest.param(X.double(), TypeError, "float64", id="float64"),
        pytest.param(X.int(), TypeError, "int32", id="integers"),
        pytest.param(X.numpy(), TypeError, "ndarray, not a torch tensor", id="numpy"),
        pytest.param(X.transpose(1, 2), ValueError, "is not contiguous", id="strided"),
        pytest.param(X.flatten()[1:769], ValueError, "no multiple of 16", id="misaligned"),
        pytest.param(X.to("meta"), ValueError, "different devices: cpu, meta", id="device"),
    ],
)
def test_tensors(tensor: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        moves.concat([X, tensor] if message.startswith("different") else [tensor])


def test_without_gpu_and_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.launch.interpreting", lambda: False)
    with pytest.raises(ValueError, match="on cpu; Triton kernels need a GPU"):
        reduction.softmax(X)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "unknown activation": (
        lambda: arithmetic.affine(X, activation="swoosh"),
        "activation 'swoosh'",
    ),
    "unknown function": (lambda: arithmetic.binary("mod", X, X), "function 'mod'"),
    "other shapes": (lambda: arithmetic.add(X, X[:, :3].clone()), "must be one shape"),
    "one value": (lambda: arithmetic.add(X), "at least two values"),
    "ranks": (lambda: arithmetic.binary("mul", X, X[0]), "must have one rank"),
    "repeats": (lambda: arithmetic.binary("mul", X, X[:, :2].clone()), "does not broadcast"),
    "vector": (lambda: arithmetic.affine(X, torch.zeros(7)), r"shape \(7,\) does not broadcast"),
    "slope": (lambda: arithmetic.prelu(X, torch.zeros(3, 1)), "does not broadcast"),
    "out shape": (
        lambda: arithmetic.affine(X, out=torch.zeros(2, 4, 6, 7)),
        r"out \(2, 4, 6, 7\) must be \(2, 4, 6, 8\)",
    ),
    "out strided": (
        lambda: arithmetic.affine(X, out=torch.zeros(2, 4, 8, 6).transpose(2, 3)),
        "out .* is not contiguous",
    ),
    "out over the input": (
        lambda: moves.permute(SQUARE, (1, 0, 2), out=SQUARE),
        "out must not share memory with an input",
    ),
    "out over part of the input": (
        lambda: arithmetic.affine(SQUARE[:2], out=SQUARE[1:3]),
        "out must not share memory with an input",
    ),
    "out over a vector": (
        lambda: arithmetic.affine(SQUARE[:1], SQUARE[1, 0, 0], out=SQUARE[1:2]),
        "out must not share memory with an input",
    ),
    "index misaligned": (
        lambda: gather.embedding(torch.zeros(3, dtype=torch.int64)[1:], torch.zeros(3, 8)),
        "index begins at no multiple of 16 bytes",
    ),
    "axes": (lambda: moves.permute(X, (0, 1, 1)), r"axes=\(0, 1, 1\)"),
    "slice past the end": (
        lambda: moves.take(X, (0, 0, 0), (5, 1, 1), (1, 1, 1)),
        "begin=0, size=5, step=1 do not fit size 4",
    ),
    "slice without step": (lambda: moves.take(X, (0, 0, 0), (1, 1, 1), (0, 1, 1)), "step=0"),
    "slice axes": (lambda: moves.take(X, (0,), (1,), (1,)), "must be 3 numbers each"),
    "concat nothing": (lambda: moves.concat([]), "at least one tensor"),
    "concat shapes": (lambda: moves.concat([X, X[:, :3].clone()]), "must agree but for axis 2"),
    "concat types": (lambda: moves.concat([X, X.half()]), "torch.float16"),
    "concat axis": (lambda: moves.concat([X], 3), "axis=3 is not an axis"),
    "scales": (lambda: moves.upsample(X, (2, 0)), r"scales=\(2, 0\)"),
    "block": (lambda: moves.depth_to_space(X, (3, 1)), r"block=\(3, 1\) does not fit"),
    "pad mode": (lambda: pad.pad(X, (0, 0, 0), (0, 0, 0), "mirror"), "mode='mirror'"),
    "pad axes": (lambda: pad.pad(X, (0,), (0,)), "one number for each of the 3 axes"),
    "reflect too far": (lambda: pad.pad(X, (4, 0, 0), (0, 0, 0), "reflect"), "too many for size 4"),
    "wrap too far": (lambda: pad.pad(X, (5, 0, 0), (0, 0, 0), "wrap"), "too many for size 4"),
    "crop too far": (lambda: pad.pad(X, (-3, 0, 0), (-2, 0, 0)), "cut what is not there"),
    "groups": (lambda: normalisation.instance_norm(X, groups=3), "groups=3 must divide"),
    "norm vector": (
        lambda: normalisation.layer_norm(X, torch.ones(6)),
        r"scale \(6,\) must be \(8,\)",
    ),
    "norm width": (
        lambda: normalisation.layer_norm(torch.zeros(1, 16385)),
        "16385 channels share statistics",
    ),
    "norm activation": (
        lambda: normalisation.instance_norm(X, activation="swoosh"),
        "activation 'swoosh'",
    ),
    "pool function": (
        lambda: pooling.pool("median", X, Geometry.forward((4, 6), (2, 2))),
        "function='median'",
    ),
    "pool map": (
        lambda: pooling.pool("max", X, Geometry.forward((5, 6), (2, 2))),
        r"\[batch, \*\(5, 6\), channels\]",
    ),
    "pool direction": (
        lambda: pooling.pool("max", X, Geometry.transposed((4, 6), (2, 2), 2)),
        "not transposed",
    ),
    "reduce function": (lambda: reduction.reduce("median", X, (0,)), "function='median'"),
    "reduce apart": (lambda: reduction.reduce("sum", X, (0, 2)), "must be neighbours"),
    "reduce axis": (lambda: reduction.reduce("sum", X, (3,)), r"axes=\(3,\)"),
    "reduce nothing": (lambda: reduction.reduce("max", X[:, :0].clone(), (0,)), "nothing to take"),
    "softmax width": (lambda: reduction.softmax(torch.zeros(1, 16385)), "at most 16384"),
    "matrix": (lambda: resampling.pack_matrix(np.zeros(3), "cpu"), "matrix"),
    "resample axis": (
        lambda: resampling.resample(X, resampling.pack_matrix(np.eye(4), "cpu"), 3),
        "axis=3",
    ),
    "resample packed": (
        lambda: resampling.resample(X, (torch.zeros(4, 1), torch.zeros(4, 1)), 0),
        "from pack_matrix",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("index", [torch.zeros(2), torch.zeros(2, dtype=torch.uint8)], ids=str)
def test_index_type(index: torch.Tensor) -> None:
    with pytest.raises(TypeError, match="must be int32 or int64"):
        gather.embedding(index, torch.zeros(3, 8))


def test_more_than_2_31_elements_are_split() -> None:
    x = torch.empty(40_000, 256, 256, dtype=torch.float16, device="meta")
    vector = torch.empty(256, device="meta")
    for launches in (
        arithmetic.affine_launches(x, vector, vector, x),
        normalisation.norm_launches("instance_norm", x, vector, vector, x),
        reduction.softmax_launches(x, x),
    ):
        assert len(launches) > 1
        parts = [
            launch.arguments["x_ptr" if "x_ptr" in launch.arguments else "a_ptr"]
            for launch in launches
        ]
        assert sum(part.numel() for part in parts) == x.numel()
        assert all(part.numel() <= LARGEST_OFFSET for part in parts)
        assert all(math.prod(launch.grid) < 2**31 for launch in launches)
        if "b_ptr" in launches[0].arguments:
            assert all(launch.arguments["b_ptr"] is vector for launch in launches)
