"""Values in every form and place: the numbers stay, bytes are rounded as numpy does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from engine import images as bytes_of
from kernels.native.network import Form, Item, Network, Space, Value
from tests.cases.native import Arena, assert_close, check_canaries, convert, guarded, sizes

CAPACITY = 48
IMAGES = [1, 15, 16, 17, 48, 50]
# Shapes without the batch: positions by channels.
SHAPES = [
    pytest.param((1,), id="one"),
    pytest.param((5, 3), id="odd"),
    pytest.param((7, 5, 32), id="block"),
    pytest.param((6, 33), id="block-and-one"),
    pytest.param((16, 20, 3), id="image"),
    pytest.param((2, 300), id="channels-over-a-panel"),
    pytest.param((37, 1), id="one-channel"),
]
ARENA_FORMS = [Form.LANES, Form.ROWS, Form.PLAIN, Form.PLAIN16]


def _values(images, shape, seed=0):
    return np.random.default_rng(seed).normal(size=(images, *shape)).astype(np.float32)


def _through(x, forms, final, instruction_set, *, capacity=CAPACITY, rows=1, **options):
    """x through arena values of these forms, to the caller: what arrived, and the flags."""
    shape, arena = x.shape[1:], Arena(capacity)
    chain = [Value(Form.PLAIN, Space.INPUT, 0, *sizes(shape))]
    chain += [arena.value(form, shape) for form in forms]
    chain.append(Value(final, Space.OUTPUT, 0, *sizes(shape)))
    out, memory = guarded(x.shape, np.uint8 if final == Form.IMAGES else np.float32)
    if final == Form.PLANES:
        out = out.reshape(len(x), sizes(shape)[1], sizes(shape)[0])
    with Network(capacity, arena.bytes, instruction_set=instruction_set, **options) as network:
        items = []
        for source, target in itertools.pairwise(chain):
            number = convert(network, source, target, rows)
            items += [Item(number, row, row + 1) for row in reversed(range(rows))]
        network.schedule(items)
        finite = network.run(len(x), [x], [out])
    check_canaries(memory)
    if final == Form.PLANES:
        out = out.swapaxes(1, 2).reshape(x.shape)
    return out, finite


def _bfloat16(x):
    """Rounded to nearest even, in float32."""
    bits = x.view(np.uint32).astype(np.uint64)
    return (((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16).astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_stay_in_every_form(shape, instruction_set):
    for images in IMAGES:
        x = _values(images, shape)
        for form in ARENA_FORMS:
            expected = _bfloat16(x) if form in (Form.ROWS, Form.PLAIN16) else x
            for final in (Form.PLAIN, Form.PLANES):
                out, finite = _through(x, [form], final, instruction_set, threads=1)
                np.testing.assert_array_equal(out, expected, f"{form.name} {final.name} {images}")
                assert finite.all()


@pytest.mark.parametrize("second", ARENA_FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("first", ARENA_FORMS, ids=lambda form: form.name)
def test_between_any_two_forms_of_the_arena(first, second, instruction_set):
    x = _bfloat16(_values(17, (4, 3, 45)))
    out, _ = _through(x, [first, second], Form.PLAIN, instruction_set, threads=1)
    np.testing.assert_array_equal(out, x)


@pytest.mark.parametrize("form", ARENA_FORMS, ids=lambda form: form.name)
def test_bands_and_teams_change_nothing(form, instruction_set):
    x = _bfloat16(_values(35, (8, 6, 40)))
    for options in ({"rows": 8, "threads": 1}, {"rows": 2, "threads": 2, "team": True}):
        for final in (Form.PLAIN, Form.PLANES):
            out, _ = _through(x, [form, form], final, instruction_set, **options)
            np.testing.assert_array_equal(out, x)


@pytest.mark.parametrize("form", ARENA_FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("low_high", [(-1.0, 1.0), (0.0, 1.0), (-0.3, 1.7)], ids=str)
def test_bytes_are_those_of_numpy(form, low_high, instruction_set):
    low, high = low_high
    scale = np.float32(255.0 / (high - low))
    # Around every tie between two levels, and far outside the range.
    ties = (np.arange(-2, 259) + 0.5) / scale + np.float32(low)
    near = [np.nextafter(ties.astype(np.float32), np.float32(s)) for s in (-9, 9)]
    extremes = np.float32([1e-45, -1e-45, 3e38, -3e38, np.inf, -np.inf, 0.0, -0.0, high, low])
    x = np.concatenate([ties.astype(np.float32), *near, extremes])
    x = np.resize(x, (17, 7, 7, 3)).astype(np.float32)
    if form in (Form.ROWS, Form.PLAIN16):
        x = _bfloat16(x)
    arena = Arena(CAPACITY)
    middle = arena.value(form, x.shape[1:])
    out, memory = guarded(x.shape, np.uint8)
    with Network(CAPACITY, arena.bytes, threads=1, instruction_set=instruction_set) as network:
        convert(network, Value(Form.PLAIN, Space.INPUT, 0, 49, 3), middle)
        caller = Value(Form.IMAGES, Space.OUTPUT, 0, 49, 3)
        network.add("convert", [middle], [caller], integers=[1], numbers=low_high)
        finite = network.run(len(x), [x], [out])
    check_canaries(memory)
    with np.errstate(over="ignore"):
        expected = bytes_of.to_uint8(x.transpose(0, 3, 1, 2), low_high)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(finite, np.isfinite(x).all(axis=(1, 2, 3)))


@pytest.mark.parametrize("final", [Form.PLAIN, Form.PLANES, Form.IMAGES], ids=lambda f: f.name)
@pytest.mark.parametrize("form", ARENA_FORMS, ids=lambda form: form.name)
def test_what_is_not_finite_is_flagged_for_its_image_alone(form, final, instruction_set):
    x = _values(37, (5, 9, 3))
    # float32's largest number is infinite in bfloat16; the largest that both have is not.
    x[3, 1, 2, 0], x[20, 4, 8, 2] = 3.3895e38, -3.3895e38
    x[0, 0, 0, 0], x[17, 4, 8, 2], x[36, 2, 2, 1] = np.nan, np.inf, -np.inf
    out, finite = _through(x, [form], final, instruction_set, threads=1)
    np.testing.assert_array_equal(finite, np.isfinite(x).all(axis=(1, 2, 3)))
    if final == Form.IMAGES:
        assert out[0, 0, 0, 0] == 0
        assert out[17, 4, 8, 2] == 255
    else:
        np.testing.assert_array_equal(np.isnan(out), np.isnan(x))


def test_a_small_capacity_serves_few_images(instruction_set):
    for form in (Form.PLAIN, Form.PLAIN16):
        x = _bfloat16(_values(7, (3, 5, 35)))
        out, _ = _through(x, [form], Form.PLANES, instruction_set, capacity=3, threads=1)
        np.testing.assert_array_equal(out, x)


def test_an_empty_batch_is_nothing(best_set):
    out, finite = _through(_values(0, (4, 3)), [Form.LANES], Form.PLAIN, best_set)
    assert out.shape == (0, 4, 3)
    assert finite.shape == (0,)


def test_flat_forms_change_their_shape(best_set):
    x, arena = _values(20, (12, 10)), Arena(CAPACITY)
    lanes, rows = arena.value(Form.LANES, (120,)), arena.value(Form.ROWS, (3, 40))
    out, memory = guarded(x.shape, np.float32)
    with Network(CAPACITY, arena.bytes, threads=1, instruction_set=best_set) as network:
        convert(network, Value(Form.PLAIN, Space.INPUT, 0, 12, 10), lanes)
        convert(network, lanes, rows)
        convert(network, rows, Value(Form.PLAIN, Space.OUTPUT, 0, 12, 10))
        network.run(len(x), [x], [out])
    check_canaries(memory)
    assert_close(out, x.astype(np.float64), 2.0**-8)


@pytest.mark.parametrize(
    ("source", "target", "capacity", "message"),
    [
        ((Form.LANES, 3, 4), (Form.PLAIN, 3, 5), 16, "do not agree"),
        ((Form.ROWS, 3, 4), (Form.PLAIN16, 4, 3), 16, "do not agree"),
        ((Form.LANES, 3, 4), (Form.PLAIN, 3, 4), 8, "capacity 8 is not a multiple of 16"),
        ((Form.INDEX, 3, 4), (Form.PLAIN, 3, 4), 16, "cannot convert form 4"),
    ],
    ids=["sizes", "blocks-of-other-sizes", "capacity", "labels"],
)
def test_what_does_not_fit_is_refused(source, target, capacity, message, best_set):
    values = [Value(form, Space.ARENA, 0, *size) for form, *size in (source, target)]
    with (
        Network(capacity, 4096, instruction_set=best_set) as network,
        pytest.raises(ValueError, match=message),
    ):
        convert(network, *values)
