"""Random numbers drawn in forward become inputs: calls, shapes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.core.errors import OptionError
from engine.core.spec import Noise
from engine.models.infer import probe
from engine.models.lift import Lifted, lifted

LATENT = Noise((4, 6))


class Net(nn.Module):
    """What the function makes of x [B, 4, 6]."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def lift(function: Callable[[Tensor], Tensor]) -> tuple[nn.Module, tuple[Noise, ...]]:
    return lifted(Net(function).eval(), lambda batch: probe(LATENT, 0, batch))


def run(function: Callable[[Tensor], Tensor], batch: int = 5) -> tuple[Tensor, ...]:
    """x, the noise inputs, and what the lifted network gives."""
    module, noise = lift(function)
    inputs = probe(LATENT, 0, batch, noise=noise)
    return (*inputs, module(*inputs))


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: torch.randn(x.shape[0], 4, 6),
        lambda x: torch.randn((len(x), 4, 6), dtype=x.dtype, device=x.device),
        torch.randn_like,
        lambda x: torch.empty(x.shape).normal_(),
        lambda x: x.new_empty(x.shape).normal_(0.0, 1.0),
        lambda x: torch.normal(torch.zeros_like(x), torch.ones_like(x)),
        lambda x: torch.normal(0.0, 1.0, x.shape),
        lambda x: torch.distributions.Normal(torch.zeros_like(x), torch.ones_like(x)).rsample(),
        lambda x: torch.distributions.Normal(torch.zeros_like(x), torch.ones_like(x)).sample(),
        lambda x: torch.ops.aten.randn_like.default(x),
    ],
)
def test_normal_draws(draw: Callable[[Tensor], Tensor]) -> None:
    x, noise, made = run(lambda x: x + 2 * draw(x))
    _, inputs = lift(lambda x: x + 2 * draw(x))
    assert inputs == (Noise((4, 6), "normal", "noise_0"),)
    torch.testing.assert_close(made, x + 2 * noise)


@pytest.mark.parametrize(
    ("draw", "low", "high"),
    [
        (torch.rand_like, 0.0, 1.0),
        (lambda x: torch.rand(x.shape), 0.0, 1.0),
        (lambda x: torch.empty_like(x).uniform_(-3, 5), -3.0, 5.0),
        (lambda x: torch.empty_like(x).uniform_(), 0.0, 1.0),
    ],
)
def test_uniform_draws(draw: Callable[[Tensor], Tensor], low: float, high: float) -> None:
    _, noise, made = run(lambda x: 0 * x + draw(x))
    assert lift(lambda x: 0 * x + draw(x))[1][0].distribution == "uniform"
    torch.testing.assert_close(made, low + (high - low) * (noise + 1) / 2)


def test_mean_and_deviation_stay_in_the_network() -> None:
    x, noise, made = run(lambda x: torch.normal(x, 0.5 * torch.ones_like(x)))
    torch.testing.assert_close(made, x + 0.5 * noise)
    _, noise, made = run(lambda x: torch.empty_like(x).normal_(mean=1.0, std=3.0))
    torch.testing.assert_close(made, 1 + 3 * noise)


def test_draws_keep_their_order_and_their_shapes() -> None:
    def function(x: Tensor) -> Tensor:
        first = torch.randn(len(x), 1, 6)
        second = torch.rand(len(x), 4, 1)
        return x + first + 10 * second

    x, first, second, made = run(function)
    assert [item.shape for item in lift(function)[1]] == [(1, 6), (4, 1)]
    torch.testing.assert_close(made, x + first + 10 * (second + 1) / 2)


def test_several_rows_for_each_sample() -> None:
    def function(x: Tensor) -> Tensor:
        return x + torch.randn(2 * len(x), 6).reshape(len(x), 2, 6).sum(1, keepdim=True)

    x, noise, made = run(function)
    assert noise.shape == (5, 2, 6)
    torch.testing.assert_close(made, x + noise.sum(1, keepdim=True))


def test_noise_that_all_share_becomes_each_samples_own() -> None:
    x, noise, made = run(lambda x: x + torch.randn(1, 4, 6))
    assert noise.shape == (5, 4, 6)
    torch.testing.assert_close(made, x + noise)


def test_one_number_for_each_sample() -> None:
    x, noise, made = run(lambda x: x * torch.randn(len(x)).reshape(-1, 1, 1))
    assert noise.shape == (5, 1)
    torch.testing.assert_close(made, x * noise.reshape(-1, 1, 1))


def test_labels_come_before_noise() -> None:
    class Conditional(nn.Module):
        def forward(self, x: Tensor, labels: Tensor) -> Tensor:
            return x + labels.reshape(-1, 1, 1) + torch.randn_like(x)

    module, noise = lifted(Conditional(), lambda batch: probe(LATENT, 3, batch))
    x, labels, given = probe(LATENT, 3, 5, noise=noise)
    torch.testing.assert_close(module(x, labels, given), x + labels.reshape(-1, 1, 1) + given)


def test_a_network_without_draws_stays_itself() -> None:
    net = Net(lambda x: F.dropout(x, 0.5, training=False) + torch.zeros_like(x)).eval()
    assert lifted(net, lambda batch: probe(LATENT, 0, batch)) == (net, ())
    assert not isinstance(lift(lambda x: nn.Dropout().eval()(x))[0], Lifted)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: F.dropout(x, 0.5, training=True), "dropout"),
        (lambda x: F.dropout2d(x.unsqueeze(1), 0.2, training=True), "dropout2d"),
        (lambda x: torch.dropout(x, 0.5, True), "dropout"),
        (lambda x: x * torch.bernoulli(torch.full_like(x, 0.5)), "bernoulli"),
        (lambda x: x + torch.randint(0, 2, x.shape), "randint"),
        (lambda x: F.gumbel_softmax(x), "gumbel_softmax"),
        (lambda x: x + torch.empty_like(x).exponential_(), "exponential_"),
        (lambda x: x + torch.randn(4, 6), r"\[4, 6\]"),
        (lambda x: x + sum(torch.randn_like(x) for _ in range(len(x))), "2 tensors"),
    ],
)
def test_refusals(function: Callable[[Tensor], Tensor], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        lift(function)


def test_a_network_that_does_not_run_is_left_to_who_runs_it() -> None:
    net = Net(lambda x: x @ x)
    assert lifted(net, lambda batch: probe(LATENT, 0, batch)) == (net, ())
