"""Bounds hold for torch's own arithmetic, and are tight enough to see one lost tap."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.bounds import converted, exceeds, growth, tolerance
from kernels.geometry import Geometry
from kernels.reference.activation import activation
from kernels.reference.convolution import convolution
from kernels.reference.image import to_uint8

torch = pytest.importorskip("torch")

TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
GEOMETRY = Geometry.transposed((4, 4), (4, 4), 2, 1)
CHANNELS = 96
DEPTH = 4 * CHANNELS


def layer(operand: str) -> tuple[torch.Tensor, torch.Tensor, np.ndarray, np.ndarray]:
    """x, w rounded to the operand type, the reference and its magnitude."""
    torch.manual_seed(2)
    x = torch.randn(2, 4, 4, CHANNELS).to(TYPES[operand])
    w = (torch.randn(4, 4, CHANNELS, 8) / DEPTH**0.5).to(TYPES[operand])
    exact = convolution(x.double(), w.double(), GEOMETRY)
    return x, w, exact, convolution(x.double().abs(), w.double().abs(), GEOMETRY)


def eager(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The layer in float32, [batch, *spatial, channels]."""
    out = torch.nn.functional.conv_transpose2d(
        x.float().permute(0, 3, 1, 2), w.float().permute(2, 3, 0, 1), stride=2, padding=1
    )
    return out.permute(0, 2, 3, 1)


@pytest.mark.parametrize("operand", TYPES)
@pytest.mark.parametrize("output", TYPES)
@pytest.mark.parametrize("kind", ["none", "relu", "leaky_relu", "tanh", "sigmoid"])
def test_torch_is_within(operand: str, output: str, kind: str) -> None:
    x, w, exact, magnitude = layer(operand)
    reference = activation(exact, kind, 0.2)
    functions = {
        "none": lambda v: v,
        "leaky_relu": lambda v: torch.nn.functional.leaky_relu(v, 0.2),
    }
    out = functions.get(kind, getattr(torch, kind, None))(eager(x, w)).to(TYPES[output]).double()
    allowed = tolerance(
        reference, magnitude, operand, output, depth=DEPTH, activation=kind, slope=0.2
    )
    assert exceeds(out, reference, allowed) is None


@pytest.mark.parametrize("operand", TYPES)
def test_a_lost_tap_is_seen(operand: str) -> None:
    x, w, exact, magnitude = layer(operand)
    allowed = tolerance(exact, magnitude, operand, operand, depth=DEPTH)
    w = w.clone()
    w[0, 0] = 0
    message = exceeds(eager(x, w).to(TYPES[operand]).double(), exact, allowed)
    assert message is not None
    assert "elements are out of bounds; at (" in message


@pytest.mark.parametrize("operand", TYPES)
def test_one_lost_channel_is_seen(operand: str) -> None:
    x, w, exact, magnitude = layer(operand)
    x = x.clone()
    x[..., -1] = 0
    allowed = tolerance(exact, magnitude, operand, operand, depth=DEPTH)
    assert exceeds(eager(x, w).to(TYPES[operand]).double(), exact, allowed) is not None


def test_half_precision_sums_are_seen() -> None:
    """A kernel that keeps its accumulator in fp16 does not pass."""
    x, w, exact, magnitude = layer("fp16")
    total = np.zeros(exact.shape, np.float16)
    for channel in range(CHANNELS):
        part = eager(x[..., channel : channel + 1], w[:, :, channel : channel + 1])
        total = total + part.numpy().astype(np.float16)
    allowed = tolerance(exact, magnitude, "fp16", "fp16", depth=DEPTH)
    assert exceeds(total, exact, allowed) is not None


def cut(x: torch.Tensor) -> torch.Tensor:
    """The 11 bits of a float32 that tf32 keeps, the rest cut off."""
    return (x.view(torch.int32) & -0x2000).view(torch.float32)


def test_tf32_and_its_three_products() -> None:
    x, w, exact, magnitude = layer("fp32")
    big_x, big_w = cut(x), cut(w)
    once = eager(big_x, big_w).double()
    bounds = {
        name: tolerance(exact, magnitude, "fp32", "fp32", depth=DEPTH, algorithm=name)
        for name in ("fp32", "tf32", "tf32x3")
    }
    assert exceeds(once, exact, bounds["tf32"]) is None
    assert exceeds(once, exact, bounds["tf32x3"]) is not None
    small_x, small_w = cut(x - big_x), cut(w - big_w)
    thrice = once + eager(big_x, small_w).double() + eager(small_x, big_w).double()
    assert exceeds(thrice, exact, bounds["tf32x3"]) is None


def test_growth() -> None:
    assert growth(1) == 1
    assert growth(36) == 36
    assert growth(10000) == 600


def test_bytes_may_differ_only_at_a_boundary() -> None:
    # Levels 10, 10.5 and almost 11: only the middle one can go two ways.
    reference = np.array([10.0, 10.5, 10.499, 11.0]) / 127.5 - 1.0
    allowed = converted(reference, np.full(4, 1e-7), "uint8")
    assert allowed.tolist() == [0.0, 1.0, 0.0, 0.0]
    actual = to_uint8(reference).astype(float)
    assert exceeds(actual + np.eye(4)[1], to_uint8(reference), allowed) is None
    assert exceeds(actual + np.eye(4)[0], to_uint8(reference), allowed) is not None


def test_nan_and_infinity() -> None:
    reference = np.array([np.nan, np.inf, 1.0])
    assert exceeds(reference, reference, np.zeros(3)) is None
    assert exceeds([0.0, np.inf, 1.0], reference, np.ones(3)) is not None
    assert exceeds([np.nan, -np.inf, 1.0], reference, np.ones(3)) is not None
    assert exceeds([np.nan, np.inf, np.nan], reference, np.ones(3)) is not None
    assert exceeds([np.nan, np.inf, np.nan], reference, np.full(3, np.inf)) is None


def test_shapes_and_empty() -> None:
    assert exceeds(np.ones((2, 1)), np.ones(2), np.ones(2)) == "shape (2, 1), expected (2,)"
    assert exceeds(np.empty((0, 3)), np.empty((0, 3)), np.empty((0, 3))) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"operand": "fp8"}, "operand 'fp8'", id="operand"),
        pytest.param({"output": "int8"}, "output 'int8'", id="output"),
        pytest.param({"activation": "gelu"}, "activation 'gelu'", id="activation"),
        pytest.param({"algorithm": "winograd"}, "algorithm 'winograd'", id="algorithm"),
    ],
)
def test_refused(change: dict[str, str], message: str) -> None:
    options = {"operand": "fp16", "output": "fp16"} | change
    with pytest.raises(ValueError, match=message):
        tolerance(1.0, 1.0, options.pop("operand"), options.pop("output"), depth=1, **options)
