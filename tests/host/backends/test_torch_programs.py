"""Programs in torch against the float64 executor: every operation, and every form of a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import Engine
from engine.backends._torch.layers import convolution
from engine.backends._torch.network import Network
from engine.images import to_uint8
from engine.program import gen
from engine.program.execute import execute
from engine.program.graph import Activation, Convolution, Embedding, Operation, Program, Value
from kernels.geometry import Geometry
from tests.cases.operations import CASES
from tests.cases.small_programs import GENERATORS, weights

# Sums of at most 300 terms of size 1 in float32, some of which cancel.
BOUND = 1e-5


def program_of(operation: Operation, shapes: tuple[tuple[int, ...], ...]) -> Program:
    inputs = tuple(Value(name, shape) for name, shape in zip(operation.inputs, shapes, strict=True))
    outputs = tuple(Value(name, ()) for name in operation.outputs)
    values = {value.name: value for value in (*inputs, *outputs)}
    return Program("one", inputs, outputs, (operation,), values)


@pytest.mark.parametrize(("operation", "shapes"), CASES)
def test_operations(operation: Operation, shapes: tuple[tuple[int, ...], ...]) -> None:
    from engine.program.meaning import MEANINGS

    random = np.random.default_rng(0)
    values = [random.standard_normal((4, *shape)).astype(np.float32) for shape in shapes]
    meant = MEANINGS[type(operation)](operation, *values)
    network = Network(program_of(operation, shapes), torch.float32)
    feed = {n: torch.from_numpy(v) for n, v in zip(operation.inputs, values, strict=True)}
    made = network.run(feed)
    for name, wanted in zip(
        operation.outputs, meant if isinstance(meant, tuple) else (meant,), strict=True
    ):
        assert made[name].shape == wanted.shape
        assert np.abs(made[name].numpy() - wanted).max() <= BOUND


def test_embedding() -> None:
    table = weights(1, 7, 3)
    operation = Embedding(name="op", inputs=("x",), outputs=("y",), table=table)
    network = Network(program_of(operation, ((),)), torch.float32)
    made = network.run({"x": torch.tensor([6, 0, 6])})["y"]
    assert np.array_equal(made.numpy(), table[[6, 0, 6]])


# Each line is a form of a layer, or an end of an axis that torch's own arguments cannot say.
LAYERS = {
    "one-position": (Geometry.transposed((1, 1), (4, 4)), 9, 5, 1),
    "one-position-cut": (Geometry.transposed((1, 1), (4, 3), 1, 1), 9, 5, 1),
    "phases": (Geometry.transposed((5, 6), (4, 4), 2, 1), 8, 3, 1),
    "phases-uneven": (Geometry.transposed((5, 3), (5, 3), (2, 3), (2, 0), (1, 2)), 8, 2, 1),
    "phases-dilated": (Geometry.transposed((5,), (3,), 2, 1, dilation=3), 8, 3, 1),
    "phases-3d": (Geometry.transposed((2, 3, 2), (4, 4, 4), 2, 1), 4, 1, 1),
    "torch": (Geometry.transposed((4, 4), (4, 4), 2, 1), 8, 12, 1),
    "torch-grouped": (Geometry.transposed((4, 4), (3, 3), 2, 1, 1), 8, 12, 4),
    "torch-1d": (Geometry.transposed((7,), (16,), 8, 4), 6, 20, 1),
    "forward": (Geometry.forward((6, 5), (3, 3), 2, 1), 4, 6, 2),
    "forward-dilated": (Geometry.forward((9,), (3,), 1, 2, 2), 4, 6, 1),
    "more-at-the-end": (
        Geometry("transposed", (3,), (11,), (4,), (2,), (1,), (1,)),
        4,
        20,
        1,
    ),
    "less-at-the-end": (Geometry("transposed", (1,), (1,), (4,), (2,), (3,), (1,)), 4, 4, 2),
    "forward-odd-ends": (
        Geometry("forward", (5, 5), (3, 5), (3, 3), (2, 1), (1, 0), (1, 1)),
        4,
        4,
        1,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    geometry, inputs, outputs, groups = LAYERS[name]
    operation = Convolution(
        name="layer",
        inputs=("x",),
        outputs=("y",),
        geometry=geometry,
        weight=weights(1, *geometry.kernel, inputs // groups, outputs),
        shift=weights(2, outputs),
        groups=groups,
        activation=Activation("leaky_relu", 0.2),
    )
    from engine.program.meaning import MEANINGS

    x = np.random.default_rng(3).standard_normal((3, *geometry.input_size, inputs))
    meant = MEANINGS[Convolution](operation, x.astype(np.float32))
    made = convolution(operation, torch.tensor)(torch.tensor(x, dtype=torch.float32))
    assert made.shape == meant.shape
    assert np.abs(made.numpy() - meant).max() <= BOUND


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("gen")
    for name, make in GENERATORS.items():
        gen.write(folder / f"{name}.gen", make())
    return {name: folder / f"{name}.gen" for name in GENERATORS}


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(name: str, files: dict[str, Path]) -> None:
    options: dict[str, Any] = {"batch_size": 5}
    with (
        Engine(files[name], backend="torch", **options) as engine,
        Engine(files[name], backend="numpy", **options) as reference,
    ):
        made = engine.generate(7, output="float32")
        assert np.abs(made - reference.generate(7, output="float32")).max() <= BOUND
        if engine.spec.modality == "image":
            assert np.array_equal(engine.generate(7), to_uint8(made, engine.spec.output.range))


def test_bf16_is_close(files: dict[str, Path]) -> None:
    with (
        Engine(files["dcgan"], backend="torch", precision="bf16") as engine,
        Engine(files["dcgan"], backend="numpy") as reference,
    ):
        difference = engine.generate(8, output="float32") - reference.generate(8, output="float32")
    # A few roundings of 2^-9 a layer, relative to outputs of size 1, magnified by what cancels.
    assert 1e-6 < np.abs(difference).max() <= 20 * 2.0**-8


def test_a_shared_input_serves_all_samples() -> None:
    from engine.program.graph import Add
    from engine.program.values import Layout

    shared = Value("a", (3,), layout=Layout((3,), (0,), batch=None))
    values = {"a": shared, "b": Value("b", (3,)), "y": Value("y", (3,))}
    add = Add(name="add", inputs=("a", "b"), outputs=("y",))
    program = Program("p", (shared, values["b"]), (values["y"],), (add,), values)
    a, b = np.ones((1, 3), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    made = Network(program, torch.float32).run({"a": torch.tensor(a), "b": torch.tensor(b)})
    assert np.array_equal(made["y"].numpy(), execute(program, {"a": a, "b": b})["y"])
