"""Sums, products and affine maps of values, with numpy's broadcasting."""

from __future__ import annotations

import numpy as np
import pytest

from engine.program.graph import Activation, Add, Affine, Binary, PRelu
from engine.program.meaning import MEANINGS
from kernels.native.network import ACTIVATIONS, Form
from tests.cases.native import assert_close, run_operation

FLOATS = [Form.LANES, Form.PLAIN]
FORMS = [*FLOATS, Form.ROWS, Form.PLAIN16]
BINARY = ("add", "sub", "mul", "div", "max", "min")
# Two or three roundings, and a fused activation within 5 units.
EXACT, HALF = 8 * 2.0**-24, 2.0**-7
FIELDS = {"name": "op", "outputs": ("y",)}


def _values(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


def _meaning(op, *values):
    return MEANINGS[type(op)](op, *values)


def _bound(form):
    return EXACT if form in FLOATS else HALF


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_add(form, count, instruction_set):
    for end in ("none", "sigmoid"):
        values = [_values(17, 3, 2, 37, seed=i) for i in range(count)]
        op = Add(inputs=("x",) * count, activation=Activation(end), **FIELDS)
        out = run_operation(
            "add",
            values,
            (3, 2, 37),
            form=form,
            capacity=48,
            instruction_set=instruction_set,
            integers=[3, ACTIVATIONS.index(end)],
            numbers=[0.0],
            rows=3,
        )
        assert_close(out, _meaning(op, *values), _bound(form) * count)


AFFINE = [
    pytest.param((4, 5, 6), (6,), (6,), id="channels"),
    pytest.param((4, 5, 6), (6,), None, id="scale"),
    pytest.param((4, 5, 6), None, (1,), id="one-shift"),
    pytest.param((4, 5, 6), None, None, id="neither"),
    pytest.param((4, 5, 40), (40,), (1, 1, 1), id="blocks"),
    pytest.param((4, 5, 6), (4, 1, 6), (5, 1), id="positions"),
    pytest.param((4, 5, 6), (4, 5, 6), (4, 5, 6), id="every-element"),
    pytest.param((7,), (7,), (7,), id="no-positions"),
    pytest.param((1, 1), (1, 1), (1,), id="one-element"),
]


def _sizes(array, rank):
    shape = () if array is None else array.shape
    return [1] * (rank - len(shape)) + list(shape)


@pytest.mark.parametrize(("shape", "scale", "shift"), AFFINE)
def test_affine(shape, scale, shift, instruction_set):
    scale, shift = (None if s is None else _values(*s, seed=9) for s in (scale, shift))
    channels = all(
        s is None or (s.size in (1, shape[-1]) and s.shape[-1] == s.size) for s in (scale, shift)
    )
    for form in FORMS if channels else FLOATS:
        for images in (1, 3, 17):
            x = _values(images, *shape)
            op = Affine(
                inputs=("x",),
                scale=scale,
                shift=shift,
                activation=Activation("leaky_relu", 0.2),
                **FIELDS,
            )
            out = run_operation(
                "affine",
                [x],
                shape,
                form=form,
                capacity=16 if images < 16 else 48,
                instruction_set=instruction_set,
                integers=[
                    1,
                    2,
                    len(shape),
                    *shape,
                    *_sizes(scale, len(shape)),
                    *_sizes(shift, len(shape)),
                ],
                numbers=[0.2],
                arrays=[scale, shift],
            )
            assert_close(out, _meaning(op, x), _bound(form))


@pytest.mark.parametrize(
    ("shape", "slope"), [((4, 5, 6), (6,)), ((4, 5, 33), (1,)), ((4, 5, 6), (5, 1))], ids=str
)
def test_prelu(shape, slope, instruction_set):
    slope = _values(*slope, seed=4)
    for form in FORMS if slope.ndim == 1 else FLOATS:
        x = _values(17, *shape)
        x[0, 0, 0, 0], x[1, 0, 0, 0] = np.nan, -np.inf
        op = PRelu(inputs=("x",), slope=slope, **FIELDS)
        out = run_operation(
            "prelu",
            [x],
            shape,
            form=form,
            capacity=48,
            instruction_set=instruction_set,
            integers=[4, len(shape), *shape, *_sizes(slope, len(shape))],
            arrays=[slope],
            rows=4,
        )
        assert_close(out, _meaning(op, x), _bound(form))


BROADCAST = [
    pytest.param((4, 5, 6), (4, 5, 6), id="same"),
    pytest.param((4, 5, 6), (1, 1, 6), id="channels"),
    pytest.param((4, 1, 6), (1, 5, 6), id="both-repeat"),
    pytest.param((4, 5, 1), (4, 1, 33), id="last-repeats"),
    pytest.param((1, 1, 1), (3, 2, 2), id="one"),
    pytest.param((), (), id="scalars"),
    pytest.param((2, 1, 3, 1, 2), (1, 4, 1, 5, 2), id="five-axes"),
]


@pytest.mark.parametrize(("a", "b"), BROADCAST)
def test_binary_repeats_axes(a, b, instruction_set):
    shape = np.broadcast_shapes(a, b)
    for images in (1, 3, 17):
        x, y = _values(images, *a), _values(images, *b, seed=1)
        for i, function in enumerate(BINARY):
            op = Binary(
                inputs=("x", "y"), function=function, activation=Activation("tanh"), **FIELDS
            )
            for form in FLOATS:
                rows = shape[0] if shape else 1
                out = run_operation(
                    "binary",
                    [x, y],
                    shape,
                    form=form,
                    capacity=48,
                    instruction_set=instruction_set,
                    integers=[rows, i, 3, len(a), *a, *b],
                    numbers=[0.0],
                    rows=rows,
                )
                assert_close(out, _meaning(op, x, y), EXACT, scale=1.0)


@pytest.mark.parametrize("form", FLOATS, ids=lambda form: form.name)
def test_nan_and_infinity_go_where_numpy_lets_them(form, instruction_set):
    special = np.float32([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1e-45, 3e38])
    a, b = (v.reshape(1, -1) for v in np.meshgrid(special, special))
    for i, function in enumerate(BINARY):
        out = run_operation(
            "binary",
            [a, b],
            (64,),
            form=form,
            capacity=16,
            instruction_set=instruction_set,
            integers=[1, i, 0, 1, 64, 64],
            numbers=[0.0],
        )
        with np.errstate(all="ignore"):
            names = {
                "sub": "subtract",
                "mul": "multiply",
                "div": "divide",
                "max": "maximum",
                "min": "minimum",
            }
            np.testing.assert_array_equal(out, getattr(np, names.get(function, function))(a, b))


def test_a_team_changes_nothing(instruction_set):
    x, y = _values(37, 5, 3, 8), _values(37, 1, 3, 1, seed=2)
    for form in FLOATS:
        results = [
            run_operation(
                "binary",
                [x, y],
                (5, 3, 8),
                form=form,
                capacity=48,
                instruction_set=instruction_set,
                integers=[1, 2, 0, 3, 5, 3, 8, 1, 3, 1],
                numbers=[0.0],
                **options,
            )
            for options in ({}, {"threads": 2, "team": True})
        ]
        np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    ("integers", "message"),
    [
        ([1, 0, 0, 2, 2, 4, 2, 4], "does not have the shape"),
        ([2, 0, 0, 2, 3, 4, 3, 4], "rows"),
        ([1, 6, 0, 2, 3, 4, 3, 4], "integer 1 is 6"),
    ],
    ids=["shape", "rows", "function"],
)
def test_what_does_not_fit_is_refused(integers, message, best_set):
    x = _values(2, 3, 4)
    with pytest.raises(ValueError, match=message):
        run_operation(
            "binary",
            [x, x],
            (3, 4),
            form=Form.LANES,
            capacity=16,
            instruction_set=best_set,
            integers=integers,
            numbers=[0.0],
        )
