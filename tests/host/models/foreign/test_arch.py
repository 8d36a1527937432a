"""Any network through `arch`: module:factory, file.py:factory, or a name of ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.errors import ArtifactError, OptionError
from engine.core.options import LoadOptions
from engine.models import create
from engine.models.load import LoadedGenerator, load_generator

NETWORKS = '''
import torch
from torch import nn
from torch.nn import functional as F


class Vocoder(nn.Module):
    """mel [B, mels, T] -> sound [B, 1, 16 T], MelGAN-like with weight norm and a residual."""

    def __init__(self, mels=80, width=8):
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        self.pre = norm(nn.Conv1d(mels, width, 7, padding=3))
        self.up1 = norm(nn.ConvTranspose1d(width, width, 8, 4, 2))
        self.residual = norm(nn.Conv1d(width, width, 3, padding=3, dilation=3))
        self.up2 = norm(nn.ConvTranspose1d(width, 1, 8, 4, 2))

    def forward(self, mel):
        x = self.up1(F.leaky_relu(self.pre(mel), 0.2))
        return torch.tanh(self.up2(x + self.residual(F.leaky_relu(x, 0.2))))


def upconv7(channels=3):
    """Super-resolution by two, as waifu2x: no padding, one transposed convolution."""
    layers, inputs = [], channels
    for width in (4, 8, 8, 8, 8, 8):
        layers += [nn.Conv2d(inputs, width, 3), nn.LeakyReLU(0.1)]
        inputs = width
    return nn.Sequential(*layers, nn.ConvTranspose2d(inputs, channels, 4, 2, 3))


class Conditional(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.latent_dim = 8
        self.embed = nn.Embedding(classes, 4)
        self.out = nn.Linear(12, 3 * 64)

    def forward(self, z, labels):
        return self.out(torch.cat([z, self.embed(labels)], 1)).view(-1, 3, 8, 8)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.latent_dim = 6
        self.mu, self.logvar = nn.Linear(64, 6), nn.Linear(64, 6)
        self.out = nn.Linear(6, 64)

    def encode(self, x):
        return self.mu(x.flatten(1)), self.logvar(x.flatten(1))

    def decode(self, z):
        return torch.sigmoid(self.out(z)).view(-1, 1, 8, 8)

    def forward(self, x):
        mean, logvar = self.encode(x)
        return self.decode(mean), mean, logvar


class OddVAE(VAE):
    def encode(self, x):
        return self.mu(x.flatten(1))


class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 64)

    def forward(self, z):
        return self.out(z).view(-1, 1, 8, 8), z


class Fails(nn.Module):
    def __init__(self, size=3):
        raise RuntimeError("no weights today")


not_a_module = dict
'''


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the networks above, importable as `strangers`."""
    (tmp_path / "strangers.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "strangers", raising=False)
    import strangers  # type: ignore[import-not-found]

    yield strangers
    sys.modules.pop("strangers", None)


def load(module: torch.nn.Module, folder: Path, **options: Any) -> LoadedGenerator:
    path = folder / "weights.ckpt"
    torch.save({"epoch": 4, "model": module.state_dict()}, path)
    return load_generator(path, LoadOptions(**options))


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "output", "modality"),
    [
        ("Vocoder", {"mels": 80}, (80, 20), (1, 320), "audio"),
        ("upconv7", {}, (3, 20, 20), (3, 12, 12), "image"),
        ("Several", {}, (8,), (1, 8, 8), "image"),
    ],
)
def test_module_and_factory(
    networks: Any,
    tmp_path: Path,
    name: str,
    arguments: dict[str, Any],
    shape: tuple[int, ...],
    output: tuple[int, ...],
    modality: str,
) -> None:
    torch.manual_seed(0)
    network = getattr(networks, name)(**arguments).eval()
    loaded = load(
        network,
        tmp_path,
        arch=f"strangers:{name}",
        arch_args=arguments,
        input_shape=shape,
        output_range=(0.0, 1.0),
    )
    assert (loaded.spec.latent.shape, loaded.spec.output.shape) == (shape, output)
    assert (loaded.spec.modality, loaded.spec.output.range) == (modality, (0.0, 1.0))
    assert loaded.spec.inferred
    x = torch.randn(2, *shape)
    with torch.inference_mode():
        expected = network(x)
        expected = expected[0] if isinstance(expected, tuple) else expected
        assert torch.allclose(loaded.entry_points["decoder"](x), expected, atol=1e-6)


def test_file_and_factory_with_classes(networks: Any, tmp_path: Path) -> None:
    arch = f"{tmp_path / 'strangers.py'}:Conditional"
    loaded = load(networks.Conditional(), tmp_path, arch=arch, classes=5)
    assert loaded.spec.latent.shape == (8,)
    assert loaded.spec.classes == ("0", "1", "2", "3", "4")


def test_decode_and_encode_are_entry_points(networks: Any, tmp_path: Path) -> None:
    network = networks.VAE()
    loaded = load(network, tmp_path, arch="strangers:VAE")
    assert loaded.spec.entry_points == ("decoder", "encoder")
    images = torch.rand(2, 1, 8, 8)
    with torch.inference_mode():
        for actual, expected in zip(
            loaded.entry_points["encoder"](images), network.encode(images), strict=True
        ):
            assert torch.equal(actual, expected)
    loaded = load(networks.OddVAE(), tmp_path, arch="strangers:OddVAE")
    assert loaded.spec.entry_points == ("decoder",)
    assert any(line.startswith("encoder: left out") for line in loaded.assumptions)


def test_a_network_of_ours_by_name(tmp_path: Path) -> None:
    arguments = {"size": 12, "hidden": [9], "latent": 5}
    loaded = load(create("gan-mlp", **arguments), tmp_path, arch="gan-mlp", arch_args=arguments)
    assert loaded.spec.latent.shape == (5,)
    with pytest.raises(OptionError, match="classes=3, but arch='gan-mlp' was made with 0"):
        load(
            create("gan-mlp", **arguments),
            tmp_path,
            arch="gan-mlp",
            arch_args=arguments,
            classes=3,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "nowhere:Net"}, "cannot import 'nowhere'"),
        ({"arch": "strangers:Absent"}, "strangers has no 'Absent'"),
        ({"arch": "strangers:Fails"}, "cannot be made from {}: RuntimeError: no weights today"),
        ({"arch": "strangers:VAE", "arch_args": {"deep": 3}}, "unexpected keyword.*'deep'"),
        ({"arch": "strangers:not_a_module"}, "gives dict, not a torch.nn.Module"),
        ({"arch": "strangers:Several"}, "--input-shape 80,20"),
        ({"arch": "unheard-of"}, "unknown model 'unheard-of'; known are dcgan"),
    ],
    ids=lambda value: value.get("arch", "") if isinstance(value, dict) else "",
)
def test_wrong_options(
    networks: Any, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        load(networks.Several(), tmp_path, **options)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ("Several", {"arch": "strangers:VAE"}, "lacks 'mu.weight'"),
        (
            "Several",
            {"arch": "strangers:Several", "input_shape": (9,)},
            r"does not run on inputs of shape \[2, 9\].*--input-shape",
        ),
        ("Conditional", {"arch": "strangers:Conditional"}, "labels.*--classes"),
    ],
    ids=["other-weights", "wrong-shape", "labels-missing"],
)
def test_what_does_not_fit(
    networks: Any, tmp_path: Path, network: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        load(getattr(networks, network)(), tmp_path, **options)
