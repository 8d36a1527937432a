"""LSTM and GRU against the float64 reference, on every instruction set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.native import library
from kernels.native.network import Form, Network, Space, Value
from kernels.reference.recurrent import GATES, Cell, Weights, sequence
from tests.cases.native import assert_close, check_canaries, guarded, run_operation

Array = NDArray[Any]
# Sums of float32 one after the other, and functions within 4 units, over a few steps.
BOUND = 1e-5
SIZES = {
    "one_step": (1, 3, 5),
    "smallest": (2, 1, 1),
    "odd": (4, 7, 33),
    "whole_vectors": (3, 16, 32),
    "wide": (2, 40, 70),
}
VARIANTS: dict[str, tuple[Cell, bool]] = {
    "lstm": ("lstm", True),
    "gru": ("gru", True),
    "gru_reset_first": ("gru", False),
}


def make_weights(cell: Cell, features: int, hidden: int) -> Weights:
    random = np.random.default_rng(features * 100 + hidden)
    width = GATES[cell] * hidden
    spread = 1.0 / np.sqrt(hidden)
    shapes = ((features, width), (hidden, width), (width,), (width,))
    arrays = [(random.uniform(-1, 1, s) * spread).astype(np.float32) for s in shapes]
    return Weights(cell, *arrays)


def operation(weights: Weights, time: int, reverse: bool, linear: bool) -> dict[str, Any]:
    """What the kind takes beside values."""
    integers = [int(weights.cell == "gru"), int(reverse), int(linear)]
    integers += [time, weights.weight.shape[0], weights.hidden]
    arrays = [weights.weight, weights.recurrent, weights.bias, weights.recurrent_bias]
    return {"integers": integers, "arrays": arrays}


def states(cell: Cell, images: int, hidden: int) -> list[Array]:
    random = np.random.default_rng(hidden)
    count = 2 if cell == "lstm" else 1
    return [random.uniform(-1, 1, (images, hidden)).astype(np.float32) for _ in range(count)]


def check(
    variant: tuple[Cell, bool],
    sizes: tuple[int, int, int],
    form: Form,
    instruction_set: str,
    *,
    images: int = 3,
    reverse: bool = False,
    begun: bool = True,
    **options: Any,
) -> tuple[Array, ...]:
    (cell, linear), (time, features, hidden) = variant, sizes
    weights = make_weights(cell, features, hidden)
    x = np.random.default_rng(1).standard_normal((images, time, features)).astype(np.float32)
    first = states(cell, images, hidden) if begun else []
    last = [(hidden,)] * (2 if cell == "lstm" else 1)
    actual = run_operation(
        "recurrent",
        [x, *(s[:, None] for s in first)],
        [(time, hidden), *((1, *s) for s in last)],
        form=form,
        capacity=16 if form == Form.LANES else images,
        instruction_set=instruction_set,
        **operation(weights, time, reverse, linear),
        **options,
    )
    out, h, c = sequence(x, weights, *first, reverse=reverse, linear_before_reset=linear)
    assert_close(actual[0], out, BOUND, 1.0)
    assert_close(actual[1][:, 0], h, BOUND, 1.0)
    if c is not None:
        assert_close(actual[2][:, 0], c, BOUND, 1.0)
    return tuple(actual)


@pytest.mark.parametrize("form", [Form.LANES, Form.PLAIN], ids=lambda f: f.name)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_cells(
    variant: tuple[Cell, bool], sizes: tuple[int, int, int], form: Form, instruction_set: str
) -> None:
    check(variant, sizes, form, instruction_set)


@pytest.mark.parametrize("begun", [False, True], ids=["zeros", "states"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_directions_and_first_states(
    variant: tuple[Cell, bool], reverse: bool, begun: bool, instruction_set: str
) -> None:
    for form in (Form.LANES, Form.PLAIN):
        check(variant, SIZES["odd"], form, instruction_set, reverse=reverse, begun=begun)


@settings(max_examples=40, deadline=None)
@given(
    variant=st.sampled_from(list(VARIANTS.values())),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 40)),
    form=st.sampled_from([Form.LANES, Form.PLAIN]),
    images=st.integers(1, 16),
    reverse=st.booleans(),
    begun=st.booleans(),
)
def test_any_small_layer(
    variant: tuple[Cell, bool],
    sizes: tuple[int, int, int],
    form: Form,
    images: int,
    reverse: bool,
    begun: bool,
) -> None:
    best = library.instruction_sets()[-1]
    check(variant, sizes, form, best, images=images, reverse=reverse, begun=begun)


@pytest.mark.parametrize("form", [Form.LANES, Form.PLAIN], ids=lambda f: f.name)
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_bits_depend_on_the_inputs_alone(
    variant: tuple[Cell, bool], form: Form, instruction_set: str
) -> None:
    together = check(variant, SIZES["odd"], form, instruction_set, images=15, begun=False)
    for images, threads in ((15, 3), (4, 1), (1, 2)):
        alone = check(
            variant,
            SIZES["odd"],
            form,
            instruction_set,
            images=images,
            begun=False,
            threads=threads,
            team=True,
        )
        np.testing.assert_array_equal(alone[0][0], together[0][0])
        for few, many in zip(alone, together, strict=True):
            assert few.shape[0] == images
            if images == 15:
                np.testing.assert_array_equal(few, many)


def network(cell: Cell, outputs: int) -> Network:
    weights = make_weights(cell, 3, 5)
    made = Network(4, 0, threads=1)
    made.add(
        "recurrent",
        [Value(Form.PLAIN, Space.INPUT, 0, 2, 3)],
        [Value(Form.PLAIN, Space.OUTPUT, i, 1 if i else 2, 5) for i in range(outputs)],
        **operation(weights, 2, False, True),
    )
    return made


def test_the_hidden_states_alone_and_what_is_not_finite() -> None:
    x = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
    x[1, 1, 0] = np.nan
    out, memory = guarded((4, 2, 5), np.float32)
    with network("lstm", 1) as made:
        finite = made.run(4, [x], [out])
    check_canaries(memory)
    assert finite.tolist() == [True, False, True, True]
    assert np.isnan(out[1, 1]).all()
    expected, _, _ = sequence(x[2:], make_weights("lstm", 3, 5))
    assert_close(out[2:], expected, BOUND, 1.0)


@pytest.mark.parametrize(("cell", "outputs"), [("lstm", 2), ("gru", 3)])
def test_a_wrong_number_of_states_is_refused(cell: Cell, outputs: int) -> None:
    with pytest.raises(ValueError, match=f"outputs are {outputs}"):
        network(cell, outputs)
