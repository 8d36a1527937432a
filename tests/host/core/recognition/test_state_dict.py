"""Finding the generator inside a checkpoint, under the names that training scripts use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.core.errors import ArtifactError
from engine.core.recognition.state_dict import find_state_dict, generator_part, unwrapped

G = {"0.weight": np.zeros((3, 4)), "0.bias": np.zeros(3)}
OTHER = {"0.weight": np.ones((5, 4)), "0.bias": np.ones(5)}


@pytest.mark.parametrize(
    ("values", "path"),
    [
        pytest.param(G, "", id="bare"),
        pytest.param({"state_dict": G, "epoch": 3}, "state_dict", id="state_dict"),
        pytest.param({"model_state_dict": G, "loss": 0.1}, "model_state_dict", id="tutorial"),
        pytest.param({"D": OTHER, "G": G}, "G", id="letters"),
        pytest.param({"netD": OTHER, "netG": G, "optimizerG": {}}, "netG", id="netG"),
        pytest.param(
            {"discriminator": OTHER, "generator": G, "step": 1}, "generator", id="generator"
        ),
        pytest.param({"g": OTHER, "d": OTHER, "g_ema": G}, "g_ema", id="rosinality"),
        pytest.param({"params": OTHER, "params_ema": G}, "params_ema", id="basicsr"),
        pytest.param({"netG_state_dict": OTHER, "netG_ema": G}, "netG_ema", id="netG_ema"),
        pytest.param({"generator": OTHER, "ema": {"shadow": G}}, "ema.shadow", id="nested-ema"),
        pytest.param({"model_d": OTHER, "model_g": G}, "model_g", id="melgan"),
        pytest.param((G, 12), "0", id="tuple"),
        pytest.param({"models": [{"D": OTHER}, {"G": G}]}, "models.1.G", id="list"),
        pytest.param({"models": {"D": OTHER, "G": G}}, "models.G", id="nested"),
        pytest.param({"optimizer": {"state": {"0": OTHER}}, "weights": G}, "weights", id="adam"),
    ],
)
def test_takes_the_generator(values: Any, path: str) -> None:
    found = find_state_dict(values)
    assert found.path == path
    assert found.tensors is not None
    assert found.tensors["0.weight"] is G["0.weight"]


def test_says_what_else_would_do() -> None:
    found = find_state_dict({"netG_A2B": G, "netG_B2A": OTHER})
    assert found.path == "netG_A2B"
    assert "'netG_B2A' would do as well" in found.notes[0]


def test_a_moving_average_without_statistics_gets_them_from_the_raw_weights() -> None:
    raw = {
        "0.weight": np.ones((3, 4)),
        "1.weight": np.ones(3),
        "1.running_mean": np.full(3, 7.0),
        "1.running_var": np.full(3, 2.0),
    }
    average = {"0.weight": np.zeros((3, 4)), "1.weight": np.zeros(3)}
    found = find_state_dict({"generator": raw, "generator_ema": average})
    assert list(found.tensors) == list(raw)
    assert found.tensors["0.weight"] is average["0.weight"]
    assert found.tensors["1.running_mean"] is raw["1.running_mean"]
    assert "2 tensors that the moving average lacks" in found.notes[1]


@pytest.mark.parametrize(
    ("key", "expected"),
    [("G", G), ("extra.best", OTHER)],
    ids=["top", "dotted"],
)
def test_key(key: str, expected: dict[str, Any]) -> None:
    found = find_state_dict({"G": G, "extra": {"best": OTHER}}, key)
    assert found.tensors["0.weight"] is expected["0.weight"]


def test_key_as_prefix() -> None:
    flat = {f"gen.{key}": tensor for key, tensor in G.items()}
    assert find_state_dict({"state_dict": flat}, "gen").tensors.keys() == G.keys()


@pytest.mark.parametrize(
    ("values", "key", "message"),
    [
        ({"netD": OTHER}, None, "holds no generator, only 'netD'"),
        ({"epoch": 3, "loss": 0.2}, None, "a dict with the keys 'epoch', 'loss'"),
        ([1, 2], None, "holds no state dict, but a list"),
        ({"G": G}, "netG", "no state dict at the key 'netG'; it holds 'G'"),
    ],
    ids=["only-discriminator", "no-weights", "list", "unknown-key"],
)
def test_refuses(values: Any, key: str | None, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        find_state_dict(values, key)


def test_unwrapped_removes_wrappers_anywhere_and_counters() -> None:
    tensors = {
        "module._orig_mod.main.0.weight": np.zeros((2, 2)),
        "module.main.module.1.weight": np.zeros((2, 2)),
        "n_averaged": np.zeros(()),
    }
    assert list(unwrapped(tensors)) == ["main.0.weight", "main.1.weight"]


@pytest.mark.parametrize(
    ("keys", "prefix", "left"),
    [
        (["generator.0.weight", "discriminator.0.weight"], "generator.", ["0.weight"]),
        (["ema_model.0.weight", "online_model.0.weight"], "ema_model.", ["0.weight"]),
        (["G.0.weight", "D.0.weight", "D.1.weight"], "G.", ["0.weight"]),
        (["l1.0.weight", "conv_blocks.0.weight"], "", ["l1.0.weight", "conv_blocks.0.weight"]),
        (["0.weight", "2.weight"], "", ["0.weight", "2.weight"]),
        (["encoder.0.weight", "decoder.0.weight"], "", ["encoder.0.weight", "decoder.0.weight"]),
    ],
    ids=["lightning", "ema-pytorch", "letters", "one-network", "sequential", "vae"],
)
def test_generator_part(keys: list[str], prefix: str, left: list[str]) -> None:
    part, found = generator_part({key: np.zeros((2, 2)) for key in keys})
    assert (found, list(part)) == (prefix, left)
