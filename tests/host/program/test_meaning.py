"""Every operation of a Program by itself, through the executor, against torch in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.program import graph
from engine.program.execute import execute
from engine.program.graph import Activation, Array, Layout, Operation, Program, Value
from kernels.geometry import Geometry

torch = pytest.importorskip("torch")
F = torch.nn.functional


def floats(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


X, Y = floats(3, 4, 6, 8), floats(3, 4, 6, 8) + 0.5
SCALE, SHIFT, ROW = floats(8), floats(8) * 2, floats(4, 1, 1)
MATRIX = floats(5, 4)
LOOKUP = np.arange(12, dtype=np.int64).reshape(3, 4) % 5
TABLE = floats(5, 2)

Torch = Callable[..., Any]


def first(x: Any) -> Any:
    return x.movedim(-1, 1)


def last(x: Any) -> Any:
    return x.movedim(1, -1)


def tensor(array: Array) -> Any:
    return torch.from_numpy(np.ascontiguousarray(array)).double()


# By name: the kind and fields of the operation, its inputs, and torch's function of them.
CASES: dict[str, tuple[type[Operation], dict[str, Any], tuple[Array, ...], Torch]] = {
    "convolution": (
        graph.Convolution,
        {
            "geometry": Geometry.forward((4, 6), (3, 3), 2, 1),
            "weight": floats(3, 3, 4, 6),
            "shift": floats(6),
            "groups": 2,
            "activation": Activation("leaky_relu", 0.1),
        },
        (X,),
        lambda x: last(
            F.leaky_relu(
                F.conv2d(
                    first(x),
                    tensor(floats(3, 3, 4, 6)).permute(3, 2, 0, 1),
                    tensor(floats(6)),
                    stride=2,
                    padding=1,
                    groups=2,
                ),
                0.1,
            )
        ),
    ),
    "affine": (
        graph.Affine,
        {"scale": SCALE, "shift": ROW, "activation": Activation("tanh")},
        (X,),
        lambda x: torch.tanh(x * tensor(SCALE) + tensor(ROW)),
    ),
    "affine without scale": (graph.Affine, {"shift": SHIFT}, (X,), lambda x: x + tensor(SHIFT)),
    "prelu": (
        graph.PRelu,
        {"slope": SCALE},
        (X,),
        lambda x: last(F.prelu(first(x), tensor(SCALE))),
    ),
    "add of three": (graph.Add, {}, (X, Y, X), lambda x, y, z: x + y + z),
    "binary": (
        graph.Binary,
        {"function": "sub", "activation": Activation("relu")},
        (X, Y[:, :1, :, :1]),
        lambda x, y: F.relu(x - y),
    ),
    "matmul": (
        graph.MatMul,
        {},
        (X, np.swapaxes(Y, 2, 3)),
        lambda x, y: x @ y,
    ),
    "softmax": (graph.Softmax, {}, (X,), lambda x: x.softmax(-1)),
    "reduce": (
        graph.Reduce,
        {"function": "max", "axes": (0, -1)},
        (X,),
        lambda x: x.amax((1, 3), keepdim=True),
    ),
    "pool max": (
        graph.Pool,
        {"function": "max", "geometry": Geometry.forward((4, 6), (3, 3), 2, 1)},
        (X,),
        lambda x: last(F.max_pool2d(first(x), 3, 2, 1)),
    ),
    "pool mean outside": (
        graph.Pool,
        {
            "function": "mean",
            "geometry": Geometry.forward((4, 6), (3, 3), 2, 1),
            "count_outside": True,
        },
        (X,),
        lambda x: last(F.avg_pool2d(first(x), 3, 2, 1)),
    ),
    "concat of an inner axis": (
        graph.Concat,
        {"axis": 1},
        (X, Y[:, :, :2]),
        lambda x, y: torch.cat([x, y], 2),
    ),
    "slice": (
        graph.Slice,
        {"begin": (3, 0, 1), "sizes": (4, 3, 3), "step": (-1, 2, 2)},
        (X,),
        lambda x: x.flip(1)[:, :, ::2, 1:7:2],
    ),
    "pad": (
        graph.Pad,
        {"before": (1, 0, 0), "after": (2, 3, 0), "mode": "reflect"},
        (X,),
        lambda x: last(F.pad(first(x), (0, 3, 1, 2), mode="reflect")),
    ),
    "pad with a number": (
        graph.Pad,
        {"before": (0, 0, 1), "after": (0, 0, 2), "value": 3.0},
        (X,),
        lambda x: F.pad(x, (1, 2), value=3.0),
    ),
    "resample": (
        graph.Resample,
        {"matrices": (MATRIX, None)},
        (X,),
        lambda x: torch.einsum("no,bohc->bnhc", tensor(MATRIX), x),
    ),
    "group norm": (
        graph.InstanceNorm,
        {"scale": SCALE, "shift": SHIFT, "groups": 2},
        (X,),
        lambda x: last(F.group_norm(first(x), 2, tensor(SCALE), tensor(SHIFT))),
    ),
    "layer norm": (
        graph.LayerNorm,
        {"scale": SCALE, "shift": SHIFT, "epsilon": 1e-3},
        (X,),
        lambda x: F.layer_norm(x, (8,), tensor(SCALE), tensor(SHIFT), 1e-3),
    ),
    "embedding of a sequence": (
        graph.Embedding,
        {"table": TABLE},
        (LOOKUP,),
        lambda index: F.embedding(index, tensor(TABLE)),
    ),
    "elementwise": (
        graph.Elementwise,
        {"activation": Activation("clip", -0.25, float("inf"))},
        (X,),
        lambda x: x.clamp(min=-0.25),
    ),
}


def single(
    kind: type[Operation], fields: dict[str, Any], inputs: tuple[Array, ...], shape: Any
) -> Program:
    values = tuple(
        Value(f"x{i}", array.shape[1:], "int64" if array.dtype == np.int64 else "float32")
        for i, array in enumerate(inputs)
    )
    out = Value("y", tuple(shape))
    operation = kind(
        name="op", inputs=tuple(value.name for value in values), outputs=("y",), **fields
    )
    named = {value.name: value for value in (*values, out)}
    return Program("one", values, (out,), (operation,), named)


@pytest.mark.parametrize("name", CASES)
def test_against_torch(name: str) -> None:
    kind, fields, inputs, function = CASES[name]
    tensors = [torch.from_numpy(array.copy()) for array in inputs]
    expected = function(*(x if x.dtype == torch.int64 else x.double() for x in tensors))
    program = single(kind, fields, inputs, expected.shape[1:])
    made = execute(program, {f"x{i}": array for i, array in enumerate(inputs)})["y"]
    np.testing.assert_allclose(made, expected.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_empty_batch(name: str) -> None:
    kind, fields, inputs, function = CASES[name]
    one = [torch.from_numpy(array[:1].copy()) for array in inputs]
    shape = function(*(x if x.dtype == torch.int64 else x.double() for x in one)).shape[1:]
    program = single(kind, fields, inputs, shape)
    made = execute(program, {f"x{i}": array[:0] for i, array in enumerate(inputs)})["y"]
    assert made.shape == (0, *shape)


def test_constant_takes_the_batch_of_the_inputs() -> None:
    x, y, z = Value("x", (8,)), Value("y", (8,)), Value("z", (8,))
    operations = (
        graph.Constant(name="c", inputs=(), outputs=("y",), value=SHIFT),
        graph.Add(name="a", inputs=("x", "y"), outputs=("z",)),
    )
    program = Program("shifted", (x,), (z,), operations, {"x": x, "y": y, "z": z})
    np.testing.assert_array_equal(
        execute(program, {"x": X[:, 0, 0]})["z"], X[:, 0, 0] + SHIFT.astype(float)
    )
    alone = Program("constant", (), (y,), operations[:1], {"y": y})
    assert execute(alone, {})["y"].shape == (1, 8)


def test_an_input_without_batch_is_everyones() -> None:
    x = Value("x", (8,))
    shared = Value("s", (8,), layout=Layout(source=(8,), axes=(0,), batch=None))
    z = Value("z", (8,))
    add = graph.Add(name="a", inputs=("x", "s"), outputs=("z",))
    program = Program("shared", (x, shared), (z,), (add,), {"x": x, "s": shared, "z": z})
    made = execute(program, {"x": X[:, 0, 0], "s": SHIFT[None]})["z"]
    np.testing.assert_array_equal(made, X[:, 0, 0] + SHIFT.astype(float))
    with pytest.raises(ValueError, match=r"shape \[3, 8\]; shared takes \[1, 8\]"):
        execute(program, {"x": X[:, 0, 0], "s": X[:, 0, 0]})
