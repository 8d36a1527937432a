from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.core.errors import OptionError
from training.recipes import RECIPES, settings_for


def make(name, data, conditional=False, epochs=None, **given):
    return settings_for(name, data, conditional=conditional, epochs=epochs, **given)


def resized(data, size, channels=1):
    return dataclasses.replace(data, images=np.zeros((48, size, size, channels), np.uint8))


@pytest.mark.parametrize(
    ("recipe", "native", "size"),
    [
        ("dcgan", 28, 32),
        ("vae", 28, 32),
        ("gan-mlp", 28, 28),
        ("dcgan", 64, 64),
        ("dcgan", 136, 64),
    ],
)
def test_the_size_follows_the_data(data, recipe, native, size):
    assert make(recipe, resized(data, native)).size == size


def test_channels_and_classes_follow_the_data(data):
    found = make("dcgan", resized(data, 64, 3), conditional=True)
    assert (found.channels, found.classes) == (3, 2)
    assert make("dcgan", data).classes == 0


def test_epochs_become_steps(data):
    assert make("dcgan", data, epochs=10, batch_size=16).steps == 30
    assert make("dcgan", data, batch_size=48).steps == RECIPES["dcgan"].epochs


def test_given_options_win(data):
    found = make("vae", data, lr=0.5, latent=3, width=None, kl_weight=2.0)
    assert (found.lr, found.latent, found.kl_weight) == (0.5, 3, 2.0)
    assert found.width == RECIPES["vae"].width


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ("pixelcnn", {}, r"'pixelcnn'.*dcgan, vae, gan-mlp"),
        ("gan-mlp", {"width": 8}, r"--width"),
        ("vae", {"loss": "minimax"}, r"--loss"),
        ("vae", {"label_smoothing": 0.1}, r"--label-smoothing is an option of the GANs"),
        ("vae", {"augment": ("flip",)}, r"--augment"),
        ("dcgan", {"kl_weight": 1.0}, r"--kl-weight"),
        ("dcgan", {"epochs": 2, "steps": 3}, r"exclude each other"),
        ("dcgan", {"epochs": 0}, r"--epochs 0"),
        ("dcgan", {"steps": 0}, r"--steps 0 must be at least 1"),
        ("dcgan", {"batch_size": 0}, r"--batch-size 0"),
        ("dcgan", {"batch_size": 1}, r"--batch-size 1 must be at least 2"),
        ("dcgan", {"lr": float("nan")}, r"--lr nan"),
        ("dcgan", {"beta1": 1.0}, r"--beta1 1\.0"),
        ("dcgan", {"loss": "hinge"}, r"--loss hinge must be non-saturating or minimax"),
        ("dcgan", {"precision": "int4"}, r"--precision int4"),
        ("dcgan", {"seed": -1}, r"--seed -1"),
        ("dcgan", {"ema_decay": 1.0}, r"--ema-decay 1\.0"),
        ("vae", {"kl_weight": -1.0}, r"--kl-weight -1\.0"),
    ],
)
def test_options_that_do_not_fit_are_refused(data, recipe, options, message):
    with pytest.raises(OptionError, match=message):
        make(recipe, data, **options)


def test_one_class_cannot_be_conditioned_on(data):
    single = dataclasses.replace(data, class_names=("all",))
    with pytest.raises(OptionError, match="one class only"):
        make("dcgan", single, conditional=True)
