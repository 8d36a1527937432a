"""Tokens drawn from logits: temperature, the top k, and one uniform number a sample.

    weight_j = exp((logit_j - largest) / temperature), 0 outside the top k
    token    = the first j with weight_0 + ... + weight_j > u * (sum of all weights)

u in [0, 1) is the first uniform of the sample in its own stream (kind 4 of `kernels.philox`), so
a token is a pure function of seed, sample and logits. Ties with the k-th largest all stay in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]


def probabilities(logits: ArrayLike, temperature: float = 1.0, top_k: int | None = None) -> Doubles:
    """The distribution that `sample` draws from: logits [batch, tokens] -> the same shape.

    Temperature 0 puts all on the first of the largest. ValueError if temperature is negative or
    not finite, or top_k is not between 1 and the number of tokens.
    """
    logits = np.asarray(logits, np.float64)
    if logits.ndim != 2 or logits.shape[1] < 1:
        raise ValueError(f"logits {logits.shape} must be [batch, tokens]")
    tokens = logits.shape[1]
    if not (np.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature={temperature} must be 0 or a positive number")
    if top_k is not None and not 1 <= top_k <= tokens:
        raise ValueError(f"top_k={top_k} must be between 1 and the {tokens} tokens")
    largest = logits.max(axis=1, keepdims=True)
    if temperature == 0:
        certain: Doubles = np.eye(tokens)[logits.argmax(axis=1)]
        return certain
    weights = np.exp((logits - largest) / temperature)
    if top_k is not None:
        least = np.sort(logits, axis=1)[:, tokens - top_k, None]
        weights = np.where(logits >= least, weights, 0.0)
    out: Doubles = weights / weights.sum(axis=1, keepdims=True)
    return out


def sample(
    logits: ArrayLike,
    uniform: ArrayLike,
    temperature: float = 1.0,
    top_k: int | None = None,
) -> NDArray[np.int64]:
    """One token a sample: logits [batch, tokens], uniform [batch] in [0, 1) -> [batch] int64.

    ValueError as `probabilities`, or if uniform does not fit.
    """
    chances = probabilities(logits, temperature, top_k)
    uniform = np.asarray(uniform, np.float64)
    if uniform.shape != chances.shape[:1] or ((uniform < 0) | (uniform >= 1)).any():
        raise ValueError(f"uniform {uniform.shape} must be {chances.shape[:1]} numbers in [0, 1)")
    reached = np.cumsum(chances, axis=1)
    # Against the sum as it was rounded, so that u close to 1 cannot pass the last token.
    token: NDArray[np.int64] = (reached > uniform[:, None] * reached[:, -1:]).argmax(axis=1)
    return token
