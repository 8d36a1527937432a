"""Small launches that make noise: latents, and the reparameterisation with its gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import latents, philox, reparam, truncated_latents
from kernels.bounds import growth
from kernels.reference import reparameterisation
from kernels.truncated_normal import truncated_normal
from tests.cases.case import Case, Output, stored

Doubles = NDArray[np.float64]

SEED = 0x1234567890ABCDEF
# The sample number carries into its high word inside the case.
START = 2**32 - 2
FP32 = 2.0**-24
# Normals of a kernel against those of numpy.
NORMAL = 1e-6


def latent_case(kind: str, shape: tuple[int, int], size: int, dtype: torch.dtype) -> Case:
    batch, _ = shape
    draw = philox.normal if kind == "normal" else philox.uniform
    reference = np.zeros(shape)
    reference[:, :size] = draw(SEED, START, batch, size)
    if kind == "symmetric":
        reference[:, :size] = 2 * reference[:, :size] - 1
    error = np.full(shape, {"normal": NORMAL, "uniform": 0.0, "symmetric": FP32}[kind])
    allowed = stored(reference, error, dtype)
    out = Output.make(shape, dtype, reference, allowed)
    return Case(latents.launches(out.tensor, size, seed=SEED, start=START, kind=kind), {"out": out})


def truncated_case(shape: tuple[int, int], truncation: float, dtype: torch.dtype) -> Case:
    """float64 rounded once: one unit of fp32 where the libraries' logarithms differ."""
    reference = truncated_normal(SEED, START, *shape, truncation).astype(np.float64)
    out = _output(reference, 2 * FP32 * np.abs(reference), dtype)
    launches = truncated_latents.launches(out.tensor, shape[1], truncation, seed=SEED, start=START)
    return Case(launches, {"out": out})


def forward_case(shape: tuple[int, int], dtype: torch.dtype, given: bool = False) -> Case:
    """z and the parts of kl, added up in the reference."""
    batch, size = shape
    mu, logvar, eps = _inputs(shape, dtype)
    noise = eps.double().numpy() if given else philox.normal(SEED, START, batch, size, 2)
    z, z_error, kl_parts, kl_error = _expected(mu, logvar, noise, 0.0 if given else NORMAL)
    out = Output.make(shape, dtype, z, stored(z, z_error, dtype))
    kl = Output.make(kl_parts.shape, torch.float32, kl_parts, kl_error)
    launches = reparam.forward_launches(
        mu, logvar, out.tensor, kl.tensor, eps=eps if given else None, seed=SEED, start=START
    )
    return Case(launches, {"z": out, "kl": kl})


def backward_case(shape: tuple[int, int], dtype: torch.dtype, given: bool = False) -> Case:
    batch, size = shape
    mu, logvar, eps = _inputs(shape, dtype)
    random = torch.Generator().manual_seed(1)
    z_grad = torch.randn(shape, generator=random).to(dtype)
    kl_grad = torch.randn(batch, generator=random)
    noise = eps.double().numpy() if given else philox.normal(SEED, START, batch, size, 2)
    arrays = [t.double().numpy() for t in (mu, logvar, z_grad, kl_grad)]
    by_mu, by_logvar = reparameterisation.gradients(arrays[0], arrays[1], noise, *arrays[2:])
    deviation, relative = np.exp(arrays[1] / 2), _exponential(arrays[1])
    of_z, of_kl = np.abs(arrays[2]), np.abs(arrays[3])[:, None]
    mu_error = 4 * FP32 * (of_z + of_kl * np.abs(arrays[0]))
    logvar_error = of_z * deviation * (np.abs(noise) * relative + (0 if given else NORMAL))
    logvar_error += of_kl * (deviation**2 + 1) * relative
    outputs = {
        "mu_grad": _output(by_mu, mu_error, dtype),
        "logvar_grad": _output(by_logvar, logvar_error, dtype),
    }
    if given:
        by_eps = arrays[2] * deviation
        outputs["eps_grad"] = _output(by_eps, np.abs(by_eps) * relative, dtype)
    launches = reparam.backward_launches(
        mu,
        logvar,
        z_grad,
        kl_grad,
        **{name: output.tensor for name, output in outputs.items()},
        eps=eps if given else None,
        seed=SEED,
        start=START,
    )
    return Case(launches, outputs)


def _inputs(shape: tuple[int, int], dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(0)
    mu, logvar, eps = (torch.randn(shape, generator=random) for _ in range(3))
    return mu.to(dtype), (2 * logvar - 1).to(dtype), eps.to(dtype)


def _expected(
    mu: torch.Tensor, logvar: torch.Tensor, noise: Doubles, noise_error: float
) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """z, the parts of kl, and what fp32 arithmetic may be off at each."""
    mean, log = mu.double().numpy(), logvar.double().numpy()
    z, _ = reparameterisation.reparameterise(mean, log, noise)
    deviation, relative = np.exp(log / 2), _exponential(log)
    z_error = deviation * (np.abs(noise) * relative + noise_error) + 2 * FP32 * np.abs(z)
    parts, errors = [], []
    for first in range(0, mean.shape[1], reparam.CHUNK):
        cut = np.s_[:, first : first + reparam.CHUNK]
        none = np.zeros_like(mean[cut])
        parts.append(reparameterisation.reparameterise(mean[cut], log[cut], none)[1])
        magnitude = mean[cut] ** 2 + deviation[cut] ** 2 + 1 + np.abs(log[cut])
        steps = growth(mean[cut].shape[1]) * FP32
        errors.append(0.5 * (magnitude * (relative[cut] + steps)).sum(1))
    return z, z_error, np.stack(parts, 1), np.stack(errors, 1)


def _exponential(logvar: Doubles) -> Doubles:
    """Relative error of exp(logvar / 2) and its square, and of the products after it.

    exp(x) is 2^(x log2 e): the exponent is rounded, so its error grows with x.
    """
    return (8 + 2 * np.abs(logvar)) * FP32


def _output(reference: Doubles, error: Doubles, dtype: torch.dtype) -> Output:
    allowed = stored(reference, error, dtype)
    return Output.make(reference.shape, dtype, reference, allowed)


_HALF, _BRAIN, _FULL = torch.float16, torch.bfloat16, torch.float32

CASES: dict[str, Callable[[], Case]] = {
    "latents normal fp32": partial(latent_case, "normal", (5, 23), 23, _FULL),
    "latents normal fp16 padded": partial(latent_case, "normal", (3, 104), 100, _HALF),
    "latents uniform": partial(latent_case, "uniform", (1, 1), 1, _FULL),
    "latents symmetric bf16, two tiles": partial(latent_case, "symmetric", (9, 300), 300, _BRAIN),
    "latents truncated fp32": partial(truncated_case, (3, 21), 0.5, _FULL),
    "latents truncated bf16, far": partial(truncated_case, (5, 16), 3.0, _BRAIN),
    "forward fp32, one element": partial(forward_case, (1, 1), _FULL),
    "forward fp32, odd": partial(forward_case, (70, 13), _FULL),
    "forward fp16, 100": partial(forward_case, (9, 100), _HALF),
    "forward bf16, aligned": partial(forward_case, (33, 32), _BRAIN),
    "forward fp32, kl in parts": partial(forward_case, (1, 8195), _FULL),
    "forward with eps fp32": partial(forward_case, (3, 10), _FULL, True),
    "forward with eps fp16": partial(forward_case, (3, 64), _HALF, True),
    "backward fp32, odd": partial(backward_case, (70, 13), _FULL),
    "backward fp16, two tiles": partial(backward_case, (2, 1030), _HALF),
    "backward bf16, aligned": partial(backward_case, (33, 32), _BRAIN),
    "backward with eps fp32": partial(backward_case, (3, 10), _FULL, True),
}
