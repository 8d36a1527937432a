"""One step of a GAN: the discriminator, then the generator.

Goodfellow et al.: Generative adversarial nets (2014), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.models import GeneratorModule, create, create_discriminator
from training.augment import Augment
from training.layout import channels_last
from training.losses import discriminator_loss, generator_loss
from training.settings import Settings


class GANTask:
    """Generator, discriminator and their Adam optimisers, stepped in turn."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model: GeneratorModule = create(settings.recipe, **settings.arch_args)
        self.discriminator: nn.Module = create_discriminator(
            settings.recipe, **settings.discriminator_args
        )
        channels_last(self.model)
        channels_last(self.discriminator)
        self._augment = Augment(settings.augment)
        betas = (settings.beta1, 0.999)
        self._for_generator = torch.optim.Adam(
            self.model.parameters(), settings.lr, betas, fused=True
        )
        self._for_discriminator = torch.optim.Adam(
            self.discriminator.parameters(), settings.lr, betas, fused=True
        )

    def step(self, images: Tensor, labels: Tensor) -> dict[str, float]:
        """Both updates on images [B, C, H, W] in [-1, 1] with labels [B]; gives the metrics."""
        settings = self.settings
        asked = labels if settings.classes else None
        z = torch.randn(len(images), settings.latent)
        with torch.autocast("cpu", torch.bfloat16, settings.precision == "bfloat16"):
            fakes = self.model(z, asked)
        real = self._judge(images, asked)
        fake = self._judge(fakes.detach(), asked)
        d_loss = discriminator_loss(real, fake, settings.label_smoothing)
        self._for_discriminator.zero_grad(set_to_none=True)
        torch.autograd.backward(d_loss)
        self._for_discriminator.step()

        # The generator's gradient passes through the discriminator, whose weights need none.
        self.discriminator.requires_grad_(False)
        g_loss = generator_loss(self._judge(fakes, asked), settings.loss)
        self._for_generator.zero_grad(set_to_none=True)
        torch.autograd.backward(g_loss)
        self._for_generator.step()
        self.discriminator.requires_grad_(True)
        return {
            "d_loss": d_loss.item(),
            "g_loss": g_loss.item(),
            "d_real": torch.sigmoid(real.detach()).mean().item(),
            "d_fake": torch.sigmoid(fake.detach()).mean().item(),
        }

    def state(self) -> dict[str, Any]:
        """What a resume needs beside the generator's weights."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "generator_optimizer": self._for_generator.state_dict(),
            "discriminator_optimizer": self._for_discriminator.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.discriminator.load_state_dict(state["discriminator"])
        self._for_generator.load_state_dict(state["generator_optimizer"])
        self._for_discriminator.load_state_dict(state["discriminator_optimizer"])

    def _judge(self, images: Tensor, labels: Tensor | None) -> Tensor:
        precision = self.settings.precision
        seen = self._augment(images.float()).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, precision == "bfloat16"):
            logits: Tensor = self.discriminator(seen, labels)
        return logits.float()
