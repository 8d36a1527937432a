"""Programs planned as native networks give what the float64 executor gives."""

from __future__ import annotations

import numpy as np
import pytest

from engine.program import graph
from engine.program.graph import Value
from kernels.native import library
from kernels.native.network import Form
from tests.cases import native_programs as cases
from tests.cases.operations import CASES
from tests.cases.small_programs import dcgan, mlp, program, vae, weights

# Twice what the kernels' own tests allow of one operation; a chain of eight adds up to it.
FP32 = 2e-5
# Operands have 8 bits: 2**-8 an operation, and chains of eight.
BF16 = 0.08
IMAGES = (1, 5, 21)


def best(bf16: bool) -> str:
    found = library.instruction_sets()[-1]
    if bf16 and found not in ("avx512_bf16", "amx"):
        pytest.skip(f"{found} does not multiply bfloat16")
    return found


def check(made: graph.Program, images: int, bf16: bool) -> None:
    feed = cases.inputs_of(made, images)
    plan = cases.planned(made, cases.choices(images, best(bf16), bf16=bf16))
    found, wanted = cases.run(plan, feed), cases.expected(made, feed)
    for name, array in wanted.items():
        scale = max(1.0, float(np.abs(array).max()))
        error = np.abs(found[name] - array).max() / scale
        assert error < (BF16 if bf16 else FP32), f"{name}: {error}"


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize(("operation", "shapes"), CASES)
def test_every_operation(operation, shapes, images, bf16):
    inputs = tuple(Value(name, shape) for name, shape in zip(operation.inputs, shapes, strict=True))
    check(program("one", inputs, operation), images, bf16)


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize("make", [dcgan, mlp, vae], ids=["dcgan", "mlp", "vae"])
def test_small_generators(make, images, bf16):
    for made in make().programs.values():
        check(made, images, bf16)


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("seed", range(24))
def test_chains_drawn_from_a_seed(seed, bf16):
    check(cases.random_program(seed), IMAGES[seed % 3], bf16)


def test_more_values_than_an_operation_takes_are_taken_in_turns():
    inputs = tuple(Value(f"x{number}", (3, 2)) for number in range(11))
    names = tuple(value.name for value in inputs)
    add = graph.Add(name="add", inputs=names, outputs=("sum",))
    join = graph.Concat(name="join", inputs=(*names, "sum"), outputs=("all",))
    check(program("many", inputs, add, join), 17, bf16=False)


def test_both_values_of_a_binary_repeat():
    inputs = Value("a", (3, 1, 4)), Value("b", (1, 5, 1))
    for function in ("sub", "div"):
        binary = graph.Binary(name="f", inputs=("a", "b"), outputs=("y",), function=function)
        made = program("repeat", inputs, binary)
        feed = cases.inputs_of(made, 18)
        feed["b"] = np.abs(feed["b"]) + 1
        plan = cases.planned(made, cases.choices(18, best(False)))
        wanted = cases.expected(made, feed)["y"]
        np.testing.assert_allclose(cases.run(plan, feed)["y"], wanted, atol=1e-5)


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("images", [3, 40])
def test_images_are_those_of_the_floats(images, bf16):
    made = cases.upsampler()
    feed = cases.inputs_of(made, images)
    chosen = cases.choices(images, best(bf16), bf16=bf16)
    floats = cases.run(cases.planned(made, chosen), feed)["h2"]
    uint8 = cases.run(cases.planned(made, chosen, Form.IMAGES), feed)["h2"]
    scaled = floats * np.float32(127.5) + np.float32(127.5)
    np.testing.assert_array_equal(uint8, np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
def test_bits_do_not_depend_on_bands_threads_or_neighbours(bf16):
    made = cases.upsampler()
    feed = cases.inputs_of(made, 37)
    chosen = cases.choices(37, best(bf16), bf16=bf16, bands=True, cache_bytes=3 << 16)
    plan = cases.planned(made, chosen)
    assert plan.banded >= 2
    wanted = cases.run(plan, feed)["h2"]
    for changes in ({}, {"threads": 1}, {"capacity": 32}):
        other = cases.planned(made, cases.choices(37, best(bf16), bf16=bf16, **changes))
        np.testing.assert_array_equal(cases.run(other, feed)["h2"], wanted, str(changes))
    one = cases.run(plan, {"z": feed["z"][35:36]})["h2"]
    np.testing.assert_array_equal(one[0], wanted[35])


def test_labels_outside_tables_are_refused_by_name():
    inputs = (Value("labels", (4,), "int64"),)
    cut = graph.Slice(
        name="cut", inputs=("labels",), outputs=("some",), begin=(0,), sizes=(2,), step=(1,)
    )
    table = graph.Embedding(name="e", inputs=("some",), outputs=("y",), table=weights(1, 3, 4))
    made = program("labels", inputs, cut, table)
    made.values["some"] = Value("some", (2,), "int64")
    with pytest.raises(cases.UnsupportedError, match=r"slice 'cut': .*'labels' is computed with"):
        cases.planned(made, cases.choices(20, best(False)))
