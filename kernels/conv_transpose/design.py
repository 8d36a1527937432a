"""What a design is: one way to lay a convolution on a GPU, with its packing and its launch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kernels.conv_transpose.problem import Problem
from kernels.launch import Launch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Tile:
    """Block sizes and launch options of one configuration; rows, columns and depth of the product.

    rows: samples or positions of a tile; columns: output channels (or phases x channels); depth:
    input channels a step. `group` is how many chunks of an image row a program of grouped_columns
    walks over.
    """

    rows: int
    columns: int
    depth: int
    warps: int = 8
    stages: int = 3
    group: int = 1


@dataclass(frozen=True)
class Packed:
    """Weights, scale and shift in a design's layout, on the device where they will be used."""

    problem: Problem
    tile: Tile
    weight: torch.Tensor
    scale: torch.Tensor
    shift: torch.Tensor


@dataclass(frozen=True, slots=True)
class Work:
    """What a design does for one batch, counted from its tiling (not measured).

    executed_flops counts every product of a tile, also with zeros of padding; fill_bytes is what is
    fetched into shared memory from the second-level cache: x and w tiles of every step;
    compulsory_bytes is x, packed weights and output once; programs is the size of the grid.
    """

    executed_flops: int
    fill_bytes: int
    compulsory_bytes: int
    programs: int = 1


class Design(Protocol):
    """A design is a module with these names; it keeps no state."""

    NAME: str

    def refuses(self, problem: Problem, architecture: int) -> str | None:
        """Why this design cannot run a problem on a compute capability, or None."""
        ...

    def pack(
        self,
        problem: Problem,
        tile: Tile,
        weight: torch.Tensor,
        scale: torch.Tensor | None = None,
        shift: torch.Tensor | None = None,
    ) -> Packed:
        """Pack w [*kernel, in_channels / groups, out_channels] for a tile, padding with zeros.

        No scale means ones, no shift zeros. Raises ValueError for another shape.
        """
        ...

    def launches(self, packed: Packed, x: torch.Tensor, out: torch.Tensor) -> tuple[Launch, ...]:
        """The launches for checked, contiguous x and out, whose batch is below the offset limit.

        Usually one. x and out may be meta tensors when the launches are only to be compiled.
        """
        ...

    def work(self, problem: Problem, tile: Tile, batch: int) -> Work:
        """Count executed FLOPs and bytes for a batch."""
        ...
