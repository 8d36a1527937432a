"""act(a + b), act(a * b), act(x * scale + shift) and their like, in one pass each.

a, b, x and out [batch, *shape], scale, shift and slope broadcast to x by numpy's rule. Bytes: the
operands and the output once; unfused, each further step reads and writes the map again. At the end
of a matrix product the same is free: use the epilogue there. References:
`kernels.reference.arithmetic`, `kernels.reference.activation`.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from kernels.launch import Launch
from kernels.pointwise.checks import check, output
from kernels.pointwise.map import Operand, map_launches
from kernels.pointwise.walk import broadcast, dense
from kernels.reference.activation import FUNCTIONS
from kernels.reference.arithmetic import BINARY

Function = Literal["add", "sub", "mul", "div", "max", "min"]


def binary_launches(
    function: Function,
    a: Tensor,
    b: Tensor,
    out: Tensor,
    activation: str = "none",
    alpha: float = 0.0,
    beta: float = 0.0,
) -> tuple[Launch, ...]:
    """Launches of act(a <function> b) for checked tensors."""
    return map_launches(
        f"pointwise_{function}",
        out.shape[1:],
        Operand(out, dense(out.shape)),
        Operand(a, broadcast(a.shape, out.shape)),
        Operand(b, broadcast(b.shape, out.shape)),
        function=function,
        activation=activation,
        alpha=alpha,
        beta=beta,
    )


def binary(
    function: Function,
    a: Tensor,
    b: Tensor,
    *,
    activation: str = "none",
    alpha: float = 0.0,
    beta: float = 0.0,
    out: Tensor | None = None,
) -> Tensor:
    """act(a <function> b): one rank, axes of size 1 repeat to the other's size; type of a.

    ValueError for an unknown function or activation, shapes that do not fit, and what
    `kernels.pointwise.checks.check` refuses.
    """
    check(a=a, b=b)
    _check_names(activation, function)
    if a.ndim != b.ndim or a.ndim < 1:
        raise ValueError(f"a {tuple(a.shape)} and b {tuple(b.shape)} must have one rank above 0")
    # A size of 1 gives way to the other's, also to 0.
    shape = [j if i == 1 else i for i, j in zip(a.shape, b.shape, strict=True)]
    out = output(out, shape, a, b, in_place=True)
    for launch in binary_launches(function, a, b, out, activation, alpha, beta):
        launch.run()
    return out


def add(
    *values: Tensor,
    activation: str = "none",
    alpha: float = 0.0,
    beta: float = 0.0,
    out: Tensor | None = None,
) -> Tensor:
    """act(a + b + ...) of values of one shape, in pairs: each sum is rounded to the values' type.

    ValueError as `binary`, for other shapes, and for fewer than two values.
    """
    shapes = [tuple(value.shape) for value in values]
    if len(values) < 2 or len(set(shapes)) > 1:
        raise ValueError(f"shapes {shapes} must be one shape, of at least two values")
    total = values[0]
    for value in values[1:-1]:
        total = binary("add", total, value)
    return binary("add", total, values[-1], activation=activation, alpha=alpha, beta=beta, out=out)


def affine_launches(
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    out: Tensor,
    activation: str = "none",
    alpha: float = 0.0,
    beta: float = 0.0,
    function: str = "affine",
) -> tuple[Launch, ...]:
    """Launches of act(x * scale + shift), or with "prelu" of x or x * scale below zero."""
    return map_launches(
        f"pointwise_{function}",
        x.shape[1:],
        Operand(out, dense(out.shape)),
        Operand(x, dense(x.shape)),
        None if scale is None else Operand(scale, broadcast(scale.shape, x.shape)),
        None if shift is None else Operand(shift, broadcast(shift.shape, x.shape)),
        function=function,
        activation=activation,
        alpha=alpha,
        beta=beta,
    )


def affine(
    x: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
    *,
    activation: str = "none",
    alpha: float = 0.0,
    beta: float = 0.0,
    out: Tensor | None = None,
) -> Tensor:
    """act(x * scale + shift): x [batch, *shape], vectors [channels] or of any shape that repeats.

    Without scale and shift it is the activation alone. ValueError as `binary`.
    """
    vectors = {"scale": scale, "shift": shift}
    check(x=x, **{name: value for name, value in vectors.items() if value is not None})
    _check_names(activation)
    _check_rank(x)
    out = output(out, x.shape, x, scale, shift, in_place=True)
    for launch in affine_launches(x, scale, shift, out, activation, alpha, beta):
        launch.run()
    return out


def prelu(x: Tensor, slope: Tensor, *, out: Tensor | None = None) -> Tensor:
    """x, or slope * x below zero; slope repeats as in `affine`. ValueError as `binary`."""
    check(x=x, slope=slope)
    _check_rank(x)
    out = output(out, x.shape, x, slope, in_place=True)
    for launch in affine_launches(x, slope, None, out, function="prelu"):
        launch.run()
    return out


def _check_rank(x: Tensor) -> None:
    if x.ndim < 1:
        raise ValueError("x [] must be [batch, *shape]")


def _check_names(activation: str, function: str = "add") -> None:
    if activation not in FUNCTIONS:
        raise ValueError(f"activation {activation!r} is not one of {', '.join(sorted(FUNCTIONS))}")
    if function not in BINARY:
        raise ValueError(f"function {function!r} is not one of {', '.join(BINARY)}")
