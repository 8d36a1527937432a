"""The fused reparameterisation in the interpreter: values, gradients, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kernels import philox
from kernels.reparam import STREAM, backward_launches, forward_launches, reparameterise
from tests.cases.noise import CASES


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case = CASES[name]()
    case.run()
    assert case.wrong() == {}


def draws(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=random).to(dtype) for _ in range(4)]


def test_gradients_against_autograd() -> None:
    """Latents of more than one axis; gradients of z and kl at once, from a zero-stride dz."""
    mu, logvar, weight, _ = draws((3, 2, 3, 5))
    mu.requires_grad_(), logvar.requires_grad_()
    z, kl = reparameterise(mu, logvar, seed=5, start=7)
    (z.sum() + (z * weight).sum() + (kl * torch.arange(3)).sum()).backward()

    wide = [t.detach().double().requires_grad_() for t in (mu, logvar)]
    eps = torch.from_numpy(philox.normal(5, 7, 3, 30, STREAM)).double().reshape(mu.shape)
    expected = wide[0] + torch.exp(wide[1] / 2) * eps
    terms = wide[0] ** 2 + wide[1].exp() - 1 - wide[1]
    divergence = 0.5 * terms.flatten(1).sum(1)
    (expected * (1 + weight)).sum().add((divergence * torch.arange(3)).sum()).backward()

    torch.testing.assert_close(z.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(kl.double(), divergence, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(mu.grad.double(), wide[0].grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(logvar.grad.double(), wide[1].grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("used", ["z", "kl"])
def test_gradients_of_one_output(used: str) -> None:
    mu, logvar, _, _ = (t.requires_grad_() for t in draws((4, 6)))
    z, kl = reparameterise(mu, logvar, seed=0)
    (z if used == "z" else kl).sum().backward()
    eps = torch.from_numpy(philox.normal(0, 0, 4, 6, STREAM))
    by_mu = torch.ones(4, 6) if used == "z" else mu.detach()
    by_logvar = eps * torch.exp(logvar / 2) / 2 if used == "z" else (logvar.exp() - 1) / 2
    torch.testing.assert_close(mu.grad, by_mu, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(logvar.grad, by_logvar.detach(), rtol=1e-5, atol=1e-5)


def test_gradient_of_given_noise() -> None:
    mu, logvar, eps, weight = draws((4, 6))
    z, _ = reparameterise(mu, logvar, eps=eps.requires_grad_())
    (z * weight).sum().backward()
    torch.testing.assert_close(eps.grad, weight * torch.exp(logvar / 2))


def test_samples_do_not_depend_on_the_batch() -> None:
    mu, logvar, _, _ = draws((6, 9))
    z, kl = reparameterise(mu, logvar, seed=1, start=2**32 - 3)
    for i in range(6):
        alone = reparameterise(mu[i : i + 1], logvar[i : i + 1], seed=1, start=2**32 - 3 + i)
        assert torch.equal(alone[0][0], z[i])
        assert torch.equal(alone[1][0], kl[i])


def test_not_contiguous_and_not_aligned_inputs_are_copied() -> None:
    mu, logvar, _, _ = draws((8, 5))
    z, kl = reparameterise(mu.t(), logvar.t(), seed=0)
    again = reparameterise(mu.t().contiguous(), logvar.t().contiguous(), seed=0)
    assert torch.equal(z, again[0])
    assert torch.equal(kl, again[1])
    z, _ = reparameterise(mu[1:], logvar[1:], seed=0)
    assert torch.equal(z, reparameterise(mu[1:].clone(), logvar[1:].clone(), seed=0)[0])


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (4,)], ids=["no samples", "no size", "flat"])
def test_degenerate_shapes(shape: tuple[int, ...]) -> None:
    mu = torch.ones(shape, requires_grad=True)
    z, kl = reparameterise(mu, torch.zeros(shape), seed=0)
    assert z.shape == shape
    assert kl.shape == shape[:1]
    assert kl.tolist() == [0.5 * mu[i].numel() for i in range(shape[0])]
    (z.sum() + kl.sum()).backward()
    assert torch.equal(mu.grad, torch.full(shape, 2.0))


def test_nan_and_infinity_stay_in_their_sample() -> None:
    mu, logvar, _, _ = draws((3, 10))
    clean = reparameterise(mu, logvar, seed=0)
    mu[0, 4], logvar[2, 1] = float("nan"), float("inf")
    z, kl = reparameterise(mu, logvar, seed=0)
    assert z[0].isnan().tolist() == [i == 4 for i in range(10)]
    assert kl[0].isnan()
    assert z[2].isinf().tolist() == [i == 1 for i in range(10)]
    assert not kl[2].isfinite()
    assert torch.equal(z[1], clean[0][1])
    assert torch.equal(kl[1], clean[1][1])


def test_beyond_the_offset_limit() -> None:
    """2^31 elements become two launches; the second goes on with the sample number, aligned."""
    mu, logvar, z = (torch.empty(2**21, 1024, device="meta") for _ in range(3))
    parts = forward_launches(mu, logvar, z, torch.empty(2**21, 1, device="meta"), seed=0, start=9)
    counts = [launch.arguments["count"] for launch in parts]
    assert len(counts) == 2
    assert sum(counts) == 2**21
    assert parts[1].arguments["start_low"] == 9 + counts[0]
    assert parts[1].arguments["kl_ptr"].storage_offset() == counts[0]
    kl_grad = torch.empty(2**21, device="meta")
    backward = backward_launches(mu, logvar, z, kl_grad, mu, logvar)
    for launch in (*parts, *backward):
        for tensor in launch.arguments.values():
            if isinstance(tensor, torch.Tensor):
                assert tensor.storage_offset() * tensor.itemsize % 16 == 0


def test_distribution_of_the_noise() -> None:
    """z of mu 0 and logvar 0 is the standard normal: Kolmogorov-Smirnov at 0.1 %."""
    zeros = torch.zeros(300, 40)
    z, kl = reparameterise(zeros, zeros, seed=17)
    assert (kl == 0).all()
    values = np.sort(z.flatten().double().numpy())
    cdf = torch.special.ndtr(torch.from_numpy(values)).numpy()
    distance = np.abs(cdf - (np.arange(len(values)) + 0.5) / len(values)).max()
    assert distance < 1.95 / len(values) ** 0.5


def refused(**changes: object) -> None:
    arguments = {"mu": torch.zeros(2, 3), "logvar": torch.zeros(2, 3), "seed": 0} | changes
    reparameterise(**arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": None}, "either a seed"),
        ({"eps": torch.zeros(2, 3)}, "either a seed"),
        ({"logvar": torch.zeros(2, 4)}, r"logvar \(2, 4\) must be"),
        ({"mu": torch.zeros(()), "logvar": torch.zeros(())}, "must be"),
        ({"seed": None, "eps": torch.zeros(3)}, r"eps \(3,\) must be"),
        ({"logvar": torch.zeros(2, 3).half()}, "logvar is torch.float16"),
        ({"mu": torch.zeros(2, 3).double()}, "mu is torch.float64"),
        ({"mu": torch.zeros(2, 3).int()}, "mu is torch.int32"),
        ({"logvar": torch.zeros(2, 3, device="meta")}, "different devices: cpu, meta"),
        ({"seed": 2**64}, "seed=18446744073709551616"),
        ({"start": 2**64 - 1}, "samples"),
    ],
    ids=[
        "no noise",
        "two noises",
        "shape",
        "no batch",
        "shape of eps",
        "two types",
        "double",
        "integers",
        "devices",
        "seed",
        "start",
    ],
)
def test_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        refused(**changes)
