"""Where inputs, taps and outputs of a convolution meet, forward or transposed, on 0 to 3 axes.

Along each axis, input i, tap k and output o meet where

    forward:     i = stride * o + dilation * k - padding
    transposed:  o = stride * i + dilation * k - padding

with 0 <= i < input_size and 0 <= o < output_size. `padding` is that of the low side, where it is
zeros around the input (forward) or outputs cut off (transposed). The high side is said by
`output_size` alone: an output that meets nothing is an empty sum. So ONNX's `pads`, `auto_pad`,
`output_padding` and `output_shape` have exactly one form here, as long as no low side is negative;
a negative one is a crop of the input, or a padding of the output, apart from the convolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Direction = Literal["forward", "transposed"]
Size = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Geometry:
    """One convolution's axes, outermost first; all fields but `direction` have the same length.

    Raises ValueError for more than 3 axes, and if a size is below its least: 0 for padding,
    input_size and output_size, 1 for the rest.
    """

    direction: Direction
    input_size: Size
    output_size: Size
    kernel: Size
    stride: Size
    padding: Size
    dilation: Size

    def __post_init__(self) -> None:
        if self.direction not in ("forward", "transposed"):
            raise ValueError(f"direction {self.direction!r} must be 'forward' or 'transposed'")
        if self.rank > 3:
            raise ValueError(f"input_size={self.input_size} must have at most 3 axes")
        least = {"input_size": 0, "output_size": 0, "kernel": 1}
        least |= {"stride": 1, "padding": 0, "dilation": 1}
        for name, smallest in least.items():
            sizes: Size = getattr(self, name)
            if len(sizes) != self.rank or any(size < smallest for size in sizes):
                raise ValueError(
                    f"{name}={sizes} must be {self.rank} numbers of at least {smallest}"
                )

    @classmethod
    def transposed(
        cls,
        input_size: Size,
        kernel: Size,
        stride: Size | int = 1,
        padding: Size | int = 0,
        output_padding: Size | int = 0,
        dilation: Size | int = 1,
    ) -> Geometry:
        """A transposed convolution in PyTorch's terms (torch.nn.ConvTranspose2d).

        Raises ValueError where PyTorch would refuse, or if nothing is left of the output.
        """
        rank = len(input_size)
        steps, pads = _axes(stride, rank), _axes(padding, rank)
        extra, apart = _axes(output_padding, rank), _axes(dilation, rank)
        for more, step, gap in zip(extra, steps, apart, strict=True):
            if more and more >= max(step, gap):
                raise ValueError(
                    f"output_padding={extra} must be smaller than stride={steps} or "
                    f"dilation={apart}"
                )
        output_size = tuple(
            (size - 1) * step - 2 * pad + gap * (taps - 1) + more + 1 if size else 0
            for size, taps, step, pad, more, gap in zip(
                input_size, kernel, steps, pads, extra, apart, strict=True
            )
        )
        _check_output(output_size)
        return cls("transposed", input_size, output_size, kernel, steps, pads, apart)

    @classmethod
    def forward(
        cls,
        input_size: Size,
        kernel: Size,
        stride: Size | int = 1,
        padding: Size | int = 0,
        dilation: Size | int = 1,
    ) -> Geometry:
        """A convolution in PyTorch's terms (torch.nn.Conv2d). Raises ValueError as PyTorch does."""
        rank = len(input_size)
        steps, pads, apart = _axes(stride, rank), _axes(padding, rank), _axes(dilation, rank)
        output_size = tuple(
            (size + 2 * pad - gap * (taps - 1) - 1) // step + 1
            for size, taps, step, pad, gap in zip(
                input_size, kernel, steps, pads, apart, strict=True
            )
        )
        _check_output(output_size)
        return cls("forward", input_size, output_size, kernel, steps, pads, apart)

    @property
    def rank(self) -> int:
        """Number of axes: 1, 2 or 3 (0 is a linear layer: one position, one tap)."""
        return len(self.input_size)

    @property
    def positions_in(self) -> int:
        """Input positions of one sample."""
        return math.prod(self.input_size)

    @property
    def positions_out(self) -> int:
        """Output positions of one sample."""
        return math.prod(self.output_size)

    @property
    def taps(self) -> int:
        """Taps of the kernel."""
        return math.prod(self.kernel)

    def as_3d(self) -> Geometry:
        """The same convolution with leading axes of size 1 up to three."""
        ones, zeros = (1,) * (3 - self.rank), (0,) * (3 - self.rank)
        return Geometry(
            self.direction,
            ones + self.input_size,
            ones + self.output_size,
            ones + self.kernel,
            ones + self.stride,
            zeros + self.padding,
            ones + self.dilation,
        )

    def inputs_of(self, axis: int, output: int) -> tuple[tuple[int, int], ...]:
        """Pairs (tap, input) that meet one output position along an axis, taps rising."""
        size, step = self.input_size[axis], self.stride[axis]
        pad, gap = self.padding[axis], self.dilation[axis]
        pairs = []
        for tap in range(self.kernel[axis]):
            if self.direction == "forward":
                source, rest = step * output + gap * tap - pad, 0
            else:
                source, rest = divmod(output + pad - gap * tap, step)
            if rest == 0 and 0 <= source < size:
                pairs.append((tap, source))
        return tuple(pairs)

    def useful_products(self) -> int:
        """Triples (input, tap, output) that meet inside the map: the useful part of the work.

        Useful FLOPs of a layer are 2 * batch * in_channels * out_channels / groups times this.
        """
        return math.prod(self._products(axis) for axis in range(self.rank))

    def _products(self, axis: int) -> int:
        """Triples along one axis, counted without walking over them: audio has long axes."""
        near, far = self.output_size[axis], self.input_size[axis]
        if self.direction == "transposed":
            near, far = far, near
        step, count = self.stride[axis], 0
        for tap in range(self.kernel[axis]):
            # Positions n of the near side with 0 <= step * n - offset < far.
            offset = self.padding[axis] - self.dilation[axis] * tap
            first, last = max(0, -(-offset // step)), min(near - 1, (far - 1 + offset) // step)
            count += max(0, last - first + 1)
        return count


def _axes(value: Size | int, rank: int) -> Size:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _check_output(output_size: Size) -> None:
    if any(size < 0 for size in output_size):
        raise ValueError(f"the output would have size {output_size}; the input is too small")
