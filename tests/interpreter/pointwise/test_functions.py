"""The public functions: through checks, allocation and launcher, on ordinary tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from kernels.geometry import Geometry
from kernels.pointwise.arithmetic import add, affine, binary, prelu
from kernels.pointwise.gather import embedding
from kernels.pointwise.moves import concat, depth_to_space, permute, take, upsample
from kernels.pointwise.normalisation import instance_norm, layer_norm
from kernels.pointwise.pad import pad
from kernels.pointwise.pooling import pool
from kernels.pointwise.reduction import reduce, softmax
from kernels.pointwise.resample import pack_matrix, resample
from kernels.reference.activation import activation

F = torch.nn.functional
WINDOW = Geometry.forward((4, 6), (2, 2), 2)
MATRIX = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0.25, 0.75]])


def first(x: torch.Tensor) -> torch.Tensor:
    """Channels first."""
    return x.movedim(-1, 1)


# By name: ours and torch's, both of x [batch, 4, 6, 8] float32.
FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "add": (lambda x: add(x, x, x, activation="relu"), lambda x: (3 * x).relu()),
    "binary": (lambda x: binary("mul", x, x), lambda x: x * x),
    "affine": (lambda x: affine(x, x.new_ones(8), x.new_ones(8)), lambda x: x + 1),
    "prelu": (lambda x: prelu(x, x.new_full((8,), 0.5)), lambda x: F.leaky_relu(x, 0.5)),
    "permute": (lambda x: permute(x, (2, 0, 1)), first),
    "take": (lambda x: take(x, (0, 5, 0), (4, 6, 8), (1, -1, 1)), lambda x: x.flip(2)),
    "concat": (lambda x: concat([x, x]), lambda x: torch.cat([x, x], -1)),
    "concat rows": (lambda x: concat([x, x], 0), lambda x: torch.cat([x, x], 1)),
    "upsample": (
        lambda x: upsample(x, (2, 3)),
        lambda x: x.repeat_interleave(2, 1).repeat_interleave(3, 2),
    ),
    "depth_to_space": (
        lambda x: depth_to_space(x, (2, 2), True),
        lambda x: F.pixel_shuffle(first(x), 2).movedim(1, -1),
    ),
    "pad": (lambda x: pad(x, (1, 2, 0), (0, 3, 0)), lambda x: F.pad(x, (0, 0, 2, 3, 1, 0))),
    "instance_norm": (
        lambda x: instance_norm(x),
        lambda x: F.instance_norm(first(x)).movedim(1, -1),
    ),
    "group_norm": (
        lambda x: instance_norm(x, groups=2),
        lambda x: F.group_norm(first(x), 2).movedim(1, -1),
    ),
    "layer_norm": (layer_norm, lambda x: F.layer_norm(x, (8,))),
    "pool max": (
        lambda x: pool("max", x, WINDOW),
        lambda x: F.max_pool2d(first(x), 2).movedim(1, -1),
    ),
    "pool mean": (
        lambda x: pool("mean", x, WINDOW),
        lambda x: F.avg_pool2d(first(x), 2).movedim(1, -1),
    ),
    "reduce": (lambda x: reduce("mean", x, (0, 1)), lambda x: x.mean((1, 2), keepdim=True)),
    "reduce channels": (lambda x: reduce("max", x, (-1,)), lambda x: x.amax(-1, keepdim=True)),
    "softmax": (softmax, lambda x: x.softmax(-1)),
    "resample": (
        lambda x: resample(x, pack_matrix(MATRIX, "cpu"), 0),
        lambda x: torch.einsum("no,bohc->bnhc", torch.from_numpy(MATRIX).to(x), x),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_against_torch(name: str) -> None:
    ours, theirs = FUNCTIONS[name]
    torch.manual_seed(3)
    x = torch.randn(2, 4, 6, 8)
    before = x.clone()
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "norm" not in name])
def test_empty_batch(name: str) -> None:
    ours, theirs = FUNCTIONS[name]
    x = torch.randn(0, 4, 6, 8)
    assert ours(x).shape == theirs(x).shape


@pytest.mark.parametrize("name", ["instance_norm", "group_norm", "layer_norm"])
def test_empty_batch_of_norms(name: str) -> None:
    assert FUNCTIONS[name][0](torch.randn(0, 4, 6, 8)).shape == (0, 4, 6, 8)


@pytest.mark.parametrize(
    ("name", "reached"),
    [
        pytest.param("add", 1, id="add"),
        pytest.param("affine", 1, id="affine"),
        pytest.param("prelu", 1, id="prelu"),
        pytest.param("upsample", 6, id="upsample"),
        pytest.param("instance_norm", 24, id="instance_norm"),
        pytest.param("layer_norm", 8, id="layer_norm"),
        pytest.param("pool max", 1, id="pool_max"),
        pytest.param("pool mean", 1, id="pool_mean"),
        pytest.param("reduce", 1, id="reduce_mean"),
        pytest.param("reduce channels", 1, id="reduce_max"),
        pytest.param("softmax", 8, id="softmax"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_goes_where_it_must_and_nowhere_else(name: str, reached: int) -> None:
    x = torch.zeros(2, 4, 6, 8)
    x[1, 2, 3, 4] = float("nan")
    out = FUNCTIONS[name][0](x)
    assert torch.isnan(out).sum() == reached
    assert not torch.isnan(out[0]).any()


def test_embedding() -> None:
    table = torch.randn(5, 3, 8)
    index = torch.tensor([[4, 0], [2, 2]])
    assert torch.equal(embedding(index, table), table[index])
    assert embedding(index[:0], table).shape == (0, 2, 3, 8)


def test_rows_that_are_not_in_the_table_are_nan() -> None:
    out = embedding(torch.tensor([-1, 1, 5, 2**40]), torch.ones(5, 3))
    assert torch.isnan(out).all(1).tolist() == [True, False, True, True]


def test_a_given_output_is_used() -> None:
    x, out = torch.randn(2, 3, 8), torch.full((2, 3, 8), float("nan"))
    assert affine(x, activation="relu", out=out) is out
    assert torch.equal(out, x.relu())


@pytest.mark.parametrize("name", ["affine", "softmax", "layer_norm"])
def test_an_output_may_be_the_input_where_programs_read_what_they_write(name: str) -> None:
    x = torch.randn(3, 8)
    ours = {"affine": affine, "softmax": softmax, "layer_norm": layer_norm}[name]
    expected = ours(x)
    assert ours(x, out=x) is x
    assert torch.equal(x, expected)


def test_activations_of_infinity() -> None:
    x = torch.tensor([[float("-inf"), float("inf"), float("nan")]])
    for kind in ("softplus", "tanh", "sigmoid", "relu", "elu"):
        expected = activation(x.double().numpy(), kind, 1.0)
        np.testing.assert_array_equal(affine(x, activation=kind, alpha=1.0).numpy(), expected)


def test_a_packed_matrix_has_only_its_taps() -> None:
    weight, place = pack_matrix(MATRIX, "cpu")
    assert weight.tolist() == [[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]]
    assert place.tolist() == [[0, 0], [0, 1], [2, 3]]


def test_uncast_types() -> None:
    """The output has the type of x; vectors may have another."""
    x = torch.randn(2, 3, 8).to(torch.bfloat16)
    assert affine(x, torch.ones(8), torch.ones(8)).dtype == torch.bfloat16
