"""The reference of the reparameterisation, checked by finite differences (gradcheck)."""

from __future__ import annotations

from typing import Any

import pytest

from kernels.reference import reparameterisation

torch = pytest.importorskip("torch")


class Reference(torch.autograd.Function):
    """The reference's values with the reference's gradients."""

    @staticmethod
    def forward(ctx: Any, mu: Any, logvar: Any, eps: Any) -> Any:
        ctx.save_for_backward(mu, logvar, eps)
        values = reparameterisation.reparameterise(
            *(tensor.detach().numpy() for tensor in (mu, logvar, eps))
        )
        return tuple(torch.from_numpy(value) for value in values)

    @staticmethod
    def backward(ctx: Any, of_z: Any, of_kl: Any) -> Any:
        saved = [tensor.detach().numpy() for tensor in ctx.saved_tensors]
        found = reparameterisation.gradients(*saved, of_z.numpy(), of_kl.numpy())
        return (*(torch.from_numpy(value) for value in found), None)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 2, 3)], ids=["smallest", "flat", "maps"])
def test_gradcheck(shape: tuple[int, ...]) -> None:
    random = torch.Generator().manual_seed(0)
    mu, logvar, eps = (torch.randn(shape, dtype=torch.float64, generator=random) for _ in range(3))
    inputs = (mu.requires_grad_(), logvar.requires_grad_(), eps)
    assert torch.autograd.gradcheck(Reference.apply, inputs)
