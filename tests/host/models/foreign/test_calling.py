"""The ways in which strangers' networks take labels, latents and states, and give samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from engine.core.errors import ArtifactError
from engine.core.likely import is_given
from engine.core.options import LoadOptions
from engine.models.load import LoadedGenerator, load_generator
from tests.cases import stranger_networks

Z = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([4, 0, 2])
ONE_HOT = one_hot(LABELS, 5).float()
Call = Callable[[Any], Any]


def load(name: str, folder: Path, **options: Any) -> tuple[torch.nn.Module, LoadedGenerator]:
    network, path = stranger_networks.saved(name, folder, **options.get("arch_args", {}))
    arch = f"{stranger_networks.FILE}:{name}"
    return network, load_generator(path, LoadOptions(arch=arch, **options))


def run(module: torch.nn.Module, *inputs: Tensor) -> Any:
    with torch.inference_mode():
        return module(*inputs)


MANNERS: dict[str, tuple[dict[str, Any], Call, str]] = {
    "Indices": ({}, lambda net: net(Z, LABELS), ""),
    "LabelsFirst": ({}, lambda net: net(LABELS, Z), "labels come before the latent"),
    "ByKeyword": ({}, lambda net: net(Z, class_labels=LABELS), ""),
    "AfterOptions": ({}, lambda net: net(Z, label=LABELS), ""),
    "OneHot": ({}, lambda net: net(Z, ONE_HOT), "labels go in as one-hot [B, 5]"),
    "OneHotFirst": ({}, lambda net: net(ONE_HOT, Z), "labels come before the latent"),
    "TwoBranches": (
        {},
        lambda net: net(Z[..., None, None], ONE_HOT[..., None, None]),
        "labels go in as one-hot [B, 5, 1, 1]",
    ),
    "ConditionalVae": ({}, lambda net: net.decode(Z, ONE_HOT), "labels go in as one-hot [B, 5]"),
}


@pytest.mark.parametrize("name", MANNERS)
def test_labels(name: str, tmp_path: Path) -> None:
    options, call, note = MANNERS[name]
    network, loaded = load(name, tmp_path, classes=5, **options)
    assert loaded.spec.latent.shape == (6,)
    assert len(loaded.spec.classes) == 5
    with torch.inference_mode():
        expected = call(network)
    assert torch.allclose(run(loaded.entry_points["decoder"], Z, LABELS), expected, atol=1e-6)
    graph = [line for line in loaded.assumptions if line.startswith("graph: ")]
    assert note in " ".join(graph)
    assert bool(note) == bool(graph)


def test_the_encoder_takes_labels_as_the_decoder_does(tmp_path: Path) -> None:
    network, loaded = load("ConditionalVae", tmp_path, classes=5)
    x = torch.rand(3, 16)
    made = run(loaded.entry_points["encoder"], x, LABELS)
    assert all(torch.equal(*pair) for pair in zip(made, network.encode(x, ONE_HOT), strict=True))


WITHOUT_LABELS: dict[str, tuple[Call, tuple[int, ...], str]] = {
    "WholeVae": (lambda net: net.decoder(Z), (1, 4, 4), "its part 'decoder' is what makes samples"),
    "Squeezing": (lambda net: net(Z), (3, 3, 3), "the batch of what it gives is put first"),
    "Styled": (lambda net: net(Z)[0], (3, 4, 4), ""),
    "Modulated": (lambda net: net([Z])[0], (3, 7, 7), "the latent goes in as a list of one"),
    "Sentences": (
        lambda net: net.decode(Z).T.float(),
        (3,),
        "the whole numbers that it gives come as float32",
    ),
}


@pytest.mark.parametrize("name", WITHOUT_LABELS)
def test_outputs(name: str, tmp_path: Path) -> None:
    call, shape, note = WITHOUT_LABELS[name]
    network, loaded = load(name, tmp_path, input_shape=(6,))
    with torch.inference_mode():
        expected = call(network)
    decoder = loaded.entry_points["decoder"]
    assert loaded.spec.output.shape == shape
    assert torch.allclose(run(decoder, Z), expected, atol=1e-6)
    assert torch.allclose(run(decoder, Z[:1]), expected[:1], atol=1e-6)
    assert note in " ".join(loaded.assumptions)


def test_classes_at_every_pixel(tmp_path: Path) -> None:
    network, loaded = load("LabelMaps", tmp_path, input_shape=(1, 4, 4), classes=5)
    x, maps = torch.rand(3, 1, 4, 4), ONE_HOT[..., None, None].expand(-1, -1, 4, 4)
    assert torch.equal(run(loaded.entry_points["decoder"], x, LABELS), network(x, maps))
    assert "labels go in as one-hot maps [B, 5, H, W]" in " ".join(loaded.assumptions)


@pytest.mark.parametrize(
    ("inputs", "made", "given"),
    [
        ((3, 64, 64), (3, 128, 128), True),
        ((1, 32, 32), (3, 32, 32), True),
        ((12, 32, 32), (3, 32, 32), True),
        ((80, 20), (1, 5120), True),
        ((80, 20), (5120,), True),
        ((4, 32, 32), (3, 256, 256), False),
        ((512, 4, 4), (3, 64, 64), False),
        ((3, 4, 4), (3, 64, 64), False),
        ((100, 1, 1), (3, 64, 64), False),
        ((8, 16), (8, 4), False),
        ((64, 1), (1, 1024), False),
        ((100,), (1, 16384), False),
    ],
    ids=str,
)
def test_what_the_caller_gives(inputs: tuple[int, ...], made: tuple[int, ...], given: bool) -> None:
    assert is_given(inputs, made) == given


def test_a_code_beside_the_latent_is_drawn(tmp_path: Path) -> None:
    network, loaded = load("InfoGan", tmp_path, input_shape=((6,), (2,)), classes=5)
    (code,) = loaded.spec.noise
    assert (code.name, code.shape, code.distribution) == ("code", (2,), "normal")
    x = torch.rand(3, 2)
    made = run(loaded.entry_points["decoder"], Z, LABELS, x)
    assert torch.allclose(made, network(Z, ONE_HOT, x), atol=1e-6)


def test_images_and_attributes_are_given(tmp_path: Path) -> None:
    network, loaded = load("StarGan", tmp_path, input_shape=((3, 8, 8), (2,)))
    inputs = [loaded.spec.latent, *loaded.spec.noise]
    assert [(item.name, item.distribution) for item in inputs] == [("x", "given"), ("c", "given")]
    x, c = torch.rand(3, 3, 8, 8), torch.rand(3, 2)
    assert torch.allclose(run(loaded.entry_points["decoder"], x, c), network(x, c), atol=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_step_of_a_recurrent_network(kind: str, tmp_path: Path) -> None:
    states = ((2, 4), (2, 4)) if kind == "lstm" else (2, 4)
    options = {"arch_args": {"kind": kind}, "input_shape": states, "classes": 7}
    network, loaded = load("CharRnn", tmp_path, **options)
    names = ["hidden_0", "hidden_1"] if kind == "lstm" else ["hidden"]
    assert [item.name for item in (loaded.spec.latent, *loaded.spec.noise)] == names
    assert [item.name for item in loaded.spec.further] == [f"next_{name}" for name in names]
    assert loaded.spec.output.shape == (7,)
    state = [torch.randn(3, 2, 4) for _ in names]
    theirs = tuple(one.transpose(0, 1).contiguous() for one in state)
    scores, hidden = network(LABELS, theirs if kind == "lstm" else theirs[0])
    made = run(loaded.entry_points["decoder"], state[0], LABELS, *state[1:])
    assert torch.allclose(made[0], scores, atol=1e-6)
    for ours, other in zip(made[1:], hidden if kind == "lstm" else [hidden], strict=True):
        assert torch.allclose(ours, other.transpose(0, 1), atol=1e-6)


def test_weights_of_another_network_tell_where_they_were_found(tmp_path: Path) -> None:
    network, path = stranger_networks.saved("Indices", tmp_path)
    other = torch.nn.Linear(3, 3)
    torch.save({"first": other.state_dict(), "second": network.state_dict()}, path)
    options = LoadOptions(arch=f"{stranger_networks.FILE}:Indices", classes=5)
    message = "do not fit the network.*'first' was taken, 'second' would do as well .--state-key"
    with pytest.raises(ArtifactError, match=message):
        load_generator(path, options)
    options = dataclasses.replace(options, state_key="second")
    assert load_generator(path, options).spec.latent.shape == (6,)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "Indices",
            {},
            r"forward needs z, labels, which are 2 inputs, and is given 1; .*--classes",
        ),
        (
            "InfoGan",
            {"input_shape": (6,), "classes": 5},
            "needs noise, labels, code.*once for each",
        ),
        ("OneHot", {"classes": 4}, r"does not run on inputs of shape \[2, 6\], \[2\]"),
    ],
    ids=["labels", "further input", "number of classes"],
)
def test_what_does_not_fit(
    name: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=message):
        load(name, tmp_path, **options)
