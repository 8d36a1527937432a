"""Sums, means, extremes, windows, mixtures, norms, softmax and products of values."""

from __future__ import annotations

import numpy as np
import pytest

from engine.program.graph import (
    Activation,
    InstanceNorm,
    LayerNorm,
    MatMul,
    Pool,
    Reduce,
    Resample,
    Softmax,
)
from engine.program.meaning import MEANINGS
from kernels.geometry import Geometry
from kernels.native.network import ACTIVATIONS, Form, geometry_integers
from tests.cases.native import assert_close, run_operation
from tests.cases.native_functions import REDUCTION_BOUNDS

FORMS = [Form.LANES, Form.PLAIN]
FIELDS = {"name": "op", "outputs": ("y",)}
FUNCTIONS = ("mean", "sum", "max", "min")


def _values(images, shape, seed=0):
    return np.random.default_rng(seed).normal(size=(images, *shape)).astype(np.float32)


def _check(kind, op, values, output, instruction_set, *, integers=(), banded=None, **options):
    """All forms and numbers of images against the meaning; bands and teams against the whole."""
    images = len(values[0])
    with np.errstate(invalid="ignore"):
        expected = MEANINGS[type(op)](op, *values)
    assert expected.shape[1:] == output
    for form in FORMS:

        def run(count, rows=1, form=form, **how):
            prefix = [rows] if banded else []
            return run_operation(
                kind,
                [value[:count] for value in values],
                output,
                form=form,
                capacity=48,
                instruction_set=instruction_set,
                integers=[*prefix, *integers],
                rows=rows,
                **options,
                **how,
            )

        whole = run(images)
        assert_close(whole, expected, REDUCTION_BOUNDS[kind])
        for count in (1, 3, 16):
            np.testing.assert_array_equal(run(count), whole[:count])
        np.testing.assert_array_equal(run(images, banded or 1, threads=2, team=True), whole)


REDUCE = [
    pytest.param((5, 4, 6), (0, 1), id="positions"),
    pytest.param((5, 4, 6), (2,), id="channels"),
    pytest.param((5, 4, 6), (1,), id="middle"),
    pytest.param((5, 4, 6), (0, 2), id="outer-and-channels"),
    pytest.param((5, 4, 6), (0, 1, 2), id="all"),
    pytest.param((5, 4, 6), (), id="none"),
    pytest.param((90, 3), (0,), id="long"),
    pytest.param((2, 37), (1,), id="odd-channels"),
    pytest.param((2, 3, 2, 5), (1, 3), id="four-axes"),
    pytest.param((7,), (0,), id="one-axis"),
]


@pytest.mark.parametrize(("shape", "axes"), REDUCE)
def test_reduce(shape, axes, instruction_set):
    output = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    values = [_values(19, shape)]
    for i, function in enumerate(FUNCTIONS):
        op = Reduce(inputs=("x",), function=function, axes=axes, **FIELDS)
        marks = [int(axis in axes) for axis in range(len(shape))]
        integers = [i, len(shape), *shape, *marks]
        _check("reduce", op, values, output, instruction_set, integers=integers)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_nan_and_infinity_win_as_in_numpy(form, instruction_set):
    x = _values(8, (6, 2))
    x[0, 0, 0], x[1, 5, 1], x[2, 3, 0], x[3, 3, 1] = np.nan, np.nan, np.inf, -np.inf
    for i, function in enumerate(FUNCTIONS):
        op = Reduce(inputs=("x",), function=function, axes=(0,), **FIELDS)
        out = run_operation(
            "reduce",
            [x],
            (1, 2),
            form=form,
            capacity=16,
            instruction_set=instruction_set,
            integers=[i, 2, 6, 2, 1, 0],
        )
        assert_close(out, MEANINGS[Reduce](op, x), REDUCTION_BOUNDS["reduce"])


POOL = [
    pytest.param(Geometry.forward((6, 7), (2, 2), 2), 5, id="halves"),
    pytest.param(Geometry.forward((6, 7), (3, 3), 1, 1), 33, id="overlaps"),
    pytest.param(Geometry.forward((9,), (3,), 2, 1, 2), 1, id="dilated-1d"),
    pytest.param(Geometry.forward((4, 3, 5), (2, 3, 2), (1, 2, 2), (0, 1, 0)), 3, id="3d"),
    pytest.param(Geometry.forward((5, 5), (5, 5)), 16, id="global"),
]


@pytest.mark.parametrize(("geometry", "channels"), POOL)
def test_pool(geometry, channels, instruction_set):
    values = [_values(17, (*geometry.input_size, channels))]
    output = (*geometry.output_size, channels)
    for function, outside in (("mean", False), ("mean", True), ("max", False)):
        op = Pool(
            inputs=("x",), function=function, geometry=geometry, count_outside=outside, **FIELDS
        )
        integers = [*geometry_integers(geometry), int(function == "max"), int(outside)]
        _check("pool", op, values, output, instruction_set, integers=integers, banded=output[0])


def test_windows_that_are_empty(instruction_set):
    geometry = Geometry("forward", (2,), (4,), (1,), (2,), (1,), (1,))
    x = _values(3, (2, 1))
    for number, (function, outside) in enumerate((("mean", False), ("mean", True), ("max", False))):
        op = Pool(
            inputs=("x",), function=function, geometry=geometry, count_outside=outside, **FIELDS
        )
        for form in FORMS:
            out = run_operation(
                "pool",
                [x],
                (4, 1),
                form=form,
                capacity=16,
                instruction_set=instruction_set,
                integers=[1, *geometry_integers(geometry), int(number == 2), int(outside)],
            )
            assert_close(out, MEANINGS[Pool](op, x), REDUCTION_BOUNDS["pool"])


def _interpolation(now, before, seed):
    """Rows that sum to 1, with a few weights each."""
    matrix = np.random.default_rng(seed).random((now, before)).astype(np.float32)
    matrix[matrix < 0.6] = 0
    matrix[:, 0] += 0.1
    return matrix / matrix.sum(1, keepdims=True)


RESAMPLE = [
    pytest.param((4, 5, 3), (8, 10), id="2d"),
    pytest.param((4, 5, 33), (None, 7), id="one-axis"),
    pytest.param((6, 1), (3,), id="1d"),
    pytest.param((2, 3, 4, 5), (3, None, 2), id="3d"),
    pytest.param((2, 2, 3), (None, None), id="nothing"),
]


@pytest.mark.parametrize(("shape", "now"), RESAMPLE)
def test_resample(shape, now, instruction_set):
    matrices = tuple(
        None if size is None else _interpolation(size, shape[axis], axis)
        for axis, size in enumerate(now)
    )
    sizes = [size or shape[axis] for axis, size in enumerate(now)]
    op = Resample(inputs=("x",), matrices=matrices, **FIELDS)
    _check(
        "resample",
        op,
        [_values(17, shape)],
        (*sizes, shape[-1]),
        instruction_set,
        integers=[len(shape), *shape, *sizes],
        arrays=matrices,
        banded=sizes[0],
    )


NORMS = [
    pytest.param((6, 5, 8), id="image"),
    pytest.param((3, 36), id="odd"),
    pytest.param((70, 4), id="long"),
    pytest.param((8,), id="no-positions"),
]


@pytest.mark.parametrize("groups", [None, 1, 2, 4])
@pytest.mark.parametrize("shape", NORMS)
def test_instance_norm(shape, groups, instruction_set):
    # A mean far from zero: what a sum of squares alone would lose.
    values = [_values(17, shape) * 0.5 + 3]
    scale, shift = _values(2, shape[-1:], 5)
    for end in ("none", "leaky_relu"):
        op = InstanceNorm(
            inputs=("x",),
            scale=scale,
            shift=shift,
            epsilon=1e-4,
            groups=groups,
            activation=Activation(end, 0.2),
            **FIELDS,
        )
        _check(
            "instance_norm",
            op,
            values,
            shape,
            instruction_set,
            integers=[groups or 0, ACTIVATIONS.index(end)],
            numbers=[1e-4, 0.2],
            arrays=[scale, shift],
        )


@pytest.mark.parametrize("shape", [*NORMS, pytest.param((4, 300), id="wide")])
def test_layer_norm(shape, instruction_set):
    values = [_values(17, shape) * 0.5 + 3]
    scale, shift = _values(2, shape[-1:], 5)
    op = LayerNorm(inputs=("x",), scale=scale, shift=shift, epsilon=1e-6, **FIELDS)
    _check("layer_norm", op, values, shape, instruction_set, numbers=[1e-6], arrays=[scale, shift])


def test_equal_numbers_have_no_variance(instruction_set):
    x = np.full((3, 4, 2), 5.0, np.float32)
    ones = np.ones(2, np.float32)
    for form in FORMS:
        out = run_operation(
            "instance_norm",
            [x],
            (4, 2),
            form=form,
            capacity=16,
            instruction_set=instruction_set,
            integers=[0, 0],
            numbers=[1e-5, 0.0],
            arrays=[ones, ones],
        )
        np.testing.assert_array_equal(out, 1.0)


@pytest.mark.parametrize("shape", [(4, 5, 7), (3, 100), (1,), (40,)], ids=str)
def test_softmax(shape, instruction_set):
    x = _values(17, shape) * 10
    x[1] += 1e4
    x[2].reshape(-1)[0] = -np.inf
    _check("softmax", Softmax(inputs=("x",), **FIELDS), [x], shape, instruction_set)


def test_softmax_of_what_is_not_finite(instruction_set):
    x = np.float32([[1, np.nan, 2], [np.inf, 0, 1], [-np.inf] * 3, [3e38, -3e38, 0]])
    with np.errstate(invalid="ignore"):
        expected = MEANINGS[Softmax](Softmax(inputs=("x",), **FIELDS), x)
    for form in FORMS:
        out = run_operation(
            "softmax", [x], (3,), form=form, capacity=16, instruction_set=instruction_set
        )
        assert_close(out, expected, REDUCTION_BOUNDS["softmax"])


PRODUCTS = [
    pytest.param((), 1, 1, 1, id="one"),
    pytest.param((), 5, 7, 3, id="odd"),
    pytest.param((2, 3), 4, 8, 37, id="batches"),
    pytest.param((2,), 9, 64, 64, id="attention"),
    pytest.param((), 3, 0, 4, id="empty-sum"),
]


@pytest.mark.parametrize(("axes", "m", "k", "n"), PRODUCTS)
def test_matmul(axes, m, k, n, instruction_set):
    a, b = _values(18, (*axes, m, k), 1), _values(18, (*axes, k, n), 2)
    integers = [int(np.prod(axes, dtype=int)), m, k, n]
    op = MatMul(inputs=("a", "b"), **FIELDS)
    _check("matmul", op, [a, b], (*axes, m, n), instruction_set, integers=integers)


@pytest.mark.parametrize(
    ("kind", "integers", "numbers", "arrays", "message"),
    [
        ("reduce", [0, 2, 3, 5, 1, 0], [], [], "does not have the shape"),
        ("reduce", [4, 2, 3, 4, 1, 0], [], [], "integer 0 is 4"),
        ("matmul", [1, 3, 4, 4], [], [], "has 1 inputs and 1 outputs, not 2 and 1"),
        ("instance_norm", [3, 0], [1e-5, 0.0], [np.ones(4), np.ones(4)], "3 groups do not divide"),
        ("layer_norm", [], [1e-5], [np.ones(3), np.ones(4)], "has 3 floats, not 4"),
    ],
    ids=["shape", "function", "inputs", "groups", "array"],
)
def test_what_does_not_fit_is_refused(kind, integers, numbers, arrays, message, best_set):
    with pytest.raises(ValueError, match=message):
        run_operation(
            kind,
            [_values(2, (3, 4))],
            (3, 4),
            form=Form.LANES,
            capacity=16,
            instruction_set=best_set,
            integers=integers,
            numbers=numbers,
            arrays=arrays,
        )
