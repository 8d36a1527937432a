"""Layers of the suite as networks: random weights of a fixed seed, in every form there is."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.graphs import layer_graph
from benchmarks.layer_suite import Layer
from benchmarks.network import Array, Network
from engine.core.spec import GeneratorSpec, Noise, Output
from engine.program import gen
from engine.program.graph import Convolution, Program, Value
from engine.program.values import Layout

if TYPE_CHECKING:
    from torch import nn

_SEED = 0


def layer_network(layer: Layer, folder: Path) -> Network:
    """A layer as a one-operation Program, an ONNX graph and a module, with the same weights."""
    weight, bias = _parameters(layer)
    return Network(
        name=layer.name,
        source=layer.source,
        gen=_packed(layer, weight, bias, folder / f"{layer.name}.gen"),
        onnx=layer_graph(layer, weight, bias, folder / f"{layer.name}.onnx"),
        images=None,
        module=functools.cache(lambda: _module(layer, weight, bias)),
        inputs=("x",),
        input_shape=(layer.channels[0], *layer.size),
        output_shape=(layer.channels[1], *layer.geometry.output_size),
        value_range=None,
        bounded=False,
        flop_per_sample=layer.flop_per_sample,
        weights=weight.size + bias.size,
    )


def layer_inputs(layer: Layer) -> tuple[Array, ...]:
    """Normal numbers [batch, C, *size], channels last in memory: the order most ask for."""
    shape = (layer.batch, *layer.size, layer.channels[0])
    values = np.random.default_rng(_SEED).standard_normal(shape, np.float32)
    return (np.moveaxis(values, -1, 1),)


def _parameters(layer: Layer) -> tuple[Array, Array]:
    """weight [in, out, *kernel], scaled so that outputs are about normal; bias [out]."""
    numbers = np.random.default_rng(_SEED + 1)
    inside, outside = layer.channels
    weight = numbers.standard_normal((inside, outside, *layer.kernel), np.float32)
    products = inside * layer.geometry.useful_products() / layer.geometry.positions_out
    weight /= np.float32(np.sqrt(products))
    return weight, numbers.standard_normal(outside, np.float32)


def _packed(layer: Layer, weight: Array, bias: Array, path: Path) -> Path:
    axes = tuple(range(2, weight.ndim))
    given = _channels_last("x", (*layer.size, layer.channels[0]))
    made = _channels_last("y", (*layer.geometry.output_size, layer.channels[1]))
    step = Convolution(
        name=layer.name,
        inputs=("x",),
        outputs=("y",),
        geometry=layer.geometry,
        weight=np.ascontiguousarray(weight.transpose(*axes, 0, 1)),
        shift=bias,
    )
    program = Program(layer.name, (given,), (made,), (step,), {"x": given, "y": made})
    spec = GeneratorSpec(
        name=layer.name,
        family="layer",
        latent=Noise(given.shape, name="x"),
        output=Output(made.shape, layout="", name="y"),
        modality="tensor",
    )
    gen.write(path, gen.Gen(spec, {"decoder": program}))
    return path


def _channels_last(name: str, shape: tuple[int, ...]) -> Value:
    """A value whose tensors lie as the Program has it, so that nothing is moved to call it."""
    return Value(name, shape, layout=Layout((-1, *shape), tuple(range(1, len(shape) + 1))))


def _module(layer: Layer, weight: Array, bias: Array) -> nn.Module:
    import torch
    from torch import nn

    kinds = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    module = kinds[layer.rank - 1](
        *layer.channels, layer.kernel, layer.stride, layer.padding, layer.output_padding
    )
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight))
        module.bias.copy_(torch.from_numpy(bias))
    return module.eval()
