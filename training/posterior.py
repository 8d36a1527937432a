"""Samples of a VAE's posterior and their divergence from the prior, one kernel on a GPU."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.models.vae import reparameterise
from training.losses import kl_to_standard_normal


def sample_posterior(
    mean: Tensor, logvar: Tensor, *, fused: bool | None = None
) -> tuple[Tensor, Tensor]:
    """z [B, latent] from N(mean, exp(logvar)), and its divergence from N(0, 1): [B].

    The noise follows from torch's seed, which the training loop sets at every step. On a CPU it
    comes from torch's generator; on a GPU (or if `fused` says so) `kernels.reparam` makes it from
    the seed while it computes z, divergence and, later, the gradients.
    """
    if mean.is_cuda if fused is None else fused:
        # Triton is not installed where there is no GPU.
        from kernels import reparam

        return reparam.reparameterise(mean, logvar, seed=torch.initial_seed() % 2**64)
    z = reparameterise(mean, logvar, torch.randn_like(mean))
    return z, kl_to_standard_normal(mean, logvar)
