"""The fused posterior trains like PyTorch's: same gradients for the same noise."""

from __future__ import annotations

import torch

from kernels import philox
from kernels.reparam import STREAM
from training.posterior import sample_posterior


def test_gradients_of_a_vae_loss() -> None:
    mean, logvar = (torch.randn(6, 4).requires_grad_() for _ in range(2))
    target = torch.randn(6, 4)
    torch.manual_seed(2**63 + 9)
    z, kl = sample_posterior(mean, logvar, fused=True)
    (torch.nn.functional.mse_loss(z, target) + kl.mean()).backward()

    eps = torch.from_numpy(philox.normal(2**63 + 9, 0, 6, 4, STREAM)).double()
    wide = [t.detach().double().requires_grad_() for t in (mean, logvar)]
    expected = wide[0] + torch.exp(wide[1] / 2) * eps
    divergence = 0.5 * (wide[0] ** 2 + wide[1].exp() - 1 - wide[1]).sum(1)
    loss = torch.nn.functional.mse_loss(expected, target.double()) + divergence.mean()
    loss.backward()
    torch.testing.assert_close(z.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(mean.grad.double(), wide[0].grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(logvar.grad.double(), wide[1].grad, rtol=1e-5, atol=1e-5)


def test_noise_changes_with_the_seed_of_the_step() -> None:
    zeros = torch.zeros(2, 8)
    drawn = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        drawn.append(sample_posterior(zeros, zeros, fused=True)[0])
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
