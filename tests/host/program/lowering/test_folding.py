from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import NumericalError
from engine.program.lowering import lower
from tests.host.program.lowering.support import BATCH, agree, floats, kinds, model, node, only

STATISTICS = {
    "scale": floats(4, seed=1),
    "shift": floats(4, seed=2),
    "mean": floats(4, seed=3),
    "variance": np.abs(floats(4, seed=4)) + 0.5,
}
NORM = ["scale", "shift", "mean", "variance"]
WEIGHTS = {
    "Conv": floats(4, 3, 3, 3),
    "ConvTranspose": floats(3, 4, 3, 3),
    "Gemm": floats(3, 4),
}


@pytest.mark.parametrize("operator", WEIGHTS)
@pytest.mark.parametrize("biased", [False, True], ids=["no bias", "bias"])
def test_batch_norm_and_activation_after_a_layer(operator: str, biased: bool) -> None:
    inputs = ["x", "w", "b"] if biased else ["x", "w"]
    proto = model(
        [
            node(operator, inputs, "a"),
            node("BatchNormalization", ["a", *NORM], "n", epsilon=1e-3),
            node("LeakyRelu", ["n"], "y", alpha=0.2),
        ],
        {"x": [BATCH, 3] if operator == "Gemm" else [BATCH, 3, 4, 5]},
        {"w": WEIGHTS[operator], "b": floats(4, seed=5), **STATISTICS},
    )
    program = agree(proto)
    assert kinds(program) == ["linear" if operator == "Gemm" else "convolution"]
    (operation,) = program.operations
    assert operation.activation.kind == "leaky_relu"
    assert operation.activation.alpha == pytest.approx(0.2)
    assert operation.weight.dtype == np.float32


def test_folding_loses_no_more_than_one_rounding() -> None:
    proto = model(
        [
            node("Gemm", ["x", "w"], "a"),
            node("BatchNormalization", ["a", *NORM], "n"),
            node("Mul", ["n", "k"], "m"),
            node("Add", ["m", "k"], "y"),
        ],
        {"x": [BATCH, 3]},
        {"w": WEIGHTS["Gemm"], "k": floats(1, 4, seed=6), **STATISTICS},
    )
    (operation,) = agree(proto).operations
    doubles = {name: array.astype(np.float64) for name, array in STATISTICS.items()}
    factor = doubles["scale"] / np.sqrt(doubles["variance"] + np.float64(np.float32(1e-5)))
    k = floats(1, 4, seed=6)[0].astype(np.float64)
    weight = WEIGHTS["Gemm"].astype(np.float64) * (factor * k)
    shift = (doubles["shift"] - doubles["mean"] * factor) * k + k
    np.testing.assert_array_almost_equal_nulp(operation.weight, weight.astype(np.float32), 1)
    np.testing.assert_array_almost_equal_nulp(operation.shift, shift.astype(np.float32), 1)


def test_scale_before_a_layer_goes_into_its_rows() -> None:
    proto = model(
        [
            node("Mul", ["x", "k"], "m"),
            node("Sub", ["m", "c"], "s"),
            node("Conv", ["s", "w"], "y", group=2),
        ],
        {"x": [BATCH, 4, 4, 4]},
        {"k": floats(4, 1, 1), "c": floats(4, 1, 1, seed=1), "w": floats(6, 2, 2, 3)},
    )
    assert kinds(agree(proto)) == ["convolution"]


def test_a_shift_before_a_padded_layer_stays_because_the_surroundings_are_zero() -> None:
    nodes = [node("Add", ["x", "c"], "s"), node("Conv", ["s", "w"], "y", pads=[1, 1, 1, 1])]
    constants = {"c": floats(4, 1, 1), "w": floats(2, 4, 3, 3)}
    assert kinds(agree(model(nodes, {"x": [BATCH, 4, 4, 4]}, constants))) == [
        "affine",
        "convolution",
    ]


def test_batch_norm_between_flatten_and_linear() -> None:
    statistics = {
        "scale": floats(12, seed=1),
        "shift": floats(12, seed=2),
        "mean": floats(12, seed=3),
        "variance": np.abs(floats(12, seed=4)) + 0.5,
    }
    proto = model(
        [
            node("Conv", ["x", "w"], "a"),
            node("Flatten", ["a"], "f"),
            node("BatchNormalization", ["f", *NORM], "n"),
            node("Gemm", ["n", "v"], "y"),
        ],
        {"x": [BATCH, 2, 3, 4]},
        {"w": floats(2, 2, 2, 2), "v": floats(12, 5), **statistics},
    )
    assert kinds(agree(proto)) == ["convolution", "reshape", "linear"]


def test_spectral_norm_is_computed_once() -> None:
    """sigma = u . (W v), as torch.nn.utils.spectral_norm exports it."""
    proto = model(
        [
            node("Reshape", ["w", "flat"], "m"),
            node("MatMul", ["m", "v"], "wv"),
            node("Mul", ["u", "wv"], "uwv"),
            node("ReduceSum", ["uwv"], "sigma", keepdims=0),
            node("Div", ["w", "sigma"], "normed"),
            node("Conv", ["x", "normed"], "y"),
        ],
        {"x": [BATCH, 3, 4, 4]},
        {"w": floats(4, 3, 3, 3), "flat": [4, -1], "v": floats(27), "u": floats(4, seed=2)},
    )
    assert kinds(agree(proto)) == ["convolution"]


def test_weights_in_half_precision() -> None:
    proto = model(
        [node("Cast", ["w"], "w32", to=1), node("Gemm", ["x", "w32"], "y", transB=1, alpha=0.5)],
        {"x": [BATCH, 3]},
        {"w": floats(4, 3).astype(np.float16)},
    )
    operation = only(agree(proto), "linear")
    expected = floats(4, 3).astype(np.float16).astype(np.float32).T * np.float32(0.5)
    assert np.array_equal(operation.weight, expected)


def test_numbers_without_axes_are_arrays_as_well() -> None:
    """Affines that fold into each other leave numpy's scalars, which no count of weights sees."""
    proto = model(
        [
            node("Relu", ["x"], "a"),
            node("Mul", ["a", "two"], "b"),
            node("Sub", ["one", "b"], "c"),
            node("Relu", ["c"], "y"),
        ],
        {"x": [BATCH, 3]},
        {"one": np.float32(1), "two": np.float32(2)},
    )
    affine = only(agree(proto), "affine")
    for array in (affine.scale, affine.shift):
        assert isinstance(array, np.ndarray)
        assert (array.dtype, array.shape) == (np.float32, ())


@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=["NaN", "infinity"])
def test_weights_that_are_no_numbers_are_named(bad: float) -> None:
    weight = floats(3, 4)
    weight[1, 2] = bad
    proto = model([node("Gemm", ["x", "w"], "y")], {"x": [BATCH, 3]}, {"w": weight})
    refused = "^small: linear 'node_y': its weight holds NaN or infinity"
    with pytest.raises(NumericalError, match=refused):
        lower(proto)
