"""`decode`, `interpolate` and `reconstruct`: latents that do not come from a seed alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from engine import Engine
from engine.cli.pictures import read_pictures
from engine.core.spec import Output
from engine.sinks.manifest import Manifest, read_manifest

Run = Callable[..., Result]


def test_decode_of_the_engines_own_latents_is_generate(
    run: Run, models: dict[str, str], here: Path
) -> None:
    engine = Engine(models["pets"])
    np.save("z.npy", engine.latents(40, seed=9))
    common = ("decode", models["pets"], "--latents", "z.npy", "--labels", "dog")
    assert run(*common, "-o", "a.npy").exit_code == 0
    assert run(*common, "-o", "a").exit_code == 0
    expected = engine.generate(40, seed=9, labels="dog")
    assert np.array_equal(np.load("a.npy"), expected)
    assert np.array_equal(np.asarray(Image.open("a/00000039.png")), expected[39])
    manifest = read_manifest(here / "a/manifest.json")
    assert manifest is not None
    assert manifest.seed is None
    assert (manifest.latents or "").startswith("sha256:")


def test_decode_gives_random_labels_once_and_not_by_batch(
    run: Run, models: dict[str, str], here: Path
) -> None:
    np.save("z.npy", np.zeros((40, 16), np.float32))
    common = ("decode", models["pets"], "--latents", "z.npy", "--labels", "random")
    assert run(*common, "--batch-size", 4, "-o", "a.npz").exit_code == 0
    labels = Engine(models["pets"]).labels(40)
    assert labels is not None
    with np.load("a.npz") as arrays:
        assert arrays["labels"].tolist() == labels.tolist()


def test_interpolation_starts_and_ends_at_the_samples(
    run: Run, models: dict[str, str], here: Path
) -> None:
    engine = Engine(models["gray"])
    arguments = ("--from", 3, "--to", "42:7", "--seed", 5, "--steps", 6)
    assert run("interpolate", models["gray"], *arguments, "-o", "a.npy").exit_code == 0
    frames = np.load("a.npy")
    assert len(frames) == 6
    assert np.array_equal(frames[0], engine.generate(1, seed=5, start=3)[0])
    assert np.array_equal(frames[5], engine.generate(1, seed=42, start=7)[0])
    run("interpolate", models["gray"], *arguments, "-o", "a.png")
    with Image.open("a.png") as image:
        assert image.size == (6 * 72 + 5 * 2, 48)
        manifest = Manifest.from_json(image.text["generator-manifest"])
    assert manifest.latents == "6 steps from 5:3 to 42:7"


def test_interpolation_keeps_the_class_of_the_first_sample(
    run: Run, models: dict[str, str], here: Path
) -> None:
    run("interpolate", models["pets"], "--from", 4, "--to", 0, "--steps", 3, "-o", "a.npz")
    labels = Engine(models["pets"]).labels(1, start=4)
    assert labels is not None
    with np.load("a.npz") as arrays:
        assert arrays["labels"].tolist() == labels.tolist() * 3


def test_reconstruct_puts_original_and_reconstruction_side_by_side(
    run: Run, models: dict[str, str], here: Path
) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
    np.save("in.npy", pictures[:2])
    Image.fromarray(pictures[2, :, :, 0]).save("in.png")
    common = ("reconstruct", models["vae"], "in.npy", "in.png")
    result = run(*common, "-o", "a")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    expected = Engine(models["vae"]).reconstruct(pictures)
    for index in range(3):
        original = np.asarray(Image.open(f"a/{2 * index:08d}.png"))
        rebuilt = np.asarray(Image.open(f"a/{2 * index + 1:08d}.png"))
        assert np.array_equal(original, pictures[index, :, :, 0])
        assert np.array_equal(rebuilt, expected[index, :, :, 0])
    run(*common, "-o", "a.npy")
    assert np.array_equal(np.load("a.npy"), expected)
    run(*common, "-o", "a.png")
    with Image.open("a.png") as sheet:
        assert sheet.size == (6 * 64 + 5 * 2, 64)


def test_reconstruct_takes_the_classes_of_the_images(
    run: Run, models: dict[str, str], here: Path
) -> None:
    np.save("in.npy", np.zeros((2, 8, 8, 3), np.uint8))
    result = run("reconstruct", models["pets-vae"], "in.npy", "--labels", "dog,cat", "-o", "a.npz")
    assert result.exit_code == 0, result.stderr
    with np.load("a.npz") as arrays:
        assert arrays["labels"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("size", "mode", "shape", "line"),
    [
        ((20, 10), "RGB", (1, 5, 5), "20x10 RGB cropped and resized to 5x5 L for the model"),
        ((5, 5), "RGBA", (3, 5, 5), "5x5 RGBA converted to 5x5 RGB for the model"),
        ((7, 9), "P", (3, 9, 7), "7x9 P converted to 7x9 RGB for the model"),
        ((4, 4), "L", (1, 4, 4), ""),
    ],
    ids=["shrunk to grey", "transparency", "palette", "fits"],
)
def test_pictures_are_made_to_fit_and_it_is_said(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    size: tuple[int, int],
    mode: str,
    shape: tuple[int, int, int],
    line: str,
) -> None:
    Image.new(mode, size).save("in.png")
    images = read_pictures([Path("in.png")], Output.image(shape))
    assert images.shape == (1, *shape)
    # A new RGBA image is transparent, which is laid on white.
    assert np.all(images == (1.0 if mode == "RGBA" else -1.0))
    assert capsys.readouterr().err.strip() == (f"in.png: {line}" if line else "")


def test_the_middle_of_a_wide_picture_is_kept(here: Path) -> None:
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 255
    Image.fromarray(wide).save("in.png")
    assert np.all(read_pictures([Path("in.png")], Output.image((1, 10, 10))) == 1.0)
