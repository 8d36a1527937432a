"""Strangers' checkpoints, rebuilt from their tensors: the same samples as the original network.

Each network follows a public implementation; its batch norms are run in training mode first, so
that there is evidence for what the tensors do not show.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.core.errors import ArtifactError, NumericalError, OptionError
from engine.core.options import LoadOptions
from engine.models.load import LoadedGenerator, load_generator
from tests.cases import public_networks as public


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


NAMES = (
    *("dcgan", "dcgan-64", "dcgan-28", "dcgan-bias-no-norm", "dcgan-dropout", "dcgan-leaky"),
    *("coursera", "infogan", "named", "projected", "short-names", "interpolated", "unflatten"),
    *("wavegan", "one-hot", "embedding-last", "embedding-first", "pytorch-gan"),
    *("pytorch-gan-usual-eps", "pytorch-gan-classes", "pytorch-gan-conv", "pytorch-gan-acgan"),
    *("example-vae", "pytorch-vae", "fully-convolutional-vae", "small-vae"),
)


@pytest.mark.parametrize("name", NAMES)
def test_same_samples_as_the_original(
    name: str, strangers: SimpleNamespace, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    stranger = strangers.by_name[name]
    network = strangers.trained(stranger.make(), stranger.latent, stranger.classes)
    loaded = load(network.state_dict(), tmp_path / "stranger.pt", **stranger.options)
    same_samples(loaded, network, stranger.latent, stranger.classes)
    assert loaded.spec.inferred
    assert loaded.spec.latent.distribution == "normal"
    assert len(loaded.spec.classes) == stranger.classes
    assert not any("DISAGREE" in line for line in loaded.assumptions)


def test_every_stranger_is_tried(strangers: SimpleNamespace) -> None:
    assert set(NAMES) == set(strangers.by_name)


@pytest.mark.parametrize("name", ["example-vae", "pytorch-vae", "fully-convolutional-vae"])
def test_encoder(name: str, strangers: SimpleNamespace, tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = strangers.trained(strangers.by_name[name].make(), 12)
    loaded = load(network.state_dict(), tmp_path / "vae.pt")
    assert loaded.spec.entry_points == ("decoder", "encoder")
    images = torch.rand(3, *loaded.spec.output.shape)
    with torch.inference_mode():
        outputs = loaded.entry_points["encoder"](images)
        for actual, expected in zip(outputs, network.encode(images), strict=True):
            assert (actual - expected).abs().max() < 1e-5


def test_uniform_latents_show_in_the_statistics(tmp_path: Path, strangers: SimpleNamespace) -> None:
    torch.manual_seed(3)
    network = strangers.trained(strangers.column(strangers.dcgan()), 12, uniform=True)
    loaded = load(network.state_dict(), tmp_path / "uniform.pt")
    assert loaded.spec.latent.distribution == "uniform"


def test_statistics_that_fit_nothing_are_reported(
    tmp_path: Path, strangers: SimpleNamespace
) -> None:
    network = strangers.column(strangers.dcgan())
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
def test_wrappings(wrap: Callable[[Any], Any], tmp_path: Path, strangers: SimpleNamespace) -> None:
    torch.manual_seed(4)
    network = strangers.trained(strangers.column(strangers.dcgan(widths=(16, 8))), 12)
    state = {
        key: tensor.half().to(tensor.dtype) if tensor.ndim == 4 else tensor
        for key, tensor in network.state_dict().items()
    }
    network.load_state_dict(state)
    same_samples(load(wrap(dict(state)), tmp_path / "w.pt"), network, 12, 0)


def t2() -> Tensor:
    return torch.ones(2, 2)


@pytest.mark.parametrize("kind", ["legacy", "safetensors", "sorted"])
def test_file_formats(kind: str, tmp_path: Path, strangers: SimpleNamespace) -> None:
    torch.manual_seed(5)
    network = strangers.trained(strangers.column(strangers.dcgan(widths=(16, 8))), 12)
    path = tmp_path / ("net.safetensors" if kind == "safetensors" else "net.pth")
    if kind == "safetensors":
        save_file(network.state_dict(), path)
    elif kind == "legacy":
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    else:
        torch.save(dict(sorted(network.state_dict().items())), path)
    same_samples(load_generator(path), network, 12, 0)


def test_nan_names_the_tensor_of_the_file(tmp_path: Path, strangers: SimpleNamespace) -> None:
    state = strangers.dcgan().state_dict()
    state["3.weight"][0, 0, 0, 0] = float("nan")
    with pytest.raises(NumericalError, match=r"'3\.weight' holds 1 NaN"):
        load(state, tmp_path / "nan.pt")


def test_options_that_need_a_named_network(tmp_path: Path, strangers: SimpleNamespace) -> None:
    with pytest.raises(OptionError, match="input_shape=.*recognised from its tensors"):
        load(strangers.dcgan().state_dict(), tmp_path / "a.pt", input_shape=(12,))
    with pytest.raises(ArtifactError, match=r"b\.pt: is no generator.*discriminator"):
        load(nn.Sequential(nn.Conv2d(3, 8, 4), nn.Conv2d(8, 1, 4)).state_dict(), tmp_path / "b.pt")


def test_output_range_and_activation_of_the_user(
    tmp_path: Path, strangers: SimpleNamespace
) -> None:
    loaded = load(
        strangers.dcgan().state_dict(),
        tmp_path / "a.pt",
        arch_args={"output_activation": "sigmoid"},
    )
    assert loaded.spec.output.range == (0.0, 1.0)
    network = strangers.column(strangers.dcgan())
    network.main[-1] = nn.Sigmoid()
    loaded = load(network.state_dict(), tmp_path / "a.pt", output_range=(0.0, 1.0))
    assert loaded.spec.output.range == (0.0, 1.0)
    same_samples(loaded, network.eval(), 12, 0)
    loaded = load(
        network.state_dict(),
        tmp_path / "a.pt",
        output_range=(0.0, 255.0),
        arch_args={"output_activation": "identity"},
    )
    assert loaded.spec.output.range == (0.0, 255.0)


@pytest.mark.parametrize(
    ("output_range", "activation", "message"),
    [
        ((0.0, 1.0), "tanh", "output_range=0:1 contradicts output_activation='tanh'.*-1:1"),
        ((-1.0, 1.0), "sigmoid", "output_range=-1:1 contradicts output_activation='sigmoid'"),
        ((0.0, 255.0), None, "output_range=0:255 fits neither tanh .* nor sigmoid"),
    ],
    ids=["tanh", "sigmoid", "neither"],
)
def test_output_range_that_contradicts_the_activation(
    output_range: tuple[float, float],
    activation: str | None,
    message: str,
    tmp_path: Path,
    strangers: SimpleNamespace,
) -> None:
    arguments = {"output_activation": activation} if activation else {}
    state = strangers.dcgan().state_dict()
    with pytest.raises(OptionError, match=message):
        load(state, tmp_path / "a.pt", output_range=output_range, arch_args=arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: (t * 100).to(torch.int8), r"'3\.weight' holds int8, weights are floats"),
        (lambda t: t.to(torch.complex64), r"'3\.weight' holds complex64, weights are floats"),
        (lambda t: t.to("meta"), r"a\.pt: the tensor 'g\.3\.weight' is on the meta device"),
        (lambda t: t.to_sparse(), r"a\.pt: the tensor 'g\.3\.weight' is sparse"),
    ],
    ids=["int8", "complex", "meta", "sparse"],
)
def test_weights_that_are_no_plain_floats(
    change: Callable[[Tensor], Tensor], message: str, tmp_path: Path, strangers: SimpleNamespace
) -> None:
    state = strangers.dcgan().state_dict()
    state["3.weight"] = change(state["3.weight"])
    with pytest.raises(ArtifactError, match=message):
        load({"g": state}, tmp_path / "a.pt")


def test_faces_of_gan_face_generate(tmp_path: Path) -> None:
    """A DCGAN that others trained on a GPU, under `netG_state_dict`."""
    loaded = load_generator(public.fetched(public.FACES, tmp_path))
    assert loaded.spec.latent.shape == (100,)
    assert loaded.spec.output.shape == (3, 64, 64)
    assert any("agree" in line for line in loaded.assumptions)
    with torch.inference_mode():
        images = loaded.entry_points["decoder"](torch.randn(8, 100)).numpy()
    # Faces: neither flat nor saturated, and no two alike.
    assert images.std() > 0.2
    assert np.abs(images).mean() < 0.9
    assert np.abs(images[0] - images[1]).mean() > 0.1
