"""The named configurations of every shipped kernel: what tests gate and the report shows.

A configuration is a kernel at a shape of a real model, with the tile that the planner gives it on
an architecture. Tensors are on torch's meta device: launches are made to be compiled, not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import torch

from kernels import latents, matmul_baseline, recurrent, reparam, sampler, truncated_latents
from kernels.conv_transpose import planner
from kernels.conv_transpose.design import Design, Tile
from kernels.conv_transpose.designs import load_design
from kernels.conv_transpose.packing import TORCH_TYPES
from kernels.conv_transpose.problem import Problem
from kernels.geometry import Geometry
from kernels.inspect.gate import Demand
from kernels.launch import Launch
from kernels.pointwise import configurations as pointwise

BATCH = 1024
# Inputs, weights and outputs, as pointers or as tensor maps.
WIDE = ("x_ptr", "w_ptr", "out_ptr", "x_desc", "w_desc", "out_desc")


@dataclass(frozen=True)
class Layer:
    """A convolution layer at a batch, with the design and tile chosen for it.

    `channels` are the input channels that are not padding.
    """

    problem: Problem
    batch: int
    design: Design
    tile: Tile
    channels: int

    @property
    def useful_flops(self) -> int:
        """FLOPs of the batch, without padding and taps outside the map."""
        return self.problem.useful_flops * self.channels // self.problem.in_channels * self.batch


@dataclass(frozen=True)
class Configuration:
    """A kernel to compile, and what is demanded of its binary.

    `narrow` says why its accesses are exempt from the 16-byte rule; `layer` is set where work can
    be counted.
    """

    name: str
    launch: Launch
    demand: Demand
    layer: Layer | None = None
    narrow: str = ""


def _up(size: tuple[int, ...], cin: int, cout: int) -> Problem:
    geometry = Geometry.transposed(size, (4,) * len(size), 2, 1)
    return Problem(geometry, cin, cout, activation="relu")


def _same(size: tuple[int, ...], kernel: int, channels: int, dilation: int = 1) -> Problem:
    taps = (kernel,) * len(size)
    geometry = Geometry.forward(size, taps, 1, dilation * (kernel // 2), dilation)
    return Problem(geometry, channels, channels, activation="leaky_relu")


_DCGAN_2 = _up((4, 4), 512, 256)
_POINT = Geometry("forward", (), (), (), (), (), ())

# Layers by name, with the batch they are planned for.
LAYERS: Mapping[str, tuple[Problem, int]] = {
    "dcgan-1": (Problem(Geometry.transposed((1, 1), (4, 4)), 104, 512, activation="relu"), BATCH),
    "dcgan-2": (_DCGAN_2, BATCH),
    "dcgan-3": (_up((8, 8), 256, 128), BATCH),
    "dcgan-4": (_up((16, 16), 128, 64), BATCH),
    "dcgan-5": (replace(_up((32, 32), 64, 3), activation="tanh", output="uint8"), BATCH),
    "dcgan-2 bf16": (replace(_DCGAN_2, operand="bf16", output="bf16"), BATCH),
    "dcgan-2 fp32": (replace(_DCGAN_2, operand="fp32", output="fp32"), BATCH),
    "cyclegan": (
        Problem(Geometry.transposed((64, 64), (3, 3), 2, 1, 1), 128, 64, activation="relu"),
        16,
    ),
    "hifi-gan": (
        Problem(Geometry.transposed((256,), (16,), 8, 4), 512, 256, activation="leaky_relu"),
        16,
    ),
    "hifi-gan dilated": (_same((2048,), 3, 256, 3), 16),
    "video": (_up((4, 8, 8), 256, 128), 64),
    "conv 1x1": (_same((32, 32), 1, 128), 64),
    "conv 3x3": (_same((32, 32), 3, 128), 64),
    "conv 3x3 stride 2": (Problem(Geometry.forward((64, 64), (3, 3), 2, 1), 128, 256), 16),
    "conv 7x7": (_same((32, 32), 7, 64), 64),
    "linear": (Problem(_POINT, 512, 1024, activation="relu"), BATCH),
    "grouped": (
        Problem(Geometry.transposed((16, 16), (4, 4), 2, 1), 64, 64, groups=64, activation="relu"),
        64,
    ),
}


@cache
def configurations(architecture: int | str) -> Mapping[str, Configuration]:
    """All configurations on a compute capability, or on 'gfx942', by name."""
    every = [_layer(name, *layer, architecture) for name, layer in LAYERS.items()]
    every += _others()
    return MappingProxyType({configuration.name: configuration for configuration in every})


@cache
def baselines() -> Mapping[str, Configuration]:
    """The tutorial's matrix products, which the loops of all others are compared with, by name."""
    tiles = matmul_baseline.TUTORIAL_TILES
    names = [f"matmul {tile.rows}x{tile.columns}x{tile.depth}" for tile in tiles]
    launches = matmul_baseline.tutorial_launches()
    return MappingProxyType(
        {
            name: Configuration(name, launch, Demand(tensor_cores=True))
            for name, launch in zip(names, launches, strict=True)
        }
    )


def layer_launch(layer: Layer, device: str = "meta") -> Launch:
    """The launch of a layer on empty tensors of a device; those on the CPU are zeros."""
    problem, geometry = layer.problem, layer.problem.geometry
    weight = torch.zeros(
        (*geometry.kernel, problem.in_channels // problem.groups, problem.out_channels),
        device=device,
    )
    x = torch.zeros(
        (layer.batch, *geometry.input_size, problem.in_channels),
        dtype=TORCH_TYPES[problem.operand],
        device=device,
    )
    out = torch.zeros(
        (layer.batch, *geometry.output_size, problem.out_channels),
        dtype=TORCH_TYPES[problem.output],
        device=device,
    )
    (launch,) = layer.design.launches(layer.design.pack(problem, layer.tile, weight), x, out)
    return launch


# Latents of 100 are padded to 104 where they are made.
_CHANNELS = {"dcgan-1": 100}


def _layer(name: str, problem: Problem, batch: int, architecture: int | str) -> Configuration:
    # AMD gets what sm_80 gets: no instruction of one make alone.
    wanted = architecture if isinstance(architecture, int) else 80
    plan = planner.plan(problem, batch, wanted)
    channels = _CHANNELS.get(name, problem.in_channels)
    layer = Layer(problem, batch, load_design(plan.design), plan.tile, channels)
    general = plan.design == "general"
    launch = layer_launch(layer)
    wide = () if general else _present(launch, *WIDE)
    return Configuration(
        name=name,
        launch=launch,
        demand=Demand(tensor_cores=not general, wide=wide),
        layer=layer,
        narrow="the general fallback asks nothing of the shapes" if general else "",
    )


def _latents() -> dict[str, Launch]:
    made = torch.empty((BATCH, 104), dtype=torch.float16, device="meta")
    (launch,) = latents.launches(made, 100, seed=0)
    return {"latents 100 fp16": launch}


def _others() -> list[Configuration]:
    """What is no layer: noise, recurrent steps, tokens, elementwise work and moves."""
    products = recurrent.named_launches()
    streams = _latents() | truncated_latents.named_launches()
    streams |= reparam.named_launches() | sampler.named_launches()
    return (
        [
            Configuration(name, launch, Demand(tensor_cores=True, wide=_present(launch, *_STEP)))
            for name, launch in products.items()
        ]
        + [
            Configuration(name, launch, Demand(wide=_present(launch, *_STREAMED)))
            for name, launch in streams.items()
        ]
        + [
            Configuration(name, launch, Demand(wide=pointwise.wide_arguments(name, launch)))
            for name, launch in pointwise.gated_launches().items()
        ]
    )


# Tensors of these kernels that have a row of 16 bytes or more a sample.
_STEP = ("x_ptr", "h_ptr", "weight_ptr")
_STREAMED = (
    *("logits_ptr", "out_ptr", "mean_ptr", "logvar_ptr", "eps_ptr", "z_ptr"),
    *("z_grad_ptr", "mean_grad_ptr", "logvar_grad_ptr", "eps_grad_ptr"),
)


def _present(launch: Launch, *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if name in launch.arguments)
