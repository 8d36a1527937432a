"""Functions element by element, on every instruction set: their errors, NaN and infinities."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.native.network import FUNCTIONS, Form
from kernels.reference.activation import activation
from tests.cases.native import run_operation
from tests.cases.native_functions import NUMBERS, SPECIAL, bound

FLOATS = [Form.LANES, Form.PLAIN]
HALVES = [Form.ROWS, Form.PLAIN16]


def _inputs():
    random = np.random.default_rng(3)
    spread = random.normal(size=900) * np.repeat([0.01, 1.0, 5.0], 300)
    x = np.concatenate([SPECIAL, spread.astype(np.float32)])
    return np.resize(x, (17, 58)).astype(np.float32)


def _run(function, x, form, instruction_set, **options):
    alpha, beta = NUMBERS.get(function, (0.0, 0.0))
    return run_operation(
        "elementwise",
        [x],
        x.shape[1:],
        form=form,
        capacity=48,
        instruction_set=instruction_set,
        integers=[options.get("rows", 1), FUNCTIONS.index(function)],
        numbers=[alpha, beta],
        **options,
    )


def _expected(function, x):
    # float32 cannot hold results beyond its range.
    alpha, beta = np.float32(NUMBERS.get(function, (0.0, 0.0)))
    with np.errstate(all="ignore"):
        exact = activation(x, function, alpha, beta)
        return np.where(np.abs(exact.astype(np.float32)) < np.inf, exact, exact.astype(np.float32))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function(function, instruction_set):
    x = _inputs()
    expected = _expected(function, x)
    finite = np.isfinite(expected)
    for form in FLOATS:
        out = _run(function, x, form, instruction_set)
        np.testing.assert_array_equal(out[~finite], expected[~finite].astype(np.float32))
        error = np.abs(out[finite].astype(np.float64) - expected[finite])
        error /= np.maximum(np.abs(expected[finite]), 1.0)
        worst = error.argmax()
        assert error[worst] <= bound(function), (
            f"{error[worst] * 2**23} units at {x[finite][worst]}"
        )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_in_bfloat16(function, instruction_set):
    x = np.resize(_inputs(), (17, 3, 41))
    x = (x.view(np.uint32) & 0xFFFF0000).view(np.float32)
    for form in HALVES:
        out = _run(function, x, form, instruction_set)
        expected = _expected(function, x)
        finite = np.abs(expected) < 3.3e38
        np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
        error = np.abs(out[finite].astype(np.float64) - expected[finite])
        assert (error <= 2.0**-8 * np.abs(expected[finite]) + bound(function)).all()


@pytest.mark.parametrize("form", FLOATS + HALVES, ids=lambda form: form.name)
@pytest.mark.parametrize("function", ["mish", "relu"])
def test_bits_depend_on_the_number_alone(function, form, instruction_set):
    x = np.random.default_rng(5).normal(size=(48, 6, 5, 7)).astype(np.float32)
    whole = _run(function, x, form, instruction_set)
    for images in (1, 15, 16, 17):
        np.testing.assert_array_equal(
            _run(function, x[:images], form, instruction_set), whole[:images]
        )
    np.testing.assert_array_equal(_run(function, x, form, instruction_set, rows=6), whole)
    team = _run(function, x, form, instruction_set, rows=3, threads=2, team=True)
    np.testing.assert_array_equal(team, whole)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2)], ids=str)
def test_smallest_shapes(shape, best_set):
    x = np.full((2, *shape), -1.5, np.float32)
    out = _run("abs", x, Form.LANES, best_set)
    np.testing.assert_array_equal(out, np.abs(x))
