"""Checkpoints of ours with a damaged field: refused with the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.errors import ArtifactError
from engine.models.checkpoint import Checkpoint
from engine.models.load import load_generator


def damage(source: Path, path: Path, key: str, value: Any) -> Path:
    values = torch.load(source, weights_only=True)
    values[key] = value
    torch.save(values, path)
    return path


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        pytest.param("spec", 3, "'spec' holds int, not text", id="spec-int"),
        pytest.param("spec", {"name": "x"}, "'spec' holds dict, not text", id="spec-dict"),
        pytest.param("spec", "{", "'spec': not JSON", id="spec-json"),
        pytest.param("spec", "[]", "'spec': a spec must be a JSON object", id="spec-list"),
        pytest.param("arch", ["dcgan"], "'arch' holds list, not text", id="arch"),
        pytest.param("arch_args", "size=12", "'arch_args' holds str, not names", id="args-text"),
        pytest.param("arch_args", {1: 2}, "'arch_args' holds dict, not names", id="args-keys"),
        pytest.param("generator", None, "'generator' holds NoneType", id="weights-none"),
        pytest.param(
            "generator", {"a": [1.0]}, "'generator.a' holds list, not a tensor", id="weights-list"
        ),
        pytest.param("generator_ema", "x", "'generator_ema' holds str", id="ema-text"),
        pytest.param(
            "generator_ema", {"a": 1.0}, "'generator_ema.a' holds float, not a tensor", id="ema"
        ),
        pytest.param("training", 5, "'training' holds int, not names", id="training"),
    ],
)
def test_a_field_of_the_wrong_type(
    key: str, value: Any, message: str, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    path = damage(checkpoints["gan-mlp"], tmp_path / "bad.pt", key, value)
    with pytest.raises(ArtifactError) as caught:
        load_generator(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["spec", "arch", "arch_args", "generator"])
def test_a_field_that_is_missing(key: str, checkpoints: dict[str, Path], tmp_path: Path) -> None:
    values = torch.load(checkpoints["gan-mlp"], weights_only=True)
    del values[key]
    with pytest.raises(ArtifactError, match=rf"x\.pt: the checkpoint lacks '{key}'"):
        Checkpoint.from_values(values, "x.pt")


def test_the_average_and_the_training_state_may_be_absent(checkpoints: dict[str, Path]) -> None:
    values = torch.load(checkpoints["gan-mlp"], weights_only=True)
    values.pop("generator_ema", None)
    values.pop("training", None)
    checkpoint = Checkpoint.from_values(values, "x.pt")
    assert checkpoint.weights is checkpoint.generator
    assert checkpoint.training == {}
