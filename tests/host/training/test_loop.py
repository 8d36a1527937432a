"""Runs: reproducible, resumable bit for bit, stopped when they cannot succeed."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from engine.core.errors import ArtifactError, OptionError, TrainingError
from engine.models.checkpoint import Checkpoint
from engine.models.safe_load import read_values
from training import gan, loop


class KilledError(Exception):
    """Stands for a SIGKILL: nothing of the run's own is done after it."""


def read(outputs):
    return Checkpoint.from_values(read_values(outputs.checkpoint), outputs.checkpoint)


def assert_same(first, second):
    """Equal tensors, bit for bit, in nested values."""
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        assert first == second


def assert_same_run(first, second):
    one, other = read(first), read(second)
    assert one.spec == other.spec
    assert_same(one.generator, other.generator)
    assert_same(one.generator_ema, other.generator_ema)
    assert_same(one.training, other.training)


def lines(outputs):
    found = [json.loads(line) for line in outputs.metrics.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "images_per_s"} for line in found]


VARIANTS = [
    pytest.param(
        "dcgan", {"classes": 2, "augment": ("flip", "cutout")}, id="dcgan-classes-augment"
    ),
    pytest.param("dcgan", {"precision": "bfloat16"}, id="dcgan-bfloat16"),
    pytest.param("vae", {"kl_weight": 0.5}, id="vae"),
    pytest.param("vae", {"classes": 2}, id="vae-classes"),
    pytest.param("gan-mlp", {"loss": "minimax"}, id="gan-mlp-dropout"),
]


@pytest.mark.parametrize(("recipe", "changes"), VARIANTS)
def test_killed_and_resumed_equals_uninterrupted(
    recipe, changes, data, settings, identity, outputs, monkeypatch
):
    run = settings(recipe, **changes)
    who = identity(run.classes)
    whole, broken = outputs("whole"), outputs("broken")
    assert loop.train(run, data, who, whole) == 6

    real = loop.EMA.update

    def update_or_die(self, module, step):
        if step == 4:
            raise KilledError
        real(self, module, step)

    # Saved after steps 2 and 4; the kill comes in the fifth step, one line is already half there.
    monkeypatch.setattr(loop.EMA, "update", update_or_die)
    with pytest.raises(KilledError):
        loop.train(run, data, who, broken)
    monkeypatch.undo()
    with broken.metrics.open("a") as file:
        file.write('{"step": 4, "d_lo')

    assert loop.train(run, data, who, broken, go_on=True) == 6
    assert_same_run(whole, broken)
    assert lines(whole) == lines(broken)
    assert [line["step"] for line in lines(whole)] == list(range(6))


@pytest.mark.parametrize(
    ("save_seconds", "kept"),
    [pytest.param(0.0, 4, id="each-step"), pytest.param(1e9, 1, id="first-step-only")],
)
def test_a_kill_loses_the_steps_since_the_last_save_only(
    save_seconds, kept, data, settings, identity, outputs, monkeypatch
):
    whole, broken = outputs("whole"), outputs("broken", save_every=100, save_seconds=save_seconds)
    loop.train(settings(), data, identity(), whole)
    real = loop.EMA.update

    def update_or_die(self, module, step):
        if step == 4:
            raise KilledError
        real(self, module, step)

    monkeypatch.setattr(loop.EMA, "update", update_or_die)
    with pytest.raises(KilledError):
        loop.train(settings(), data, identity(), broken)
    monkeypatch.undo()
    assert read(broken).training["step"] == kept
    loop.train(settings(), data, identity(), broken, go_on=True)
    assert_same_run(whole, broken)
    assert lines(whole) == lines(broken)


def test_another_seed_gives_other_weights(data, settings, identity, outputs):
    loop.train(settings(steps=1), data, identity(), outputs("a"))
    loop.train(settings(steps=1, seed=1), data, identity(), outputs("b"))
    a, b = read(outputs("a")).weights, read(outputs("b")).weights
    assert any(not torch.equal(a[name], b[name]) for name in a)


def test_sigterm_finishes_the_step_and_saves(data, settings, identity, outputs, monkeypatch):
    real = gan.GANTask.step
    seen = []

    def step_then_signal(self, images, labels):
        seen.append(1)
        if len(seen) == 3:
            signal.raise_signal(signal.SIGTERM)
        return real(self, images, labels)

    monkeypatch.setattr(gan.GANTask, "step", step_then_signal)
    handler = signal.getsignal(signal.SIGTERM)
    out = outputs(save_every=100)
    assert loop.train(settings(), data, identity(), out) == 3
    assert read(out).training["step"] == 3
    assert signal.getsignal(signal.SIGTERM) is handler


def test_more_steps_continue_a_finished_run(data, settings, identity, outputs):
    loop.train(settings(steps=3), data, identity(), outputs("short"))
    loop.train(settings(steps=6), data, identity(), outputs("short"), go_on=True)
    loop.train(settings(steps=6), data, identity(), outputs("long"))
    assert_same(read(outputs("short")).weights, read(outputs("long")).weights)


def snapshot(outputs):
    files = [outputs.checkpoint, outputs.metrics, *sorted(outputs.samples.iterdir())]
    return [(path, path.read_bytes(), path.stat().st_mtime_ns) for path in files]


def test_fewer_steps_than_are_done_are_refused(data, settings, identity, outputs):
    loop.train(settings(steps=3), data, identity(), outputs())
    before = snapshot(outputs())
    with pytest.raises(OptionError, match=r"has 3 steps already, more than --steps 2"):
        loop.train(settings(steps=2), data, identity(), outputs(), go_on=True)
    assert snapshot(outputs()) == before


def test_a_finished_run_is_left_as_it_is(data, settings, identity, outputs, caplog):
    caplog.set_level("INFO")
    loop.train(settings(steps=3), data, identity(), outputs())
    before = snapshot(outputs())
    caplog.clear()
    assert loop.train(settings(steps=3), data, identity(2), outputs(), go_on=True) == 3
    assert "all 3 steps are already done" in caplog.text
    assert "written" not in caplog.text
    assert snapshot(outputs()) == before


def test_other_settings_cannot_resume(data, settings, identity, outputs):
    loop.train(settings(steps=1), data, identity(), outputs())
    with pytest.raises(OptionError, match=r"lr was 0\.0002, is 0\.1"):
        loop.train(settings(lr=0.1), data, identity(), outputs(), go_on=True)


def test_other_images_cannot_resume(data, settings, identity, outputs):
    loop.train(settings(steps=1), data, identity(), outputs())
    data.images[3, 2, 1] ^= 1
    with pytest.raises(OptionError, match="the images are not the same"):
        loop.train(settings(), data, identity(), outputs(), go_on=True)


def test_a_foreign_file_cannot_be_resumed(data, settings, identity, outputs):
    out = outputs()
    out.checkpoint.parent.mkdir(parents=True)
    torch.save({"weights": torch.zeros(2)}, out.checkpoint)
    with pytest.raises(ArtifactError, match="no checkpoint of this program"):
        loop.train(settings(), data, identity(), out, go_on=True)


def test_sheets_and_diversity_come_every_k_steps(data, settings, identity, outputs, caplog):
    caplog.set_level("INFO")
    out = outputs(sample_every=4)
    loop.train(settings(), data, identity(), out)
    assert sorted(path.name for path in out.samples.iterdir()) == ["0000004.png", "0000006.png"]
    with Image.open(out.samples / "0000006.png") as sheet:
        assert sheet.size == (8 * 34 + 2, 8 * 34 + 2)
    assert [line["step"] for line in lines(out) if "diversity" in line] == [3, 5]
    assert "diversity" in caplog.text


def test_the_metrics_name_losses_probabilities_and_speed(data, settings, identity, outputs):
    out = outputs()
    loop.train(settings(steps=1), data, identity(), out)
    line = json.loads(out.metrics.read_text())
    assert {"step", "d_loss", "g_loss", "d_real", "d_fake", "images_per_s"} <= line.keys()
    assert line["images_per_s"] > 0
    assert 0 < line["d_real"] < 1


def test_nan_stops_with_a_message_and_leaves_the_last_checkpoint(
    data, settings, identity, outputs, monkeypatch
):
    out = outputs()
    loop.train(settings(steps=2), data, identity(), out)
    before = out.checkpoint.read_bytes()
    monkeypatch.setattr(gan, "generator_loss", lambda fake, kind: fake.mean() * float("nan"))
    with pytest.raises(TrainingError, match=r"step 2: g_loss is nan.*after 2 steps"):
        loop.train(settings(), data, identity(), out, go_on=True)
    assert out.checkpoint.read_bytes() == before


def test_nan_in_the_first_step_says_that_nothing_was_saved(
    data, settings, identity, outputs, monkeypatch
):
    monkeypatch.setattr(gan, "generator_loss", lambda fake, kind: fake.mean() * float("nan"))
    with pytest.raises(TrainingError, match=r"step 0: g_loss is nan.*No checkpoint was written"):
        loop.train(settings(), data, identity(), outputs())
    assert not outputs().checkpoint.exists()


@pytest.mark.parametrize("recipe", ["dcgan", "vae", "gan-mlp"])
def test_a_checkpoint_describes_itself_and_loads_into_a_fresh_network(
    recipe, data, settings, identity, outputs
):
    from engine.models import create

    run = settings(recipe, classes=2, steps=1)
    loop.train(run, data, identity(2), outputs())
    checkpoint = read(outputs())
    model = create(checkpoint.arch, **checkpoint.arch_args).eval()
    model.load_state_dict(checkpoint.weights)
    with torch.no_grad():
        images = model(torch.zeros(2, 4), torch.tensor([0, 1]))
    assert tuple(images.shape[1:]) == checkpoint.spec.output.shape
    assert checkpoint.spec.classes == ("left", "right")
    assert checkpoint.spec.provenance.licence == "CC0"
    assert all(value.is_contiguous() for value in checkpoint.weights.values())


def test_training_a_vae_lowers_its_loss(data, settings, identity, outputs):
    out = outputs(sample_every=1000, save_every=1000)
    run = settings("vae", steps=60, batch_size=16, lr=3e-3, beta1=0.9)
    loop.train(run, data, identity(), out)
    losses = [line["loss"] for line in lines(out)]
    assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])
