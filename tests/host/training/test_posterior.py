"""Samples of the posterior on a CPU: torch's noise, the definition of z and divergence."""

from __future__ import annotations

import torch

from training.posterior import sample_posterior


def test_noise_is_that_of_torch() -> None:
    mean, logvar = torch.randn(5, 3), torch.randn(5, 3)
    torch.manual_seed(4)
    z, kl = sample_posterior(mean, logvar)
    torch.manual_seed(4)
    assert torch.equal(z, mean + torch.exp(0.5 * logvar) * torch.randn(5, 3))
    normal = torch.distributions.Normal(mean, torch.exp(logvar / 2))
    prior = torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(normal, prior).sum(1)
    torch.testing.assert_close(kl, expected, rtol=1e-5, atol=1e-5)
