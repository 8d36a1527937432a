"""Weight initialisation of the DCGAN paper: N(0, 0.02) weights, N(1, 0.02) batch-norm scales."""

from torch import nn


def dcgan_init(module: nn.Module) -> None:
    """For `module.apply`: initialise one layer in place (Radford et al. 2016, section 4)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
