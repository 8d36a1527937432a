from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.core.errors import ExportError
from engine.program.lowering import lower
from tests.host.program.lowering.support import BATCH, agree, floats, kinds, model, node, only

ONE = {
    "Relu": {},
    "Tanh": {},
    "Sigmoid": {},
    "LeakyRelu": {"alpha": 0.3},
    "Softplus": {},
    "Softsign": {},
    "HardSwish": {},
    "Mish": {},
    "Exp": {},
    "Abs": {},
    "Neg": {},
    "Erf": {},
    "Sin": {},
    "Cos": {},
    "Floor": {},
    "Ceil": {},
    "Round": {},
    "Sign": {},
    "Elu": {"alpha": 0.7},
    "Celu": {"alpha": 0.7},
    "ThresholdedRelu": {"alpha": 0.5},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "Selu": {},
    "Gelu": {"approximate": "tanh"},
}


@pytest.mark.parametrize(("operator", "attributes"), ONE.items(), ids=ONE)
def test_functions_of_one_element(operator: str, attributes: dict[str, Any]) -> None:
    program = agree(model([node(operator, ["x"], "y", **attributes)], {"x": [BATCH, 3, 4, 5]}))
    assert kinds(program) == ["elementwise"]


@pytest.mark.parametrize("operator", ["Sqrt", "Log", "Reciprocal"])
def test_functions_of_positive_numbers(operator: str) -> None:
    proto = model([node("Exp", ["x"], "e"), node(operator, ["e"], "y")], {"x": [BATCH, 3]})
    agree(proto)


CHAINS = {
    "silu": [("Sigmoid", ["x"], "s"), ("Mul", ["s", "x"], "y")],
    "mish": [("Softplus", ["x"], "a"), ("Tanh", ["a"], "s"), ("Mul", ["x", "s"], "y")],
    "gelu": [
        ("Div", ["x", "root"], "d"),
        ("Erf", ["d"], "e"),
        ("Add", ["e", "one"], "s"),
        ("Mul", ["x", "s"], "m"),
        ("Mul", ["m", "half"], "y"),
    ],
    "softplus": [
        ("Softplus", ["x"], "s"),
        ("Greater", ["x", "twenty"], "g"),
        ("Where", ["g", "x", "s"], "y"),
    ],
}


@pytest.mark.parametrize(("name", "chain"), CHAINS.items(), ids=CHAINS)
def test_functions_that_exporters_spell_out(name: str, chain: list[Any]) -> None:
    numbers = {"root": np.sqrt(2), "one": 1.0, "half": 0.5, "twenty": 20.0}
    constants = {key: np.array(value, np.float32) for key, value in numbers.items()}
    proto = model([node(*step) for step in chain], {"x": [BATCH, 3, 4, 5]}, constants)
    assert only(agree(proto), "elementwise").activation.kind == name


@pytest.mark.parametrize(
    ("attributes", "constants", "opset"),
    [({"min": -0.5, "max": 0.7}, {}, 10), ({}, {"low": -0.5, "high": 0.7}, 13)],
    ids=["attributes", "inputs"],
)
def test_clip(attributes: dict[str, float], constants: dict[str, float], opset: int) -> None:
    arrays = {name: np.float32(value) for name, value in constants.items()}
    proto = model(
        [node("Clip", ["x", *constants], "y", **attributes)], {"x": [BATCH, 9]}, arrays, opset=opset
    )
    activation = only(agree(proto), "elementwise").activation
    assert (activation.alpha, activation.beta) == pytest.approx((-0.5, 0.7))


def test_prelu_per_channel_and_for_all() -> None:
    for slope, kind in (
        (floats(3, 1, 1), "prelu"),
        (np.full((3, 1, 1), 0.2, np.float32), "elementwise"),
    ):
        proto = model([node("PRelu", ["x", "s"], "y")], {"x": [BATCH, 3, 4, 5]}, {"s": slope})
        assert kinds(agree(proto)) == [kind]


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@pytest.mark.parametrize(
    "shape", [(), (3, 1, 1), (1, 3, 4, 5), (4, 1)], ids=["number", "channel", "map", "rows"]
)
@pytest.mark.parametrize("swapped", [False, True], ids=["right", "left"])
def test_arithmetic_with_constants(operator: str, shape: tuple[int, ...], swapped: bool) -> None:
    constant = np.abs(floats(*shape)) + np.float32(0.5)
    # Away from zero, where a quotient has no bound.
    nodes = [
        node("Exp", ["x"], "e"),
        node(operator, ["k", "e"] if swapped else ["e", "k"], "y"),
    ]
    agree(model(nodes, {"x": [BATCH, 3, 4, 5]}, {"k": constant}))


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 1, 1), (1, 4, 1)], ids=["map", "channel", "row"])
def test_arithmetic_of_tensors(operator: str, shape: tuple[int, ...]) -> None:
    nodes = [node("Exp", ["b"], "e"), node(operator, ["a", "e"], "y")]
    program = agree(model(nodes, {"a": [BATCH, 3, 4, 5], "b": [BATCH, *shape]}))
    assert kinds(program)[-1] == ("add" if (operator, shape) == ("Add", (3, 4, 5)) else "binary")


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0, -1.0, 1.5])
def test_powers(exponent: float) -> None:
    nodes = [node("Exp", ["x"], "e"), node("Pow", ["e", "p"], "y")]
    agree(model(nodes, {"x": [BATCH, 7]}, {"p": np.float32(exponent)}))


def test_a_residual_connection_ends_with_its_activation() -> None:
    nodes = [
        node("Conv", ["x", "w"], "a", pads=[1, 1, 1, 1]),
        node("Add", ["a", "x"], "s"),
        node("Relu", ["s"], "y"),
    ]
    program = agree(model(nodes, {"x": [BATCH, 3, 4, 5]}, {"w": floats(3, 3, 3, 3)}))
    assert kinds(program) == ["convolution", "add"]
    assert program.operations[-1].activation.kind == "relu"


def test_a_value_that_is_read_twice_keeps_its_activation_apart() -> None:
    nodes = [
        node("Gemm", ["x", "w"], "a"),
        node("Tanh", ["a"], "t"),
        node("Add", ["a", "t"], "y"),
    ]
    program = agree(model(nodes, {"x": [BATCH, 3]}, {"w": floats(3, 4)}))
    assert kinds(program) == ["linear", "elementwise", "add"]


def test_casts_between_floats_do_nothing_and_others_are_refused() -> None:
    nodes = [node("Cast", ["x"], "h", to=11), node("Cast", ["h"], "y", to=1)]
    program = agree(model(nodes, {"x": [BATCH, 3]}))
    assert kinds(program) == ["reshape"]
    with pytest.raises(ExportError, match="a cast of float32 to INT64"):
        lower(model([node("Cast", ["x"], "y", to=7)], {"x": [BATCH, 3]}))


@pytest.mark.parametrize("near", [True, False])
def test_interpolation_as_torch_writes_it(near: bool) -> None:
    """torch.lerp: one of two formulas by the weight, which is a number of the model."""
    proto = model(
        [
            node("Tanh", ["x"], "a"),
            node("Sub", ["x", "a"], "d"),
            node("Mul", ["d", "weight"], "wd"),
            node("Add", ["a", "wd"], "from_a"),
            node("Mul", ["d", "rest"], "rd"),
            node("Sub", ["x", "rd"], "from_x"),
            node("Where", ["near", "from_a", "from_x"], "y"),
        ],
        {"x": [BATCH, 3, 4, 5]},
        {"near": np.array(near), "weight": np.float32(0.3), "rest": np.float32(0.7)},
    )
    assert len(agree(proto).operations) == 4


def test_a_choice_of_the_smaller_side_is_as_wide_as_both() -> None:
    proto = model(
        [node("GlobalMaxPool", ["x"], "m"), node("Where", ["no", "x", "m"], "y")],
        {"x": [BATCH, 3, 4, 5]},
        {"no": np.zeros((1, 1, 4, 1), bool)},
    )
    agree(proto)
