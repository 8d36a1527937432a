"""A network as all contestants are given it: files, module, and what counts as its work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Device
from benchmarks.results import Output, Precision

if TYPE_CHECKING:
    from torch import nn

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Network:
    """One network: `.gen` and ONNX files, the PyTorch module, shapes, useful work.

    inputs are the names of the network's arguments in their order, output_shape is [C, *sizes];
    the `.gen` of a layer takes and gives [*sizes, C].
    images is the ONNX graph that ends in uint8 NHWC; it and value_range are None for layers.
    `bounded` says that its last function (tanh, sigmoid) keeps it in its range.
    """

    name: str
    source: str
    gen: Path
    onnx: Path
    images: Path | None
    module: Callable[[], nn.Module]
    inputs: tuple[str, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    value_range: tuple[float, float] | None
    bounded: bool
    flop_per_sample: int
    weights: int

    def weight_bytes(self, precision: Precision) -> int:
        """Memory of the weights in a precision."""
        return self.weights * (4 if precision == "fp32" else 2)

    def activation_bytes(self, output: Output) -> int:
        """Bytes a sample that no method avoids: float32 inputs read, outputs written."""
        made = int(np.prod(self.output_shape))
        return 4 * int(np.prod(self.input_shape)) + made * (4 if output == "float32" else 1)


@dataclass(frozen=True, eq=False)
class Work:
    """What a contestant is to do: these inputs [n, ...] (latents, then labels) to that output.

    Inputs lie in host memory; so must the result: uint8 [n, H, W, C], or float32 [n, C, *sizes] in
    whatever order of axes suits the contestant. `folder` is for the files it needs.
    """

    network: Network
    inputs: tuple[Array, ...]
    precision: Precision
    output: Output
    threads: int
    folder: Path
    device: Device = "cpu"

    @property
    def n(self) -> int:
        """Samples of one call."""
        return len(self.inputs[0])

    @property
    def graph(self) -> Path:
        """The ONNX graph that gives what is asked for. Raises ValueError where there is none."""
        if self.output == "float32":
            return self.network.onnx
        if self.network.images is None:
            raise ValueError(f"{self.network.name} makes no images")
        return self.network.images

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of the result in the order that it is read in."""
        shape = self.network.output_shape
        return (self.n, *shape[1:], shape[0]) if self.output == "uint8" else (self.n, *shape)

    def empty_result(self) -> Array:
        """Host memory for the result, touched, so that its pages are there before time is taken."""
        return np.zeros(self.result_shape, np.uint8 if self.output == "uint8" else np.float32)

    def parts(self, batch_size: int) -> list[slice]:
        """The samples in batches; the last one is whole too, since sizes divide n."""
        return [slice(first, first + batch_size) for first in range(0, self.n, batch_size)]


def image_scale(network: Network) -> tuple[float, float]:
    """(scale, shift): uint8 is the whole part of values * scale + shift, which rounds to nearest.

    Values of a network that is not `bounded` must be clipped to 0 .. 255 in between.
    """
    if network.value_range is None:
        raise ValueError(f"{network.name} makes no images")
    low, high = network.value_range
    scale = 255.0 / (high - low)
    return scale, 0.5 - low * scale
