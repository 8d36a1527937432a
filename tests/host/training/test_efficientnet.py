from __future__ import annotations

import numpy as np
import pytest
import torch

from training.data.fetch import unpacked
from training.evaluation import efficientnet, measures

COMMAND = "python -m training.evaluate CKPT --data emoji --download"


def test_an_untrained_network_gives_1280_features_an_image():
    torch.manual_seed(0)
    network = efficientnet.EfficientNetLite0().eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3)).astype(np.uint8)
    assert efficientnet.features(network, images).shape == (2, 1280)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "expected"),
    [(8, 3, 2, 4), (7, 3, 2, 4), (8, 5, 1, 8), (9, 1, 1, 9)],
)
def test_same_padding_gives_tensorflows_sizes(side, kernel, stride, expected):
    conv = efficientnet._SameConv(2, 3, kernel, stride)
    assert conv(torch.zeros(1, 2, side, side)).shape == (1, 3, expected, expected)


@pytest.mark.skipif(
    not unpacked(efficientnet.PACKAGE).is_dir(), reason=f"network not in the cache: run `{COMMAND}`"
)
def test_trained_features_tell_noise_from_plain_images():
    rng = np.random.default_rng(0)
    plain = np.repeat(rng.integers(0, 256, (12, 1, 1, 3)), 32, axis=1).repeat(32, axis=2)
    noise = rng.integers(0, 256, (12, 32, 32, 3))
    network = efficientnet.load()
    plain_a, plain_b, noisy = (
        efficientnet.features(network, images.astype(np.uint8))
        for images in (plain[:6], plain[6:], noise)
    )
    assert measures.kid(noisy, plain_a) > 5 * abs(measures.kid(plain_b, plain_a))
