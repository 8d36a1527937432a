"""Reparameterised latents of a VAE and their divergence from the prior in one pass, with gradients.

    z  = mu + exp(logvar / 2) * eps                                  mu, logvar, z [batch, *size]
    kl = 1/2 sum (mu^2 + exp(logvar) - 1 - logvar)                   kl [batch]
    d mu     = dz + dkl * mu
    d logvar = dz * eps * exp(logvar / 2) / 2 + dkl * (exp(logvar) - 1) / 2

eps is made in the kernel from (seed, sample, element), so it is never stored: the backward pass
makes the same numbers again. Arithmetic is fp32 whatever the inputs are.

Bytes for n = batch * size elements of b bytes: forward reads mu and logvar and writes z, 3nb;
backward reads mu, logvar and dz and writes two gradients, 5nb. Unfused PyTorch (randn_like and
four operations for z, six for kl) moves 11nb for z and 13nb for kl, and keeps eps for backward.

Not worth it on a CPU, nor where eps has to come from `torch.randn` for comparison with other code:
then the launch saves little over a compiled pointwise graph.

Source: Kingma, Welling: Auto-encoding variational Bayes (2014), section 2.4 and appendix B.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.arguments import aligned, check_device, check_numbers, random_arguments, row_ranges
from kernels.jit.reparam import backward_kernel, forward_kernel
from kernels.launch import LARGEST_OFFSET, Launch

# The stream of reparameterisation noise: kind 2 of `kernels.philox`'s users.
STREAM = 2
DTYPES = (torch.float16, torch.bfloat16, torch.float32)

# Four warps with 16-byte accesses to 16-bit elements.
_TILE_ELEMENTS = 1024
# Elements of a sample that one program adds up; longer samples are cut, and kl comes in parts.
CHUNK = 8192


def parts_of_kl(size: int) -> int:
    """Into how many partial sums the divergence of a sample of `size` elements is cut."""
    return -(-size // CHUNK)


def forward_launches(
    mu: Tensor,
    logvar: Tensor,
    z: Tensor,
    kl_parts: Tensor,
    *,
    eps: Tensor | None = None,
    seed: int = 0,
    start: int = 0,
    stream: int = STREAM,
) -> tuple[Launch, ...]:
    """Launches for checked [batch, size] tensors and kl_parts [batch, parts_of_kl(size)] fp32."""
    batch, size = mu.shape
    columns, rows = _tile(size)
    chunk = min(CHUNK, triton.cdiv(size, columns) * columns)
    return tuple(
        Launch(
            name="reparam" if eps is None else "reparam_given",
            kernel=forward_kernel,
            grid=(triton.cdiv(last - first, rows) * triton.cdiv(size, chunk), 1, 1),
            arguments={
                "mean_ptr": mu[first:last],
                "logvar_ptr": logvar[first:last],
                **({} if eps is None else {"eps_ptr": eps[first:last]}),
                "z_ptr": z[first:last],
                "kl_ptr": kl_parts[first:last],
                "count": last - first,
                **random_arguments(seed, start + first, stream),
            },
            constants={
                **({"eps_ptr": None} if eps is None else {}),
                "SIZE": size,
                "CHUNK": chunk,
                "ROWS": rows,
                "BLOCKS": columns // 4,
            },
            num_stages=1,
        )
        for first, last in row_ranges(batch, size, kl_parts.shape[1])
    )


def backward_launches(
    mu: Tensor,
    logvar: Tensor,
    z_grad: Tensor,
    kl_grad: Tensor,
    mu_grad: Tensor,
    logvar_grad: Tensor,
    *,
    eps: Tensor | None = None,
    eps_grad: Tensor | None = None,
    seed: int = 0,
    start: int = 0,
    stream: int = STREAM,
) -> tuple[Launch, ...]:
    """Launches for checked [batch, size] tensors and kl_grad [batch] fp32."""
    batch, size = mu.shape
    columns, rows = _tile(size)
    tensors = {
        "mean_ptr": mu,
        "logvar_ptr": logvar,
        "eps_ptr": eps,
        "z_grad_ptr": z_grad,
        "kl_grad_ptr": kl_grad,
        "mean_grad_ptr": mu_grad,
        "logvar_grad_ptr": logvar_grad,
        "eps_grad_ptr": eps_grad,
    }
    absent = {name: None for name, tensor in tensors.items() if tensor is None}
    return tuple(
        Launch(
            name="reparam_backward" if eps is None else "reparam_given_backward",
            kernel=backward_kernel,
            grid=(triton.cdiv(last - first, rows) * triton.cdiv(size, columns), 1, 1),
            arguments={
                **{
                    name: tensor[first:last]
                    for name, tensor in tensors.items()
                    if tensor is not None
                },
                "count": last - first,
                **random_arguments(seed, start + first, stream),
            },
            constants={**absent, "SIZE": size, "ROWS": rows, "BLOCKS": columns // 4},
            num_stages=1,
        )
        for first, last in row_ranges(batch, size, 1)
    )


class _Reparameterise(torch.autograd.Function):
    """Keeps mu, logvar (and eps if it was given) for backward; all tensors are [batch, size]."""

    @staticmethod
    def forward(
        ctx: Any, mu: Tensor, logvar: Tensor, eps: Tensor | None, seed: int, start: int, stream: int
    ) -> tuple[Tensor, Tensor]:
        """Give z [batch, size] and kl [batch]."""
        numbers = {"seed": seed, "start": start, "stream": stream}
        mu, logvar = aligned(mu), aligned(logvar)
        eps = None if eps is None else aligned(eps)
        ctx.save_for_backward(mu, logvar, eps)
        ctx.numbers = numbers
        batch, size = mu.shape
        z = torch.empty_like(mu)
        if size == 0:
            return z, mu.new_zeros(batch, dtype=torch.float32)
        parts = mu.new_empty(batch, parts_of_kl(size), dtype=torch.float32)
        for launch in forward_launches(mu, logvar, z, parts, eps=eps, **numbers):
            launch.run()
        return z, parts[:, 0] if parts.shape[1] == 1 else parts.sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, z_grad: Tensor, kl_grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by mu, logvar and eps; eps made in the kernel has none."""
        mu, logvar, eps = ctx.saved_tensors
        mu_grad, logvar_grad = torch.empty_like(mu), torch.empty_like(mu)
        eps_grad = torch.empty_like(eps) if ctx.needs_input_grad[2] else None
        if mu.shape[1]:
            for launch in backward_launches(
                mu,
                logvar,
                aligned(z_grad),
                aligned(kl_grad),
                mu_grad,
                logvar_grad,
                eps=eps,
                eps_grad=eps_grad,
                **ctx.numbers,
            ):
                launch.run()
        return mu_grad, logvar_grad, eps_grad, None, None, None


def reparameterise(
    mu: Tensor,
    logvar: Tensor,
    *,
    seed: int | None = None,
    start: int = 0,
    eps: Tensor | None = None,
    stream: int = STREAM,
) -> tuple[Tensor, Tensor]:
    """z like mu [batch, *size] and kl [batch] fp32 in nats; differentiable by mu, logvar and eps.

    The noise is that of samples start .. start + batch under `seed` (the normals of
    `kernels.philox` to 1e-6), or eps [batch, *size] if it is given: exactly one of the two. Tensors
    that are not contiguous are copied. NaN and infinities pass through to z and kl of their sample.

    Raises ValueError if shapes, dtypes (one of fp16, bf16, fp32 for all) or devices differ, without
    a GPU or the interpreter, for numbers out of range, for a sample of 2^31 elements, and for more
    than 2^31 in samples so large that 16 of them, whose parts of kl end aligned, are too many.
    """
    if (seed is None) == (eps is None):
        raise ValueError("give either a seed, from which the noise is made, or eps; not both")
    tensors = {"mu": mu, "logvar": logvar} | ({} if eps is None else {"eps": eps})
    for name, tensor in tensors.items():
        if tensor.shape != mu.shape or tensor.dim() == 0:
            raise ValueError(
                f"{name} {tuple(tensor.shape)} must be [batch, ...] as mu {tuple(mu.shape)}"
            )
        if tensor.dtype != mu.dtype or tensor.dtype not in DTYPES:
            raise ValueError(
                f"{name} is {tensor.dtype}; mu, logvar and eps must be of one type, float16, "
                f"bfloat16 or float32 (mu is {mu.dtype})"
            )
    check_device(*tensors.values())
    check_numbers(seed or 0, start, len(mu), stream)
    size = math.prod(mu.shape[1:])
    if size > LARGEST_OFFSET:
        raise ValueError(f"{size} elements a sample are too many: at most 2^31 - 1")
    shape = (len(mu), size)
    z, kl = _Reparameterise.apply(
        mu.reshape(shape),
        logvar.reshape(shape),
        None if eps is None else eps.reshape(shape),
        seed or 0,
        start,
        stream,
    )
    return z.reshape(mu.shape), kl


def named_launches() -> dict[str, Launch]:
    """Launches at realistic sizes on meta tensors: what the gates compile and the report shows."""
    cases = {}
    for name, shape, dtype in (
        ("latent 128 fp16", (1024, 128), torch.float16),
        ("latent 100 fp32", (1024, 100), torch.float32),
        ("latent 4x32x32 bf16", (64, 4096), torch.bfloat16),
    ):
        a, b, c, d, e = (torch.empty(shape, dtype=dtype, device="meta") for _ in range(5))
        parts = torch.empty(shape[0], parts_of_kl(shape[1]), device="meta")
        (cases[f"reparam, {name}"],) = forward_launches(a, b, c, parts)
        (cases[f"reparam backward, {name}"],) = backward_launches(a, b, c, parts[:, 0], d, e)
        (cases[f"reparam with eps, {name}"],) = forward_launches(a, b, c, parts, eps=d)
    return cases


def _tile(size: int) -> tuple[int, int]:
    columns = min(_TILE_ELEMENTS, max(16, triton.next_power_of_2(size)))
    return columns, _TILE_ELEMENTS // columns
