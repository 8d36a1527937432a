"""Small hand-made Programs with the specs that belong to them, weights drawn from a fixed seed."""

from __future__ import annotations

import numpy as np

from engine.core.spec import Condition, GeneratorSpec, Noise, Output
from engine.program import graph
from engine.program.gen import Gen, Source
from engine.program.graph import Activation, Operation, Program, Value
from engine.program.shapes import output_shapes
from kernels.geometry import Geometry

SOURCE = Source("model.onnx", "0" * 64, (("generator-engine", "0"), ("onnx", "1")))


def weights(seed: int, *shape: int) -> graph.Floats:
    """Normal numbers scaled so that sums over the inner axes keep their size."""
    draw = np.random.default_rng(seed).standard_normal(shape)
    inner = np.prod(shape[:-1]) if len(shape) > 1 else 4
    return (draw / np.sqrt(inner)).astype(np.float32)


def program(name: str, inputs: tuple[Value, ...], *operations: Operation) -> Program:
    """A Program of operations in order; shapes follow from its inputs, its end is the last one."""
    values = {value.name: value for value in inputs}
    for operation in operations:
        given = tuple(values[name].shape for name in operation.inputs)
        for made, shape in zip(operation.outputs, output_shapes(operation, given), strict=False):
            values[made] = Value(made, shape)
    outputs = tuple(values[name] for name in operations[-1].outputs)
    return Program(name, inputs, outputs, operations, values)


def upsampling(
    seed: int, source: str, target: str, size: int, channels: tuple[int, int], end: str
) -> graph.Convolution:
    """A transposed convolution k4 s2 p1 in two dimensions."""
    return graph.Convolution(
        name=target,
        inputs=(source,),
        outputs=(target,),
        geometry=Geometry.transposed((size, size), (4, 4), 2, 1),
        weight=weights(seed, 4, 4, *channels),
        shift=weights(seed + 1, channels[1]),
        activation=Activation(end),
    )


def dcgan(latent: int = 16, width: int = 8, channels: int = 3) -> Gen:
    """z [16] -> images [4, 4, 3]: linear, reshape, two transposed convolutions."""
    decoder = program(
        "decoder",
        (Value("z", (latent,)),),
        graph.Linear(
            name="first",
            inputs=("z",),
            outputs=("h",),
            weight=weights(1, latent, width),
            activation=Activation("relu"),
        ),
        graph.Reshape(name="map", inputs=("h",), outputs=("m",), shape=(1, 1, width)),
        upsampling(2, "m", "u", 1, (width, width), "relu"),
        upsampling(4, "u", "images", 2, (width, channels), "tanh"),
    )
    spec = GeneratorSpec(
        "tiny", "dcgan", Noise((latent,)), Output.image((channels, 4, 4)), entry_points=("decoder",)
    )
    return Gen(spec, {"decoder": decoder}, SOURCE)


def mlp() -> Gen:
    """z [10] -> images [6, 6, 1] in [0, 1]."""
    decoder = program(
        "decoder",
        (Value("z", (10,)),),
        graph.Linear(
            name="a",
            inputs=("z",),
            outputs=("h",),
            weight=weights(1, 10, 24),
            shift=weights(2, 24),
            activation=Activation("leaky_relu", 0.2),
        ),
        graph.Linear(
            name="b",
            inputs=("h",),
            outputs=("o",),
            weight=weights(3, 24, 36),
            activation=Activation("sigmoid"),
        ),
        graph.Reshape(name="c", inputs=("o",), outputs=("images",), shape=(6, 6, 1)),
    )
    output = Output.image((1, 6, 6), (0.0, 1.0))
    return Gen(GeneratorSpec("mlp", "gan", Noise((10,)), output), {"decoder": decoder}, SOURCE)


def vae() -> Gen:
    """A decoder with classes, residual and upsampling; an encoder of strided convolutions."""
    labels = Value("labels", (), "int64")
    decoder = program(
        "decoder",
        (Value("z", (5,)), labels),
        graph.Embedding(name="e", inputs=("labels",), outputs=("c",), table=weights(1, 3, 4)),
        graph.Concat(name="zc", inputs=("z", "c"), outputs=("j",)),
        graph.Linear(name="f", inputs=("j",), outputs=("h",), weight=weights(2, 9, 8)),
        graph.Reshape(name="g", inputs=("h",), outputs=("m",), shape=(1, 1, 8)),
        graph.Upsample(name="up", inputs=("m",), outputs=("n",), scales=(2, 2)),
        graph.Convolution(
            name="conv",
            inputs=("n",),
            outputs=("o",),
            geometry=Geometry.forward((2, 2), (3, 3), 1, 1),
            weight=weights(3, 3, 3, 8, 8),
            shift=weights(4, 8),
        ),
        graph.InstanceNorm(
            name="norm",
            inputs=("o",),
            outputs=("p",),
            scale=weights(5, 8) + 1,
            shift=weights(6, 8),
            activation=Activation("leaky_relu", 0.1),
        ),
        graph.Add(name="add", inputs=("p", "n"), outputs=("q",), activation=Activation("relu")),
        upsampling(7, "q", "images", 2, (8, 1), "tanh"),
    )
    down = graph.Convolution(
        name="down",
        inputs=("images",),
        outputs=("a",),
        geometry=Geometry.forward((4, 4), (4, 4), 2, 1),
        weight=weights(9, 4, 4, 1, 6),
        activation=Activation("relu"),
    )
    flat = graph.Reshape(name="flat", inputs=("a",), outputs=("b",), shape=(24,))
    encoder = program(
        "encoder",
        (Value("images", (4, 4, 1)), labels),
        down,
        flat,
        graph.Embedding(name="e", inputs=("labels",), outputs=("c",), table=weights(10, 3, 4)),
        graph.Concat(name="j", inputs=("b", "c"), outputs=("d",)),
        graph.Linear(name="m", inputs=("d",), outputs=("mean",), weight=weights(11, 28, 5)),
        graph.Linear(name="v", inputs=("d",), outputs=("logvar",), weight=weights(12, 28, 5)),
    )
    encoder = Program(
        encoder.name,
        encoder.inputs,
        (encoder.values["mean"], encoder.values["logvar"]),
        encoder.operations,
        encoder.values,
    )
    spec = GeneratorSpec(
        "tiny-vae",
        "vae",
        Noise((5,)),
        Output.image((1, 4, 4)),
        condition=Condition(names=("cat", "dog", "bird")),
        entry_points=("decoder", "encoder"),
    )
    return Gen(spec, {"decoder": decoder, "encoder": encoder}, SOURCE)


GENERATORS = {"dcgan": dcgan, "mlp": mlp, "vae": vae}
