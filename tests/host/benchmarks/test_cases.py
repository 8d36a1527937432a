"""The table of cases: what presets take, what narrowing leaves, what the suite of layers holds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases import (
    BATCHES,
    MODELS,
    PRESETS,
    LayerCase,
    ModelCase,
    StageCase,
    cases,
    narrowed,
)
from benchmarks.layer_suite import LAYERS
from engine import zoo
from engine.core.errors import OptionError


def test_default_is_two_models_at_one_batch() -> None:
    found = [case for case in cases(PRESETS["default"]) if isinstance(case, ModelCase)]
    assert {case.model for case in found} == {"dcgan-digits", "dcgan-emoji"}
    assert {case.batch for case in found} == {64}
    assert {case.precision for case in found} == {"fp32", "bf16"}
    assert PRESETS["default"].rounds == 5


def test_full_has_every_model_batch_precision_and_output() -> None:
    found = {
        (case.model, case.batch, case.precision, case.output)
        for case in cases(PRESETS["full"])
        if isinstance(case, ModelCase) and case.device == "cpu"
    }
    wanted = {
        (model, batch, precision, output)
        for model in (*zoo.names(), "face-dcgan")
        for batch in (1, 64, 1024)
        for precision in ("fp32", "bf16")
        for output in ("uint8", "float32")
    }
    assert found == wanted
    assert PRESETS["full"].rounds >= 13


def test_full_has_every_stage_of_every_model() -> None:
    stages = {
        (case.model, stage)
        for case in cases(PRESETS["full"])
        if isinstance(case, StageCase)
        for stage in case.stages
    }
    names = {"build", "cold start", "first sample", "steady state", "copy", "encode"}
    names |= {"cold process", "sinks", "stream"}
    assert stages == {(model, stage) for model in MODELS for stage in names}


@pytest.mark.parametrize("preset", PRESETS)
def test_no_two_cases_have_one_name(preset: str) -> None:
    names = [str(case) for case in cases(PRESETS[preset])]
    assert len(set(names)) == len(names)


def test_layers_have_names_of_their_own_sources_and_all_ranks() -> None:
    assert len({layer.name for layer in LAYERS}) == len(LAYERS)
    assert {layer.rank for layer in LAYERS} == {1, 2, 3}
    for layer in LAYERS:
        assert "(" in layer.source or "/" in layer.source, layer.name
        assert layer.flop_per_sample > 0, layer.name


@pytest.mark.parametrize(
    ("name", "size", "output"),
    [
        ("dcgan-5", (32, 32), (64, 64)),
        ("dcgan-5x5-1", (4, 4), (8, 8)),
        ("fsrcnn-x3", (64, 64), (192, 192)),
        ("waifu2x", (114, 114), (224, 224)),
        ("hifigan-1", (200,), (1600,)),
        ("wavegan-5", (4096,), (16384,)),
        ("3dgan-5", (32, 32, 32), (64, 64, 64)),
        ("vgan-2", (2, 4, 4), (4, 8, 8)),
    ],
)
def test_layers_have_the_sizes_of_their_networks(
    name: str, size: tuple[int, ...], output: tuple[int, ...]
) -> None:
    layer = next(layer for layer in LAYERS if layer.name == name)
    assert layer.size == size
    assert layer.geometry.output_size == output


def test_useful_operations_leave_out_taps_beyond_the_map() -> None:
    layer = next(layer for layer in LAYERS if layer.name == "dcgan-2")
    # Along an axis of 4, kernel 4, stride 2, padding 1: 16 pairs, of which the first and last
    # input each lose one.
    assert layer.flop_per_sample == 2 * 512 * 256 * 14**2
    assert layer.flop_per_sample < 2 * 512 * 256 * np.prod(layer.kernel) * 4**2


def test_narrowing_keeps_the_order_of_the_table() -> None:
    chosen = narrowed(PRESETS["full"], models=["vae-digits", "dcgan-digits"], batches=[64, 1, 64])
    assert chosen.models == ("dcgan-digits", "vae-digits")
    assert chosen.stage_models == chosen.models
    assert chosen.batches == (1, 64)
    assert chosen.precisions == PRESETS["full"].precisions
    assert not any(isinstance(case, LayerCase) for case in cases(chosen))
    assert BATCHES == (1, 64, 1024)


def test_naming_a_layer_measures_layers_alone() -> None:
    chosen = narrowed(PRESETS["default"], layers=["waifu2x"], precisions=["bf16"], rounds=2)
    assert [str(case) for case in cases(chosen)] == ["waifu2x-n4-bf16"]
    assert chosen.rounds == 2


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"models": ["dcgan"]}, "dcgan-digits"),
        ({"layers": ["dcgan-9"]}, "dcgan-5"),
        ({"parts": ["model"]}, "models, layers, stages"),
        ({"precisions": ["int8"]}, "fp32, bf16"),
    ],
)
def test_unknown_names_are_told_with_the_known(changes: dict[str, list[str]], word: str) -> None:
    with pytest.raises(OptionError, match=word):
        narrowed(PRESETS["default"], **changes)
