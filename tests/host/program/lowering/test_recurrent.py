from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.core.errors import ExportError
from engine.program.lowering import lower
from tests.host.program.lowering.support import BATCH, agree, floats, kinds, model, node, only

GATES = {"LSTM": 4, "GRU": 3}
SEQUENCE = {"x": [6, BATCH, 4]}


def weights(operator: str, ways: int) -> dict[str, np.ndarray]:
    gates = GATES[operator]
    return {
        "w": floats(ways, gates * 5, 4),
        "r": floats(ways, gates * 5, 5, seed=1),
        "b": floats(ways, 2 * gates * 5, seed=2),
    }


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_all_outputs(operator: str, direction: str) -> None:
    outputs = ["y", "h", "c"] if operator == "LSTM" else ["y", "h"]
    attributes: dict[str, Any] = {"hidden_size": 5, "direction": direction}
    nodes = [node(operator, ["x", "w", "r", "b"], outputs, **attributes)]
    ways = 2 if direction == "bidirectional" else 1
    program = agree(model(nodes, SEQUENCE, weights(operator, ways), outputs=outputs))
    assert kinds(program).count("recurrent") == ways
    assert program.outputs[0].layout.batch == 2


@pytest.mark.parametrize("before", [0, 1], ids=["standard", "PyTorch"])
def test_gru_reset_before_or_after_its_product(before: int) -> None:
    nodes = [node("GRU", ["x", "w", "r", "b"], ["y"], hidden_size=5, linear_before_reset=before)]
    program = agree(model(nodes, SEQUENCE, weights("GRU", 1)))
    assert only(program, "recurrent").linear_before_reset == bool(before)


@pytest.mark.parametrize("operator", GATES)
def test_states_that_come_in_and_go_out(operator: str) -> None:
    states = ["h0", "c0"] if operator == "LSTM" else ["h0"]
    outputs = ["y", "h", "c"] if operator == "LSTM" else ["y", "h"]
    nodes = [node(operator, ["x", "w", "r", "b", "", *states], outputs, hidden_size=5)]
    inputs = {**SEQUENCE, **{name: [1, BATCH, 5] for name in states}}
    program = agree(model(nodes, inputs, weights(operator, 1), outputs=outputs))
    assert len(only(program, "recurrent").inputs) == 1 + len(states)
    assert [value.layout.batch for value in program.inputs] == [1] * (1 + len(states))


def test_zero_states_of_the_batch_are_left_out() -> None:
    nodes = [
        node("Shape", ["x"], "n", start=1, end=2),
        node("Concat", ["one", "n", "five"], "s", axis=0),
        node("ConstantOfShape", ["s"], "zeros"),
        node("LSTM", ["x", "w", "r", "b", "", "zeros", "zeros"], ["y"], hidden_size=5),
    ]
    constants = {**weights("LSTM", 1), "one": [1], "five": [5]}
    assert only(agree(model(nodes, SEQUENCE, constants)), "recurrent").inputs == ("x",)


def test_a_learned_state_is_a_constant() -> None:
    nodes = [node("GRU", ["x", "w", "r", "b", "", "h0"], ["y"], hidden_size=5)]
    constants = {**weights("GRU", 1), "h0": floats(1, 1, 5, seed=3)}
    proto = model(nodes, {"x": [6, 1, 4]}, constants)
    program = agree(proto)
    np.testing.assert_array_equal(only(program, "constant").value, floats(1, 1, 5, seed=3)[0, 0])


def test_a_fixed_batch_is_found_where_the_operator_has_it() -> None:
    nodes = [node("GRU", ["x", "w", "r", "b", "", "h0"], ["y", "h"], hidden_size=5)]
    inputs = {"h0": [1, 1, 5], "x": [6, 1, 4]}
    program = agree(model(nodes, inputs, weights("GRU", 1), outputs=["y", "h"]))
    assert [value.shape for value in program.inputs] == [(1, 5), (6, 4)]


def test_a_fixed_batch_is_found_behind_a_slice_of_the_states() -> None:
    nodes = [
        node("Slice", ["h0", "one", "two"], "h1"),
        node("GRU", ["x", "w", "r", "b", "", "h1"], ["y"], hidden_size=5),
    ]
    constants = {**weights("GRU", 1), "one": [1], "two": [2]}
    program = agree(model(nodes, {"x": [6, 1, 4], "h0": [2, 1, 5]}, constants))
    assert [value.layout.batch for value in program.inputs] == [1, 1]


REFUSED = {
    "activations": ({"activations": ["Relu", "Tanh"]}, "activations .* are not supported"),
    "clip": ({"clip": 3.0}, "clip=3.0 is not supported"),
}


@pytest.mark.parametrize(("attributes", "reason"), REFUSED.values(), ids=REFUSED)
def test_other_cells_are_refused(attributes: dict[str, Any], reason: str) -> None:
    nodes = [node("GRU", ["x", "w", "r", "b"], ["y"], hidden_size=5, **attributes)]
    with pytest.raises(ExportError, match=f"'node_y' \\(GRU\\): {reason}"):
        lower(model(nodes, SEQUENCE, weights("GRU", 1)))


def test_sequences_of_different_lengths_are_refused() -> None:
    nodes = [node("GRU", ["x", "w", "r", "b", "lengths"], ["y"], hidden_size=5)]
    constants = {**weights("GRU", 1), "lengths": np.array([6, 4], np.int32)}
    with pytest.raises(ExportError, match="different lengths"):
        lower(model(nodes, SEQUENCE, constants))
