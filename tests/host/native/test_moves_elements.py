"""Elements moved without arithmetic: every number arrives where numpy puts it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.program.graph import Concat, Pad, Permute, Slice, Upsample
from engine.program.meaning import MEANINGS
from kernels.native.network import Form, Network, Space, Value
from tests.cases.native import Arena, check_canaries, convert, guarded, run_operation, sizes

FLOATS = [Form.LANES, Form.PLAIN]
FORMS = [*FLOATS, Form.ROWS, Form.PLAIN16]
FIELDS = {"name": "op", "outputs": ("y",)}
MODES = ("constant", "reflect", "edge", "wrap")


def _values(images, shape, seed=0):
    """Small integers, which every form holds exactly."""
    return np.random.default_rng(seed).integers(-99, 99, (images, *shape)).astype(np.float32)


def _check(kind, op, shapes, output, integers, instruction_set, *, forms=FORMS, numbers=(), rows=1):
    """All forms: whole, and in bands of a row shared by a team."""
    for form in forms:
        plain = form in (Form.PLAIN, Form.PLAIN16)
        for images, capacity in ((1, 1), (3, 16)) if plain else ((16, 16), (17, 48)):
            values = [_values(images, shape, i) for i, shape in enumerate(shapes)]
            expected = MEANINGS[type(op)](op, *values)
            assert expected.shape[1:] == output
            banded = rows if images != capacity else 1
            out = run_operation(
                kind,
                values,
                output,
                form=form,
                capacity=capacity,
                instruction_set=instruction_set,
                integers=[banded, *integers],
                numbers=numbers,
                rows=banded,
                **({"threads": 2, "team": True} if banded > 1 else {}),
            )
            np.testing.assert_array_equal(out, expected, f"{form.name}, {images} images")


CONCAT = [
    pytest.param([(3, 4, 5), (3, 4, 2), (3, 4, 1)], 2, FLOATS, id="channels"),
    pytest.param([(3, 4, 64), (3, 4, 32), (3, 4, 5)], 2, FORMS, id="blocks-of-channels"),
    pytest.param([(3, 4, 5), (1, 4, 5)], 0, FORMS, id="outermost"),
    pytest.param([(3, 4, 5), (3, 0, 5), (3, 2, 5)], 1, FORMS, id="one-is-empty"),
    pytest.param([(7,)], 0, FORMS, id="one-input"),
    pytest.param([(2,)] * 8, 0, FLOATS, id="eight-inputs"),
]


@pytest.mark.parametrize(("shapes", "axis", "forms"), CONCAT)
def test_concat(shapes, axis, forms, instruction_set):
    sizes = [shape[axis] for shape in shapes]
    output = (*shapes[0][:axis], sum(sizes), *shapes[0][axis + 1 :])
    op = Concat(inputs=("x",) * len(shapes), axis=axis, **FIELDS)
    integers = [axis, len(output), *output, *sizes]
    rows = output[0] if len(output) > 1 else 1
    _check("concat", op, shapes, output, integers, instruction_set, forms=forms, rows=rows)


PERMUTE = [
    pytest.param((3, 4, 5), (2, 0, 1), FLOATS, id="channels-first"),
    pytest.param((3, 4, 37), (1, 0, 2), FORMS, id="transposed-positions"),
    pytest.param((2, 3, 2, 4, 5), (0, 2, 1, 3, 4), FORMS, id="five-axes"),
    pytest.param((6, 1), (1, 0), FLOATS, id="one"),
    pytest.param((9,), (0,), FORMS, id="nothing"),
]


@pytest.mark.parametrize(("shape", "axes", "forms"), PERMUTE)
def test_permute(shape, axes, forms, instruction_set):
    output = tuple(shape[axis] for axis in axes)
    op = Permute(inputs=("x",), axes=axes, **FIELDS)
    integers = [len(shape), *shape, *axes]
    rows = output[0] if len(output) > 1 else 1
    _check("permute", op, [shape], output, integers, instruction_set, forms=forms, rows=rows)


SLICE = [
    pytest.param((6, 5, 4), (1, 0, 0), (3, 5, 4), (1, 1, 1), FORMS, id="rows"),
    pytest.param((6, 5, 4), (5, 4, 3), (3, 5, 2), (-2, -1, -2), FLOATS, id="backwards"),
    pytest.param((6, 5, 40), (0, 1, 0), (3, 2, 40), (2, 3, 1), FORMS, id="steps"),
    pytest.param((8,), (3,), (4,), (1,), FLOATS, id="channels"),
    pytest.param((6, 5, 4), (2, 2, 2), (1, 1, 1), (7, 7, 7), FLOATS, id="one"),
    pytest.param((6, 5, 4), (0, 0, 0), (6, 0, 4), (1, 1, 1), FORMS, id="nothing"),
]


@pytest.mark.parametrize(("shape", "begin", "sizes", "step", "forms"), SLICE)
def test_slice(shape, begin, sizes, step, forms, instruction_set):
    op = Slice(inputs=("x",), begin=begin, sizes=sizes, step=step, **FIELDS)
    integers = [len(shape), *shape, *begin, *sizes, *step]
    rows = sizes[0] if len(sizes) > 1 else 1
    _check("slice", op, [shape], sizes, integers, instruction_set, forms=forms, rows=rows)


PAD = [
    pytest.param((4, 5, 3), (1, 2, 0), (2, 0, 0), FORMS, id="positions"),
    pytest.param((4, 5, 33), (0, 1, 0), (0, 1, 0), FORMS, id="blocks"),
    pytest.param((4, 5, 3), (3, 4, 2), (3, 4, 2), FLOATS, id="most-that-reflects"),
    pytest.param((4, 5, 3), (-1, 2, 0), (1, -2, -1), FLOATS, id="crops"),
    pytest.param((4, 5, 3), (-1, -2, 0), (0, -1, 0), FORMS, id="crops-only"),
    pytest.param((5,), (2,), (1,), FLOATS, id="channels"),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("shape", "before", "after", "forms"), PAD)
def test_pad(shape, before, after, forms, mode, instruction_set):
    output = tuple(a + b + c for a, b, c in zip(shape, before, after, strict=True))
    op = Pad(inputs=("x",), before=before, after=after, mode=mode, value=-3.0, **FIELDS)
    integers = [MODES.index(mode), len(shape), *shape, *before, *after]
    rows = output[0] if len(output) > 1 else 1
    _check(
        "pad",
        op,
        [shape],
        output,
        integers,
        instruction_set,
        forms=forms,
        numbers=[-3.0],
        rows=rows,
    )


@pytest.mark.parametrize(
    ("shape", "scales"),
    [
        ((3, 4, 5), (2, 2)),
        ((3, 4, 33), (1, 3)),
        ((2, 2, 2, 3), (3, 1, 2)),
        ((5, 1), (4,)),
        ((7,), ()),
    ],
    ids=str,
)
def test_upsample(shape, scales, instruction_set):
    output = (*(a * b for a, b in zip(shape[:-1], scales, strict=True)), shape[-1])
    op = Upsample(inputs=("x",), scales=scales, **FIELDS)
    rows = output[0] if len(output) > 1 else 1
    _check(
        "upsample", op, [shape], output, [len(shape), *shape, *scales], instruction_set, rows=rows
    )


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 33), (64,)], ids=str)
def test_constant_is_the_same_for_every_image(shape, form, instruction_set):
    value, arena = _values(1, shape)[0], Arena(48)
    inside = arena.value(form, shape)
    for images in (1, 17, 48):
        out, memory = guarded((images, *shape), np.float32)
        with Network(48, arena.bytes, threads=1, instruction_set=instruction_set) as network:
            network.add("constant", [], [inside], arrays=[value])
            convert(network, inside, Value(Form.PLAIN, Space.OUTPUT, 0, *sizes(shape)))
            network.run(images, [], [out])
        check_canaries(memory)
        np.testing.assert_array_equal(out, np.broadcast_to(value, out.shape))


@pytest.mark.parametrize("form", FLOATS, ids=lambda form: form.name)
@pytest.mark.parametrize(
    ("positions", "row"), [((), (5,)), ((3,), (2, 4)), ((2, 2), (33,))], ids=str
)
def test_embedding(positions, row, form, instruction_set):
    random = np.random.default_rng(2)
    table = random.normal(size=(7, *row)).astype(np.float32)
    for images in (1, 3, 17, 48):
        labels = random.integers(0, 7, (images, *positions))
        out = run_operation(
            "embedding",
            [labels],
            (*positions, *row),
            form=form,
            capacity=48,
            instruction_set=instruction_set,
            arrays=[table],
            threads=2,
            team=True,
        )
        np.testing.assert_array_equal(out, table[labels])


def test_a_label_that_is_not_in_the_table_gives_nan(best_set):
    table = np.ones((3, 2), np.float32)
    out = run_operation(
        "embedding",
        [np.array([0, 3, -1, 2])],
        (2,),
        form=Form.LANES,
        capacity=16,
        instruction_set=best_set,
        arrays=[table],
    )
    np.testing.assert_array_equal(np.isnan(out[:, 0]), [False, True, True, False])


@pytest.mark.parametrize(
    ("kind", "shape", "output", "integers", "numbers", "message"),
    [
        ("concat", (2, 3, 4), (2, 3, 4), [1, 1, 3, 2, 3, 4, 2], [], "does not have the shape"),
        ("permute", (2, 3, 4), (2, 3, 4), [1, 3, 2, 3, 4, 0, 0, 2], [], "no permutation"),
        ("permute", (2, 4, 4), (2, 4, 4), [1, 3, 2, 4, 4, 0, 2, 1], [], "channels must stay"),
        (
            "slice",
            (5, 2),
            (3, 2),
            [1, 2, 5, 2, 3, 0, 3, 2, 1, 1],
            [],
            "does not have what is taken",
        ),
        ("pad", (1, 2), (0, 2), [1, 1, 2, 1, 2, -2, 0, 1, 0], [0.0], "too small for its padding"),
        ("upsample", (2, 2), (4, 2), [1, 2, 2, 2, 0], [], "integer 4 is 0"),
    ],
    ids=["concat", "permute", "channels", "slice", "pad", "upsample"],
)
def test_what_does_not_fit_is_refused(kind, shape, output, integers, numbers, message, best_set):
    with pytest.raises(ValueError, match=message):
        run_operation(
            kind,
            [_values(2, shape)],
            output,
            form=Form.ROWS,
            capacity=16,
            instruction_set=best_set,
            integers=integers,
            numbers=numbers,
        )
