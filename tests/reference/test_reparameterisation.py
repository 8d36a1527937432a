"""Reparameterisation against torch.distributions and autograd in float64."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.reference.reparameterisation import gradients, reparameterise

torch = pytest.importorskip("torch")


def leaves(*shape: int) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [
        torch.randn(*shape, dtype=torch.float64, requires_grad=grad) for grad in (True, True, False)
    ]


@pytest.mark.parametrize("shape", [(4, 1), (3, 7), (2, 3, 4)], ids=str)
def test_against_torch(shape: tuple[int, ...]) -> None:
    mu, logvar, eps = leaves(*shape)
    normal = torch.distributions.Normal(mu, torch.exp(logvar / 2))
    z = normal.mean + normal.stddev * eps
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    kl = torch.distributions.kl_divergence(normal, prior).flatten(1).sum(1)
    of_z, of_kl = torch.randn_like(z), torch.randn_like(kl)
    expected = torch.autograd.grad((z, kl), (mu, logvar), (of_z, of_kl))
    arrays = [tensor.detach().numpy() for tensor in (mu, logvar, eps, of_z, of_kl)]
    ours_z, ours_kl = reparameterise(*arrays[:3])
    np.testing.assert_allclose(ours_z, z.detach(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(ours_kl, kl.detach(), rtol=1e-12, atol=1e-14)
    for ours, torchs in zip(gradients(*arrays), expected, strict=True):
        np.testing.assert_allclose(ours, torchs, rtol=1e-11, atol=1e-13)


def test_the_prior_has_no_divergence() -> None:
    z, kl = reparameterise(np.zeros((2, 3)), np.zeros((2, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(z, np.ones((2, 3)))
    np.testing.assert_array_equal(kl, np.zeros(2))


def test_empty_batch() -> None:
    z, kl = reparameterise(*[np.empty((0, 5))] * 3)
    assert (z.shape, kl.shape) == ((0, 5), (0,))


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\), \(2, 3\), \(3, 2\)"):
        reparameterise(np.ones((2, 3)), np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"gradients \(2, 2\)"):
        gradients(*[np.ones((2, 3))] * 3, np.ones((2, 2)), np.ones(2))
