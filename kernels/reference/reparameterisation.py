"""Latents of a variational autoencoder, their divergence from the prior, and gradients of both.

    sigma = exp(logvar / 2),  z = mu + sigma * eps
    KL(N(mu, sigma^2) || N(0, 1)) = 1/2 sum(mu^2 + sigma^2 - 1 - logvar)  over one sample

Source: Kingma, Welling: Auto-encoding variational Bayes (2014), appendix B.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]


def reparameterise(mu: ArrayLike, logvar: ArrayLike, eps: ArrayLike) -> tuple[Doubles, Doubles]:
    """Latents and divergence in nats: z [batch, *size], kl [batch].

    mu, logvar and eps are [batch, *size]; ValueError if their shapes differ.
    """
    mu, logvar, eps = _checked(mu, logvar, eps)
    sigma = np.exp(logvar / 2)
    terms = mu**2 + sigma**2 - 1.0 - logvar
    return mu + sigma * eps, 0.5 * terms.sum(axis=tuple(range(1, mu.ndim)))


def gradients(
    mu: ArrayLike, logvar: ArrayLike, eps: ArrayLike, of_z: ArrayLike, of_kl: ArrayLike
) -> tuple[Doubles, Doubles]:
    """Gradients of mu and logvar, given those of z [batch, *size] and kl [batch].

    d mu = dz + mu dkl,  d logvar = dz eps sigma / 2 + (sigma^2 - 1) dkl / 2
    """
    mu, logvar, eps = _checked(mu, logvar, eps)
    of_z = np.asarray(of_z, np.float64)
    of_kl = np.asarray(of_kl, np.float64).reshape(-1, *(1,) * (mu.ndim - 1))
    if of_z.shape != mu.shape or len(of_kl) != len(mu):
        raise ValueError(f"gradients {of_z.shape} and {of_kl.size} do not fit z {mu.shape}")
    sigma = np.exp(logvar / 2)
    of_logvar = of_z * eps * sigma / 2 + (sigma**2 - 1.0) * of_kl / 2
    return of_z + mu * of_kl, of_logvar


def _checked(mu: ArrayLike, logvar: ArrayLike, eps: ArrayLike) -> tuple[Doubles, Doubles, Doubles]:
    arrays = tuple(np.asarray(value, np.float64) for value in (mu, logvar, eps))
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1 or not shapes[0]:
        raise ValueError(f"mu, logvar and eps have shapes {shapes}; they must be one [batch, ...]")
    mu, logvar, eps = arrays
    return mu, logvar, eps
