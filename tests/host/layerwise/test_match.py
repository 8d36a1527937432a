from __future__ import annotations

import numpy as np
import pytest

from engine.layerwise.arrange import arranged
from engine.layerwise.layers import Layer, Reading, Step, grouped, stem
from engine.layerwise.match import match


def layer(
    name: str, *shapes: tuple[int, ...], operator: str = "Conv", weight: str = "", tensor: str = ""
) -> Layer:
    readings = tuple(Reading(tensor, np.zeros((2, *shape))) for shape in shapes)
    return Layer(name, operator, weight, readings)


def names(a: list[Layer], b: list[Layer]) -> tuple[list[tuple[str, str]], list[str]]:
    pairs, left = match(a, b)
    return [(pair.a.name, pair.b.name) for pair in pairs], [lone.layer.name for lone in left]


def test_steps_belong_to_the_product_before_them() -> None:
    steps = [
        Step("cast", "Cast", False, ("w",), ("half",)),
        Step("norm", "Norm", False, ("z",), ("n",)),
        Step("one", "Conv", True, ("n", "half"), ("c1",)),
        Step("skip", "Conv", True, ("n",), ("c2",)),
        Step("add", "Add", False, ("c1", "c2"), ("sum",)),
        Step("late", "Relu", False, ("c1",), ("r1",)),
    ]
    groups = grouped(steps, ["z"])
    assert [group.product and group.product.name for group in groups] == [None, "one", "skip"]
    assert [group.makes for group in groups] == [("n",), ("c1", "r1"), ("c2", "sum")]


@pytest.mark.parametrize(
    ("weight", "found"),
    [
        ("layers.3.weight", "layers.3"),
        ("layers.3.weight.fp16", "layers.3"),
        ("layers.3.weight_quantized", "layers.3"),
        ("onnx::MatMul_45", ""),
        ("layers.3.bias", ""),
    ],
)
def test_stems(weight: str, found: str) -> None:
    assert stem(weight) == found


def test_names_of_values_come_first() -> None:
    a = [layer("p", (4,), tensor="x"), layer("q", (4,), tensor="y")]
    b = [layer("r", (4,), tensor="y"), layer("s", (4,), tensor="x")]
    assert names(a, b) == ([("p", "s"), ("q", "r")], [])
    # A name that was given again, to something else, says nothing.
    b = [layer("r", (9,), tensor="x"), layer("s", (4,))]
    assert names(a, b) == ([], ["p", "q", "r", "s"])


def test_names_of_weights_come_next_unless_they_serve_twice() -> None:
    a = [layer("p", (4,), weight="u"), layer("q", (4,), weight="v")]
    b = [layer("r", (4,), weight="v"), layer("s", (4,), weight="u")]
    assert names(a, b) == ([("p", "s"), ("q", "r")], [])
    shared = [layer("p", (4,), weight="u"), layer("q", (4,), weight="u")]
    assert names(shared, b) == ([("p", "r"), ("q", "s")], [])


@pytest.mark.parametrize(
    ("ours", "theirs", "pairs"),
    [
        ([(4,), (8,)], [(4,), (8,)], 2),
        ([(4,), (8,)], [(8,), (4,)], 0),
        ([(4,), (9,), (8,)], [(4,), (8,)], 2),
        ([(4,), (4,), (8,)], [(4,), (8,)], 0),
        ([(4,), (8,)], [(4,), (5,), (8,)], 2),
    ],
    ids=["same", "other order", "one more", "two ways", "one more in B"],
)
def test_what_has_no_names_goes_by_order(
    ours: list[tuple[int, ...]], theirs: list[tuple[int, ...]], pairs: int
) -> None:
    a = [layer(f"a{index}", shape) for index, shape in enumerate(ours)]
    b = [layer(f"b{index}", shape) for index, shape in enumerate(theirs)]
    found, left = names(a, b)
    assert len(found) == pairs
    assert len(left) == len(a) + len(b) - 2 * pairs


def test_a_convolution_is_no_matrix_product_where_one_is_missing() -> None:
    a = [layer("conv", (4,)), layer("linear", (4,), operator="Gemm")]
    b = [layer("b", (4,), operator="linear")]
    assert names(a, b) == ([("linear", "b")], ["conv"])


def test_the_value_that_both_have_is_compared() -> None:
    """A Program upsamples in the next layer what PyTorch upsamples in this one."""
    (pair,), _ = match([layer("p", (8, 4, 4), (8, 8, 8))], [layer("q", (8, 4, 4))])
    assert pair.ours.array.shape == (2, 8, 4, 4)


@pytest.mark.parametrize(
    ("order", "shape"),
    [
        ((0, 3, 1, 2), (3, 4, 5)),
        ((0, 1, 2, 3), (3, 4, 5)),
        ((0, 2, 3, 1), (60,)),
        ((0, 1, 2, 3), (60,)),
    ],
    ids=["channels last", "as it is", "flat, channels last", "flat"],
)
def test_values_of_a_program_are_put_in_order(
    order: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    theirs = values.transpose(order)
    theirs = theirs.reshape(2, *shape) if len(shape) == 1 else theirs
    ours, found = arranged(Reading("", values), Reading("", theirs, loose=True))
    np.testing.assert_array_equal(ours, found)
    # Of another network the values agree in no order.
    other = np.random.default_rng(1).normal(size=theirs.shape)
    ours, found = arranged(Reading("", values), Reading("", other, loose=True))
    assert np.abs(ours - found).max() > 1
