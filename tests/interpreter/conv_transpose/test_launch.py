from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kernels.conv_transpose.launch import Layer, batch_ranges, conv_transpose, convolution, linear
from tests.cases.conv_transpose import UP, Case, Data, check, make


def layer(case: Case, data: Data) -> Layer:
    return Layer.pack(case.problem, data.weight, data.scale, data.shift, batch=case.batch)


def half(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal(shape)).half()


def test_layer_runs_any_batch_into_out() -> None:
    case = Case("layer", UP(8, 8, activation="relu"), 3)
    data = make(case)
    packed = layer(case, data)
    assert packed(data.x, data.out) is data.out
    check(case, data)
    fewer = packed(data.x[:1])
    torch.testing.assert_close(fewer, data.out[:1], rtol=0, atol=0)


def test_transposed_as_torch() -> None:
    x, weight = half(2, 3, 4, 6), half(6, 5, 3, 2)
    got = conv_transpose(
        x,
        weight.permute(2, 3, 0, 1),
        stride=(2, 1),
        padding=1,
        output_padding=(1, 0),
        output="fp32",
    )
    expected = torch.nn.functional.conv_transpose2d(
        x.double().permute(0, 3, 1, 2),
        weight.double(),
        stride=(2, 1),
        padding=1,
        output_padding=(1, 0),
    )
    torch.testing.assert_close(got.double(), expected.permute(0, 2, 3, 1), rtol=1e-5, atol=1e-5)


def test_grouped_forward_as_torch() -> None:
    x, weight = half(2, 9, 4), half(6, 2, 3)
    bias = half(6).float()
    got = convolution(
        x,
        weight.permute(2, 1, 0),
        shift=bias,
        stride=2,
        padding=1,
        dilation=2,
        groups=2,
        activation="leaky_relu",
        slope=0.1,
        output="fp32",
    )
    expected = torch.nn.functional.leaky_relu(
        torch.nn.functional.conv1d(
            x.double().transpose(1, 2), weight.double(), bias.double(), 2, 1, 2, 2
        ),
        0.1,
    )
    torch.testing.assert_close(got.double(), expected.transpose(1, 2), rtol=1e-5, atol=1e-5)


def test_linear_as_torch() -> None:
    x, weight = half(3, 20), half(20, 7)
    got = linear(x, weight, activation="tanh", output="fp32")
    torch.testing.assert_close(got, (x.double() @ weight.double()).tanh().float())


@pytest.mark.parametrize("magnitude", [2.0**-40, 2.0**20], ids=["tiny", "huge"])
def test_weights_of_any_magnitude_survive_fp16(magnitude: float) -> None:
    x, weight = half(2, 16), half(16, 4).float()
    scale = torch.full((4,), 1 / magnitude)
    got = linear(x, weight * magnitude, scale, output="fp32")
    torch.testing.assert_close(got, linear(x, weight, output="fp32"), rtol=0, atol=0)


def test_weights_of_one_channel_keep_their_bits_in_fp16() -> None:
    """The least has no term beside it here, so nothing hides that it was rounded."""
    weight = torch.tensor([[60000.0], [1e-3], [2.0**-12]])
    got = linear(torch.eye(3).half(), weight, output="fp32")
    torch.testing.assert_close(got, weight.half().float(), rtol=0, atol=0)


def test_input_of_another_memory_order_is_copied() -> None:
    case = Case("strided", UP(8, 8), 2)
    data = make(case)
    strided = data.x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert not strided.is_contiguous()
    layer(case, data)(strided, data.out)
    check(case, data)


def test_input_at_an_odd_address_is_copied() -> None:
    case = Case("odd-address", UP(8, 8), 2)
    data = make(case)
    shifted = torch.empty(data.x.numel() + 1, dtype=data.x.dtype)[1:].view(data.x.shape)
    shifted.copy_(data.x)
    assert shifted.data_ptr() % 16
    layer(case, data)(shifted, data.out)
    check(case, data)


def test_nan_stays_in_its_sample() -> None:
    case = Case("nan", UP(8, 8, activation="relu"), 3)
    data = make(case)
    data.x[1] = float("nan")
    layer(case, data)(data.x, data.out)
    assert bool(data.out[1].isnan().all())
    data.out[1] = torch.from_numpy(data.expected[1])
    check(case, data)


def test_launches_take_no_copies() -> None:
    case = Case("strided", UP(8, 8), 2)
    data = make(case)
    with pytest.raises(ValueError, match="x must be contiguous"):
        layer(case, data).launches(data.x.transpose(1, 2), data.out)


def test_output_over_the_input_is_refused() -> None:
    memory = half(40, 16)
    for x, out in ((memory, memory), (memory[:32], memory[8:])):
        with pytest.raises(ValueError, match="out must not share memory"):
            linear(x, half(16, 16), out=out)
    expected = linear(memory[:20], half(16, 16))
    linear(memory[:20], half(16, 16), out=memory[20:])
    assert torch.equal(memory[20:], expected)


def test_empty_batch_gives_an_empty_output() -> None:
    out = conv_transpose(half(0, 2, 2, 8), half(4, 4, 8, 3), stride=2, padding=1, output="uint8")
    assert out.shape == (0, 4, 4, 3)
    assert out.dtype is torch.uint8


def test_batch_beyond_32_bit_offsets_is_split() -> None:
    case = Case("huge", UP(8, 64), 0)
    data = make(case)
    packed = layer(case, data)
    # 1024 outputs a sample: 2^21 samples have 2^31 of them.
    batch = 2**21 + 5
    x = torch.empty(batch, 2, 2, 8, dtype=torch.float16, device="meta")
    out = torch.empty(batch, 4, 4, 64, dtype=torch.float16, device="meta")
    launches = packed.launches(x, out)
    counts = [launch.arguments["batch"] for launch in launches]
    assert sum(counts) == batch
    assert len(counts) == 2
    assert counts[0] * 1024 <= 2**31 - 1
    assert counts[0] * 1024 * 2 % 16 == 0


def test_split_batch_gives_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("split", UP(8, 8), 5)
    data = make(case)
    monkeypatch.setattr("kernels.conv_transpose.launch.LARGEST_OFFSET", 2 * 128 + 1)
    packed = layer(case, data)
    assert len(packed.launches(data.x, data.out)) == 3
    packed(data.x, data.out)
    check(case, data)


def test_sample_beyond_32_bit_offsets_is_refused() -> None:
    with pytest.raises(ValueError, match="elements a sample are too many"):
        batch_ranges(1, 2**31)


BAD_INPUTS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "dtype": ({"x": half(2, 2, 2, 8).double()}, TypeError, "x is torch.float64"),
    "packed-for-another-dtype": ({"x": half(2, 2, 2, 8).float()}, TypeError, "packed for fp16"),
    "channels-first": ({"x": half(2, 8, 2, 2)}, ValueError, "channels are last"),
    "no-batch": ({"x": half(2, 2, 8)}, ValueError, "x has shape"),
    "device": ({"x": half(2, 2, 2, 8).to("meta")}, ValueError, "different devices"),
    "gradients": ({"x": half(2, 2, 2, 8).requires_grad_()}, ValueError, "requires gradients"),
    "out-dtype": ({"out": torch.empty(2, 4, 4, 8)}, TypeError, "out is torch.float32"),
    "out-shape": ({"out": half(2, 4, 4, 9)}, ValueError, "the layer gives"),
    "out-strided": (
        {"out": half(2, 8, 4, 4).permute(0, 2, 3, 1)},
        ValueError,
        "out must be contiguous",
    ),
    "out-odd-address": (
        {"out": half(2 * 4 * 4 * 8 + 1)[1:].view(2, 4, 4, 8)},
        ValueError,
        "multiple of 16 bytes",
    ),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_input_is_refused(name: str) -> None:
    changed, error, message = BAD_INPUTS[name]
    case = Case("bad", UP(8, 8), 2)
    data = make(case)
    with pytest.raises(error, match=message):
        layer(case, data)(**{"x": data.x, "out": data.out, **changed})
    assert bool(data.out.isnan().all()), "nothing may be written before the input is refused"


@pytest.mark.parametrize(
    ("weight", "more", "message"),
    [
        (half(4, 8, 8), {}, r"must be \[batch"),
        (half(4, 4, 7, 8), {}, "weight has shape"),
        (half(4, 4, 8, 8), {"scale": torch.ones(7)}, "scale has shape"),
        (half(4, 4, 8, 8), {"groups": 3}, "must divide"),
        (half(4, 4, 8, 8), {"activation": "gelu"}, "is not one of"),
        (half(4, 4, 8, 8), {"output_padding": 1}, "must be smaller than stride"),
        (half(4, 4, 8, 8), {"value_range": (1.0, 1.0)}, "value_range"),
    ],
    ids=["rank", "shape", "scale", "groups", "activation", "output-padding", "value-range"],
)
def test_bad_layer_is_refused(weight: torch.Tensor, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conv_transpose(half(1, 2, 2, 8), weight, **more)
