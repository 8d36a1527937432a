from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from engine import Engine
from engine.core.files import sha256
from engine.sinks.manifest import Manifest, read_manifest

Run = Callable[..., Result]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_every_format_holds_what_generate_gives(
    run: Run, models: dict[str, str], here: Path
) -> None:
    expected = Engine(models["gray"]).generate(40, seed=3, start=5)
    for out in ("many", "all.npy", "all.npz", "sheet.png"):
        result = run("generate", models["gray"], "-n", 40, "--seed", 3, "--start", 5, "-o", out)
        assert result.exit_code == 0, result.stderr
        assert f"wrote {out}: 40 images" in result.stdout
        assert "images with null fp32, batches of 32, from gray.json" in result.stdout
    assert np.array_equal(np.load("all.npy"), expected)
    with np.load("all.npz") as arrays:
        assert sorted(arrays) == ["images", "seed", "start"]
        assert np.array_equal(arrays["images"], expected)
        assert (arrays["seed"], arrays["start"]) == (3, 5)
    for index in range(5, 45):
        assert np.array_equal(pixels(here / f"many/{index:08d}.png"), expected[index - 5, :, :, 0])
    # 40 images of 8x12 in 6 columns, enlarged 6 times, gaps of 2.
    sheet = pixels(here / "sheet.png")
    assert np.array_equal(sheet[50:98:6, 74:146:6], expected[7, :, :, 0])


def test_the_rate_is_told_of_runs_that_are_long_enough(
    run: Run, models: dict[str, str], here: Path
) -> None:
    common = ("generate", models["gray"], "--batch-size", 8, "-o", "a.npy", "-n")
    assert "/s" not in run(*common, 31).stdout
    assert "images/s with null" in run(*common, 32).stdout


def test_the_manifest_says_what_made_the_files(
    run: Run, models: dict[str, str], here: Path
) -> None:
    run("generate", models["pets"], "-n", 5, "--truncation", 0.5, "--batch-size", 2, "-o", "a.npy")
    manifest = read_manifest(here / "a.npy.manifest.json")
    assert manifest is not None
    engine = Engine(models["pets"], batch_size=2)
    assert manifest == Manifest(
        artifact="pets.json",
        sha256=engine.artifact.sha256,
        backend="null",
        device="cpu",
        precision="fp32",
        batch_size=2,
        n=5,
        shape=(8, 8, 3),
        seed=0,
        start=0,
        truncation=0.5,
        labels="random",
        written_as="npy",
        versions=engine.versions,
        files=manifest.files,
    )
    (record,) = manifest.files
    assert (record.name, record.sha256) == ("a.npy", sha256(here / "a.npy"))
    run("generate", models["pets"], "-n", 5, "-o", "folder")
    folder = read_manifest(here / "folder/manifest.json")
    assert folder is not None
    labels = engine.labels(5)
    assert labels is not None
    (record,) = folder.files
    assert (record.name, record.index, record.count) == ("{00000000..00000004}.png", 0, 5)
    files = b"".join((here / f"folder/{index:08d}.png").read_bytes() for index in range(5))
    assert record.sha256 == hashlib.sha256(files).hexdigest()
    rows = [f"{index:08d}.png,{label}" for index, label in enumerate(labels)]
    assert (here / "folder/metadata.csv").read_text().splitlines() == ["file_name,label", *rows]


def test_a_sheet_carries_its_manifest_inside(run: Run, models: dict[str, str], here: Path) -> None:
    run("generate", models["gray"], "--grid", "3x2", "--seed", 2**64 - 1, "-o", "a.png")
    with Image.open("a.png") as image:
        manifest = Manifest.from_json(image.text["generator-manifest"])
    assert (manifest.n, manifest.seed) == (6, 2**64 - 1)
    assert [item.name for item in here.iterdir()] == ["a.png"]


def test_a_sheet_of_a_model_with_classes_has_one_column_each(
    run: Run, models: dict[str, str], here: Path
) -> None:
    run("generate", models["pets"], "-n", 7, "-o", "a.png")
    with Image.open("a.png") as image:
        assert image.size == (3 * 64 + 2 * 2, 3 * 64 + 2 * 2)
        assert Manifest.from_json(image.text["generator-manifest"]).labels == "cycle"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dog", [1, 1, 1, 1]),
        ("2", [2, 2, 2, 2]),
        ("cycle", [2, 0, 1, 2]),
        ("bird,cat,1,0", [2, 0, 1, 0]),
    ],
    ids=["name", "index", "cycle", "one each"],
)
def test_labels(
    run: Run, models: dict[str, str], here: Path, text: str, expected: list[int]
) -> None:
    run("generate", models["pets"], "-n", 4, "--start", 2, "--labels", text, "-o", "a.npz")
    images = Engine(models["pets"]).generate(4, start=2, labels=expected)
    with np.load("a.npz") as arrays:
        assert arrays["labels"].tolist() == expected
        assert np.array_equal(arrays["images"], images)


def test_float_output_is_the_models_own_range(run: Run, models: dict[str, str], here: Path) -> None:
    run("generate", models["gray"], "-n", 3, "--output", "float32", "-o", "a.npy")
    expected = Engine(models["gray"]).generate(3, output="float32")
    assert np.array_equal(np.load("a.npy"), expected)


def test_audio_goes_to_arrays(run: Run, models: dict[str, str], here: Path) -> None:
    result = run("generate", models["drum"], "-n", 3, "-o", "a.npz")
    assert "3 samples" in result.stdout
    with np.load("a.npz") as arrays:
        assert arrays["samples"].shape == (3, 1, 64)


def test_format_overrides_the_suffix(run: Run, models: dict[str, str], here: Path) -> None:
    result = run("generate", models["gray"], "-n", 2, "--format", "pngs", "-o", "run.1")
    assert result.exit_code == 0
    assert (here / "run.1" / "00000001.png").is_file()


def test_a_trained_kind_of_model_goes_the_whole_way(
    run: Run, checkpoints: dict[str, Path], here: Path
) -> None:
    pytest.importorskip("torch")
    arguments = ("generate", checkpoints["dcgan-classes"], "-n", 6, "--labels", "fish")
    assert run(*arguments, "-o", "a.npy").exit_code == 0
    expected = Engine(checkpoints["dcgan-classes"]).generate(6, labels="fish")
    assert np.array_equal(np.load("a.npy"), expected)
    manifest = json.loads((here / "a.npy.manifest.json").read_text())
    assert manifest["backend"] == "eager"
    assert manifest["labels"] == 3


def test_archives_with_the_options_that_were_given(
    run: Run, models: dict[str, str], here: Path
) -> None:
    result = run(
        *("generate", models["pets"], "-n", 7, "--format", "webdataset", "-o", "set/"),
        *("--member", "webp", "--lossless", "--shard-size", 4, "--labels", "cycle"),
        *("--encoder", "pillow", "--encode-threads", 2),
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].startswith("wrote set: 7 images with null fp32")
    assert re.search(r"encoded by pillow [\d.]+ \(webp [\d.]+\): asked for", result.stdout)
    expected = Engine(models["pets"]).generate(7, labels=[0, 1, 2, 0, 1, 2, 0])
    with tarfile.open("set/samples-000001.tar") as archive:
        for index in range(4, 7):
            member = archive.extractfile(f"{index:08d}.webp")
            assert member is not None
            assert np.array_equal(np.asarray(Image.open(member)), expected[index])
            label = archive.extractfile(f"{index:08d}.cls")
            assert label is not None
            assert int(label.read()) == index % 3
    manifest = read_manifest(here / "set/manifest.json")
    assert manifest is not None
    assert manifest.coding == {"member": "webp", "lossless": True}
    assert manifest.shard_size == 4


@pytest.mark.parametrize("command", ["decode", "interpolate", "reconstruct"])
def test_every_command_writes_shards(
    run: Run, models: dict[str, str], here: Path, command: str
) -> None:
    np.save("z.npy", np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32))
    np.save("x.npy", np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8))
    arguments = {
        "decode": ("--latents", "z.npy", "--labels", "dog"),
        "interpolate": ("--from", 1, "--to", 2, "--steps", 5, "--labels", "dog"),
        "reconstruct": ("x.npy", "--labels", "dog"),
    }[command]
    common = (command, models["pets-vae"], *arguments)
    assert run(*common, "-o", "whole.npy").exit_code == 0
    result = run(*common, "-o", "parts", "--format", "npy-shards", "--shard-size", 2)
    assert result.exit_code == 0, result.stderr
    parts = [np.load(here / f"parts/samples-00000{number}.npy") for number in range(3)]
    assert np.array_equal(np.concatenate(parts), np.load("whole.npy"))


def test_tuning_is_told(run: Run, models: dict[str, str], here: Path) -> None:
    arguments = ("generate", models["gray"], "-n", 2, "-o")
    assert "tuning: backend null does not tune" in run(*arguments, "a/", "--tune").stderr
    assert "tuning" not in run(*arguments, "b/").stderr
