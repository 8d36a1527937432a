"""The reference executor: programs by hand against torch in float64, and what it refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from engine.core.errors import ArtifactError, OptionError
from engine.program import graph
from engine.program.execute import execute
from engine.program.graph import Activation, Array, Operation, Program, Value
from engine.program.meaning import MEANINGS
from kernels.geometry import Geometry

torch = pytest.importorskip("torch")
F = torch.nn.functional

GENERATOR = np.random.default_rng(3)


def floats(*shape: int) -> Array:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def program(
    *operations: Operation, inputs: tuple[Value, ...], **shapes: tuple[int, ...]
) -> Program:
    values = {value.name: value for value in inputs}
    values |= {name: Value(name, shape) for name, shape in shapes.items()}
    last = operations[-1].outputs
    return Program(
        name="by hand",
        inputs=inputs,
        outputs=tuple(values[name] for name in last),
        operations=operations,
        values=values,
    )


def one(operation: Operation, shape: tuple[int, ...], **shapes: tuple[int, ...]) -> Program:
    return program(operation, inputs=(Value("x", shape),), **shapes)


def generator() -> Program:
    """A conditional DCGAN of 8 x 8 in miniature."""
    return program(
        graph.Embedding(name="look", inputs=("label",), outputs=("e",), table=floats(4, 3)),
        graph.Concat(name="join", inputs=("z", "e"), outputs=("ze",)),
        graph.Reshape(name="map", inputs=("ze",), outputs=("m",), shape=(1, 1, 8)),
        graph.Convolution(
            name="first",
            inputs=("m",),
            outputs=("a",),
            geometry=Geometry.transposed((1, 1), (4, 4)),
            weight=floats(4, 4, 8, 6),
            shift=floats(6),
            activation=Activation("relu"),
        ),
        graph.Convolution(
            name="image",
            inputs=("a",),
            outputs=("image",),
            geometry=Geometry.transposed((4, 4), (4, 4), 2, 1),
            weight=floats(4, 4, 6, 3),
            activation=Activation("tanh"),
        ),
        inputs=(Value("z", (5,)), Value("label", (), "int64")),
        e=(3,),
        ze=(8,),
        m=(1, 1, 8),
        a=(4, 4, 6),
        image=(8, 8, 3),
    )


def samples(batch: int) -> Mapping[str, Array]:
    return {"z": floats(batch, 5), "label": np.arange(batch) % 4}


def test_generator_against_torch() -> None:
    made, inputs = generator(), samples(5)
    look, _, _, first, image = made.operations
    x = np.concatenate([inputs["z"], look.table[inputs["label"]]], axis=1)  # type: ignore[attr-defined]
    x = torch.from_numpy(x.astype(np.float64)).reshape(5, 8, 1, 1)
    weights = [torch.from_numpy(op.weight).double().permute(2, 3, 0, 1) for op in (first, image)]  # type: ignore[attr-defined]
    x = F.relu(F.conv_transpose2d(x, weights[0], torch.from_numpy(first.shift).double()))  # type: ignore[attr-defined]
    x = torch.tanh(F.conv_transpose2d(x, weights[1], stride=2, padding=1))
    expected = x.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(execute(made, inputs)["image"], expected, rtol=1e-12, atol=1e-13)


def test_rows_do_not_know_each_other() -> None:
    made, inputs = generator(), samples(5)
    together = execute(made, inputs)["image"]
    alone = execute(made, {name: array[3:4] for name, array in inputs.items()})["image"]
    np.testing.assert_allclose(alone[0], together[3], rtol=1e-13, atol=1e-15)


def test_empty_batch() -> None:
    out = execute(generator(), samples(0))["image"]
    assert out.shape == (0, 8, 8, 3)


def test_nan_stays_in_its_sample() -> None:
    inputs = dict(samples(3))
    inputs["z"][1, 2] = np.nan
    out = execute(generator(), inputs)["image"]
    assert np.isnan(out[1]).all()
    assert np.isfinite(out[[0, 2]]).all()


def test_float32_rounds_each_result() -> None:
    made, inputs = generator(), samples(2)
    out = execute(made, inputs, dtype=np.float32)["image"]
    assert out.dtype == np.float32
    exact = execute(made, inputs)["image"]
    assert exact.dtype == np.float64
    assert 0 < np.abs(out - exact).max() < 1e-5


def test_observe_sees_every_operation() -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []
    execute(
        generator(),
        samples(2),
        observe=lambda op, made: seen.append((op.name, made[op.outputs[0]].shape)),
    )
    assert seen == [
        ("look", (2, 3)),
        ("join", (2, 8)),
        ("map", (2, 1, 1, 8)),
        ("first", (2, 4, 4, 6)),
        ("image", (2, 8, 8, 3)),
    ]


def test_every_operation_has_a_meaning() -> None:
    assert {*MEANINGS, graph.Constant} == set(graph.OPERATIONS.values())


def test_inputs_are_not_changed() -> None:
    x = floats(2, 3)
    before = x.copy()
    relu = graph.Elementwise(name="r", inputs=("x",), outputs=("y",), activation=Activation("relu"))
    execute(one(relu, (3,), y=(3,)), {"x": x}, dtype=np.float32)
    np.testing.assert_array_equal(x, before)


def test_residual_upsample_norm() -> None:
    scale, shift = floats(4), floats(4)
    made = program(
        graph.InstanceNorm(
            name="n",
            inputs=("x",),
            outputs=("n",),
            scale=scale,
            shift=shift,
            activation=Activation("leaky_relu", 0.2),
        ),
        graph.Add(name="a", inputs=("n", "x"), outputs=("a",), activation=Activation("relu")),
        graph.Upsample(name="u", inputs=("a",), outputs=("u",), scales=(2, 3)),
        graph.Permute(name="p", inputs=("u",), outputs=("p",), axes=(2, 0, 1)),
        inputs=(Value("x", (3, 5, 4)),),
        n=(3, 5, 4),
        a=(3, 5, 4),
        u=(6, 15, 4),
        p=(4, 6, 15),
    )
    x = floats(2, 3, 5, 4)
    t = torch.from_numpy(x).double().permute(0, 3, 1, 2)
    n = F.instance_norm(
        t, weight=torch.from_numpy(scale).double(), bias=torch.from_numpy(shift).double()
    )
    expected = F.interpolate(F.relu(F.leaky_relu(n, 0.2) + t), scale_factor=(2, 3)).numpy()
    np.testing.assert_allclose(execute(made, {"x": x})["p"], expected, rtol=1e-10, atol=1e-12)


def test_linear() -> None:
    op = graph.Linear(
        name="l",
        inputs=("x",),
        outputs=("y",),
        weight=floats(5, 2),
        shift=floats(2),
        activation=Activation("sigmoid"),
    )
    x = floats(3, 5)
    expected = 1 / (1 + np.exp(-(x.astype(float) @ op.weight.astype(float) + op.shift)))
    out = execute(one(op, (5,), y=(2,)), {"x": x})["y"]
    np.testing.assert_allclose(out, expected, rtol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_recurrent_gives_its_last_states(cell: str) -> None:
    gates, states = (4, ("s", "h", "c")) if cell == "lstm" else (3, ("s", "h"))
    op = graph.Recurrent(
        name="r",
        inputs=("x",),
        outputs=states,
        cell=cell,  # type: ignore[arg-type]
        weight=floats(2, gates * 3),
        recurrent=floats(3, gates * 3),
        bias=floats(gates * 3),
        recurrent_bias=floats(gates * 3),
    )
    shapes = {"s": (4, 3), "h": (3,), "c": (3,)}
    out = execute(
        one(op, (4, 2), **{name: shapes[name] for name in states}), {"x": floats(5, 4, 2)}
    )
    assert set(out) == set(states)
    np.testing.assert_array_equal(out["h"], out["s"][:, -1])


RELU = graph.Elementwise(name="r", inputs=("x",), outputs=("y",), activation=Activation("relu"))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        pytest.param({}, "takes the inputs x, not none", id="missing"),
        pytest.param({"x": floats(1, 3), "w": floats(1)}, "not w, x", id="unknown"),
        pytest.param({"x": floats(1, 4)}, "shape \\[1, 4\\]", id="shape"),
        pytest.param({"x": np.float32(1)}, "shape \\[\\]", id="scalar"),
        pytest.param({"x": np.ones((1, 3), np.int64)}, "is int64", id="integer"),
        pytest.param({"x": np.ones((1, 3), complex)}, "is complex128", id="complex"),
    ],
)
def test_inputs_refused(inputs: dict[str, Array], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        execute(one(RELU, (3,), y=(3,)), inputs)


def test_different_batches_refused() -> None:
    with pytest.raises(OptionError, match="z 2, label 3"):
        execute(generator(), {"z": floats(2, 5), "label": np.arange(3)})


@pytest.mark.parametrize("label", [-1, 4])
def test_label_out_of_range_refused(label: int) -> None:
    with pytest.raises(OptionError, match="look looks up"):
        execute(generator(), {"z": floats(1, 5), "label": np.array([label])})


def test_program_that_lies_about_a_shape() -> None:
    with pytest.raises(ArtifactError, match=r"r \(elementwise\) makes 'y' of shape \[3\]"):
        execute(one(RELU, (3,), y=(4,)), {"x": floats(1, 3)})


def test_program_that_reads_what_is_not_there() -> None:
    lost = dataclasses.replace(RELU, inputs=("q",))
    with pytest.raises(ArtifactError, match="r reads 'q'"):
        execute(one(lost, (3,), y=(3,)), {"x": floats(1, 3)})


def test_program_with_weights_that_do_not_fit() -> None:
    op = graph.Linear(name="l", inputs=("x",), outputs=("y",), weight=floats(5, 2))
    with pytest.raises(ArtifactError, match=r"l \(linear\): x \(1, 3\)"):
        execute(one(op, (3,), y=(2,)), {"x": floats(1, 3)})
