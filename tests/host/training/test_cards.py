"""The cards of the shipped models hold what was asked of the models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import engine.zoo

FOLDER = Path(engine.zoo.__file__).parent
NAMES = ("dcgan-digits", "dcgan-emoji", "gan-mlp-digits", "vae-digits")


def card(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_each_card_tells_data_licence_command_and_steps(name):
    values = card(name)
    assert values["name"] == name
    assert values["data"].startswith("npm ")
    assert values["licence"] in ("MIT", "Apache-2.0")
    assert values["command"].startswith(f"python -m training {values['recipe']} --data ")
    assert f"-o {name}.pt" in values["command"]
    assert values["steps"] > 1000
    assert not re.search(r"(?<![\w.])/\w+/", json.dumps(values)), "a machine's path"


def test_the_conditional_model_gives_what_it_is_asked_for():
    metrics = card("dcgan-digits")["metrics"]
    assert metrics["classifier_held_out_accuracy"] > 0.97
    assert metrics["asked_class_accuracy"] >= 0.9
    assert metrics["asked_class_accuracy_lowest"] >= 0.8
    assert metrics["diversity_in_class"] >= 0.8


@pytest.mark.parametrize("name", ["gan-mlp-digits", "vae-digits"])
def test_the_unconditional_models_cover_all_classes(name):
    metrics = card(name)["metrics"]
    assert metrics["classes_covered"] == 10
    assert metrics["confidence"] >= 0.8
    assert metrics["diversity_in_class"] >= 0.8


def test_the_emoji_are_far_from_noise_and_no_copies():
    metrics = card("dcgan-emoji")["metrics"]
    assert metrics["kid"] < 0.5 * metrics["kid_of_noise"]
    assert metrics["feature_diversity"] >= 0.7
    assert metrics["nearest_real_distance"] > 0.5
