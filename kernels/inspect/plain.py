"""Plain transposed convolutions beside the fused designs, so that a reader sees what these save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import cast

import torch

from kernels.configurations import LAYERS, Configuration, Layer
from kernels.conv_transpose import baseline
from kernels.conv_transpose.baseline import BASELINES, Baseline
from kernels.conv_transpose.design import Packed, Tile, Work
from kernels.conv_transpose.packing import TORCH_TYPES
from kernels.conv_transpose.problem import Problem
from kernels.inspect.gate import Demand
from kernels.launch import Launch

# Layers that are shown in both ways.
NAMES = ("dcgan-2", "dcgan-3", "dcgan-4", "dcgan-5")
_ROWS, _DEPTH, _WIDEST = 128, 64, 128


@dataclass
class PlainDesign:
    """A baseline in the form of a design."""

    NAME: str

    def refuses(self, problem: Problem, architecture: int) -> str | None:
        """Why there is none for a problem."""
        return baseline.refuses(problem)

    def pack(
        self,
        problem: Problem,
        tile: Tile,
        weight: torch.Tensor,
        scale: torch.Tensor | None = None,
        shift: torch.Tensor | None = None,
    ) -> Packed:
        """Keep the weights as they are: the baseline packs them with its launches."""
        unused = torch.empty(0, device=weight.device)
        return Packed(problem, tile, weight, unused if scale is None else scale, unused)

    def launches(self, packed: Packed, x: torch.Tensor, out: torch.Tensor) -> tuple[Launch, ...]:
        """All launches, in order."""
        tensors = (x, packed.weight, None, None)
        return baseline.launches(
            cast(Baseline, self.NAME), packed.problem, packed.tile, tensors, out
        )

    def work(self, problem: Problem, tile: Tile, batch: int) -> Work:
        """Count all launches together."""
        return baseline.work(cast(Baseline, self.NAME), problem, tile, batch)


@cache
def plain() -> Mapping[str, Configuration]:
    """The product of each baseline, by name: 'dcgan-2, zero_insertion'."""
    found = {}
    for name in NAMES:
        problem, batch = LAYERS[name]
        columns = min(_WIDEST, max(16, 1 << (problem.out_channels - 1).bit_length()))
        tile = Tile(_ROWS, columns, _DEPTH)
        for kind in BASELINES:
            layer = Layer(problem, batch, PlainDesign(kind), tile, problem.in_channels)
            launches = plain_launches(layer)
            product = next(each for each in launches if each.name == kind)
            found[plain_name(name, kind)] = Configuration(
                plain_name(name, kind), product, Demand(), layer
            )
    return MappingProxyType(found)


def plain_name(name: str, kind: Baseline) -> str:
    """The name of a layer's baseline."""
    return f"{name}, {kind}"


def plain_launches(layer: Layer) -> tuple[Launch, ...]:
    """Every launch of a baseline, on meta tensors."""
    problem, geometry = layer.problem, layer.problem.geometry
    weight, x, out = (
        torch.empty(shape, dtype=TORCH_TYPES[kind], device="meta")
        for shape, kind in (
            ((*geometry.kernel, problem.in_channels, problem.out_channels), "fp32"),
            ((layer.batch, *geometry.input_size, problem.in_channels), problem.operand),
            ((layer.batch, *geometry.output_size, problem.out_channels), problem.output),
        )
    )
    return layer.design.launches(layer.design.pack(problem, layer.tile, weight), x, out)
