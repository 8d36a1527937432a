"""One step of a VAE: reconstruction + lambda x KL (Kingma, Welling 2014; Higgins et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.models import create
from engine.models.vae import VAE
from training.layout import channels_last
from training.losses import bernoulli_reconstruction
from training.posterior import sample_posterior
from training.settings import Settings


class VAETask:
    """Encoder and decoder with one Adam optimiser."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        model = create(settings.recipe, **settings.arch_args)
        if not isinstance(model, VAE):
            raise TypeError(f"recipe {settings.recipe!r} makes no VAE")
        self.model: VAE = model
        channels_last(self.model)
        betas = (settings.beta1, 0.999)
        self._optimizer = torch.optim.Adam(self.model.parameters(), settings.lr, betas, fused=True)

    def step(self, images: Tensor, labels: Tensor) -> dict[str, float]:
        """One update on images [B, C, H, W] in [0, 1] with labels [B]; gives the metrics."""
        settings = self.settings
        asked = labels if settings.classes else None
        with torch.autocast("cpu", torch.bfloat16, settings.precision == "bfloat16"):
            mean, logvar = self.model.encoder(
                images.contiguous(memory_format=torch.channels_last), asked
            )
            z, kl_of_each = sample_posterior(mean.float(), logvar.float())
            logits = self.model.decoder.logits(z, asked)
        reconstruction = bernoulli_reconstruction(logits.float(), images)
        kl = kl_of_each.mean()
        loss = reconstruction + settings.kl_weight * kl
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._optimizer.step()
        return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}

    def state(self) -> dict[str, Any]:
        """What a resume needs beside the network's weights."""
        return {"optimizer": self._optimizer.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self._optimizer.load_state_dict(state["optimizer"])
