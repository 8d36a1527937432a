"""Losses of the GAN and the VAE, on logits and log variances, where they are stable.

Goodfellow et al.: Generative adversarial nets (2014); Kingma, Welling: Auto-encoding variational
Bayes (2014), appendix B.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.core.errors import OptionError
from training.settings import GENERATOR_LOSSES


def discriminator_loss(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))] from logits [B]: binary cross-entropy, a scalar.

    `smoothing` s replaces the target 1 of real images by 1 - s (one-sided, Salimans et al. 2016).
    """
    target = torch.full_like(real, 1.0 - smoothing)
    on_real = F.binary_cross_entropy_with_logits(real, target)
    return on_real + F.softplus(fake).mean()


def generator_loss(fake: Tensor, kind: str = "non-saturating") -> Tensor:
    """The generator's loss from the logits [B] of its images, a scalar.

    non-saturating: -E[log D(G(z))], strong gradients while the discriminator wins; minimax:
    E[log(1 - D(G(z)))]. Raises OptionError for another kind.
    """
    if kind == "non-saturating":
        return F.softplus(-fake).mean()
    if kind == "minimax":
        return -F.softplus(fake).mean()
    raise OptionError(f"unknown loss {kind!r}; known are {', '.join(GENERATOR_LOSSES)}")


def bernoulli_reconstruction(logits: Tensor, images: Tensor) -> Tensor:
    """-log p(x|z) of images in [0, 1], summed over the pixels, averaged over the batch."""
    return F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / len(images)


def kl_to_standard_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(0, 1)) summed over [B, latent]'s latents: [B]."""
    return 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).sum(1)
