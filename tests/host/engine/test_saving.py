from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine import Engine
from engine.core.errors import OptionError
from engine.core.spec import Condition, GeneratorSpec, Noise, Output
from engine.saving import save
from engine.sinks.destination import FOLDERS, FORMATS
from engine.sinks.manifest import read_manifest

SPECS = {
    "plain": GeneratorSpec(
        name="plain", family="dcgan", latent=Noise((16,)), output=Output.image((3, 8, 8))
    ),
    "two": GeneratorSpec(
        name="two", family="dcgan", latent=Noise((16,)), output=Output.image((2, 8, 8))
    ),
    "pets": GeneratorSpec(
        name="pets",
        family="dcgan",
        latent=Noise((16,)),
        output=Output.image((1, 8, 8)),
        condition=Condition(names=("cat", "dog", "bird")),
    ),
    "drum": GeneratorSpec(
        name="drum",
        family="wavegan",
        latent=Noise((16,)),
        output=Output((1, 64), "CT", sample_rate_hz=16000),
        modality="audio",
    ),
}
NAMES = {"sheet": "a.png", "npy": "a.npy", "npz": "a.npz"}


def engine(tmp_path: Path, name: str) -> Engine:
    path = tmp_path / f"{name}.json"
    path.write_text(SPECS[name].to_json())
    return Engine(path, backend="null", batch_size=4)


def contents(path: Path) -> dict[str, bytes]:
    return {str(item.relative_to(path)): item.read_bytes() for item in path.rglob("*.*")}


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, format: str) -> None:
    with engine(tmp_path, "pets") as model:
        for folder in ("first", "second"):
            out = tmp_path / folder / NAMES.get(format, "out/")
            manifest = save(model, out, 10, seed=5, start=3, format=format)
            assert manifest.written_as == format
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


@pytest.mark.parametrize("format", FOLDERS)
def test_a_finished_folder_is_left_as_it_is(tmp_path: Path, format: str) -> None:
    with engine(tmp_path, "plain") as model:
        save(model, tmp_path / "out", 10, format=format)
        before = contents(tmp_path / "out")
        with pytest.raises(OptionError, match="holds a run already"):
            save(model, tmp_path / "out", 10, format=format)
        with pytest.raises(OptionError, match=r"other settings \(seed: 0, now 1"):
            save(model, tmp_path / "out", 10, format=format, seed=1, resume=True)
        calls: list[tuple[int, int]] = []

        def progress(done: int, total: int) -> None:
            calls.append((done, total))

        save(model, tmp_path / "out", 10, format=format, resume=True, progress=progress)
        assert calls == [(0, 0)]
    assert contents(tmp_path / "out") == before


def test_another_format_is_another_run(tmp_path: Path) -> None:
    with engine(tmp_path, "plain") as model:
        save(model, tmp_path, 10, format="jpgs", quality=80)
        for other, message in (
            ({"format": "jpgs"}, r'"quality": 80.* now .*"quality": 90'),
            ({"format": "webdataset"}, 'written_as: "jpgs", now "webdataset"'),
        ):
            with pytest.raises(OptionError, match=message):
                save(model, tmp_path, 10, resume=True, **other)


def test_samples_are_those_of_generate(tmp_path: Path) -> None:
    with engine(tmp_path, "pets") as model:
        labels = [2, 0, 1, 1, 2, 0, 0, 1, 2, 2]
        manifest = save(model, tmp_path / "out", 10, seed=7, start=3, labels=labels, truncation=0.7)
        expected = model.generate(10, seed=7, start=3, labels=labels, truncation=0.7)
        for index, image in enumerate(expected, 3):
            written = np.asarray(Image.open(tmp_path / f"out/{index:08d}.png"))
            assert np.array_equal(written, image[:, :, 0])
        (tmp_path / "out/00000008.png").unlink()
        save(
            model,
            tmp_path / "out",
            10,
            seed=7,
            start=3,
            labels=labels,
            truncation=0.7,
            resume=True,
        )
        again = np.asarray(Image.open(tmp_path / "out/00000008.png"))
        assert np.array_equal(again, expected[5, :, :, 0])
    assert manifest.labels == tuple(labels)
    assert (manifest.encoder or "").split()[0] in ("pillow", "imagecodecs")
    assert read_manifest(tmp_path / "out/manifest.json") == manifest


def test_an_engine_saves_itself(tmp_path: Path) -> None:
    with engine(tmp_path, "plain") as model:
        manifest = model.save(tmp_path / "a.npy", 5, seed=2)
        assert np.array_equal(np.load(tmp_path / "a.npy"), model.generate(5, seed=2))
        assert (manifest.n, manifest.seed) == (5, 2)
        with pytest.raises(TypeError, match="compression"):
            model.save(tmp_path / "b.npy", 5, compression=9)


def test_many_labels_are_recorded_by_their_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.saving._LISTED_LABELS", 10)
    with engine(tmp_path, "pets") as model:
        labels = np.arange(11) % 3
        manifest = save(model, tmp_path / "a.npy", len(labels), labels=labels)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", str(manifest.labels))


def test_sound_goes_to_arrays_and_archives(tmp_path: Path) -> None:
    with engine(tmp_path, "drum") as model:
        expected = model.generate(5)
        save(model, tmp_path / "shards", 5, format="npy-shards", shard_size=3)
        parts = [np.load(tmp_path / f"shards/samples-00000{number}.npy") for number in (0, 1)]
        assert np.array_equal(np.concatenate(parts), expected)
        manifest = save(model, tmp_path / "tar", 5, format="webdataset")
        assert (manifest.dtype, manifest.encoder) == ("float32", None)
        with pytest.raises(OptionError, match="PNG holds uint8 images, not float32"):
            save(model, tmp_path / "b", 5, format="webdataset", member="png")


def test_progress_is_told_batch_by_batch(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    with engine(tmp_path, "plain") as model:
        save(
            model, tmp_path / "a.npy", 10, progress=lambda done, total: calls.append((done, total))
        )
    assert calls == [(0, 10), (4, 10), (8, 10), (10, 10)]


@pytest.mark.parametrize(
    ("model", "out", "settings", "message"),
    [
        ("plain", "a", {"n": 0}, "n=0 must be at least 1"),
        ("plain", "a", {"format": "gif"}, "format 'gif' is unknown; known are sheet, pngs"),
        ("plain", "a.tar", {}, ".tar files come in folders; give a/ and the format webdataset"),
        ("plain", "a.jpeg", {}, "the format jpgs"),
        ("plain", "a", {"format": "jpgs", "quality": 0}, "quality 0 is out of range"),
        ("plain", "a", {"quality": 80}, "quality 80 is for lossy images, and png is"),
        ("plain", "a.npy", {"quality": 80}, "a quality is for pngs, jpgs, webps, webdataset"),
        ("plain", "a", {"format": "webdataset", "shard_size": 0}, "shard size 0 must be at least"),
        ("plain", "a", {"shard_size": 5}, "a shard size is for npy-shards, webdataset"),
        ("plain", "a", {"format": "webdataset", "member": "gif"}, "member 'gif' is unknown"),
        ("plain", "a", {"format": "npy-shards", "member": "jpg"}, "a member is for webdataset"),
        ("plain", "a", {"encoder": "mspaint"}, "encoder 'mspaint' is unknown; known are auto"),
        ("plain", "a", {"threads": 0}, "0 encoding threads are out of range; give 1 to 64"),
        ("plain", "a", {"output": "torch"}, "'torch'"),
        (
            "plain",
            "a",
            {"format": "webdataset", "member": "npy", "quality": 90},
            "members that are .npy have none",
        ),
        ("two", "a", {"format": "jpgs"}, "JPG holds 1 or 3 channels and the images have 2"),
        ("two", "a", {"format": "webdataset"}, "JPG holds 1 or 3 channels and the images have 2"),
        ("two", "a", {"format": "webps"}, "WEBP holds 1 or 3 or 4 channels and the images have 2"),
        ("drum", "a", {"format": "jpgs"}, "jpgs holds uint8 images, not float32"),
        ("plain", "a", {"labels": "cat"}, "'plain' is an unconditional model"),
        ("plain", "a", {"seed": -1}, "seed=-1"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_what_cannot_be_is_told_before_a_sample_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    out: str,
    settings: dict[str, Any],
    message: str,
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("sampled")

    monkeypatch.setattr("engine.runner.Runner.decode", never)
    if settings.get("output") == "torch":
        pytest.importorskip("torch")
    with engine(tmp_path, model) as opened, pytest.raises(Exception, match=".") as caught:
        save(opened, tmp_path / out, **{"n": 3, **settings})
    assert isinstance(caught.value, OptionError), caught.value
    assert message in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == [f"{model}.json"]


def test_a_resumed_run_keeps_the_batch_size_that_it_was_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plain.json"
    path.write_text(SPECS["plain"].to_json())
    out = tmp_path / "a"
    with Engine(path) as first:
        begun = first.save(out, 40)
    (out / "00000007.png").unlink()
    # Another machine, or another day: another batch size is chosen.
    monkeypatch.setattr("engine.backends.null._BATCH_SIZE", 7)
    with Engine(path) as other:
        assert other.batch_size == 7
        assert other.save(out, 40, resume=True) == begun
        assert other.batch_size == 7
        assert len(other.generate(3)) == 3
    with (
        Engine(path, batch_size=7) as given,
        pytest.raises(OptionError, match="batch_size: 32, now 7"),
    ):
        given.save(out, 40, resume=True)


def test_an_engine_with_another_batch_size_has_the_same_options(tmp_path: Path) -> None:
    one = engine(tmp_path, "pets")
    with one.with_batch_size(9) as other:
        assert (one.batch_size, other.batch_size) == (4, 9)
        assert (other.backend, other.artifact, other.options) == ("null", one.artifact, one.options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": 3}, "format=3 must be a name"),
        ({"grid": 3}, r"grid=3 must be \(columns, rows\), like \(8, 4\)"),
        ({"grid": (0, 2)}, "grid columns=0 must be at least 1"),
        ({"grid": (2, "a")}, "grid rows='a' must be a whole number"),
        ({"shard_size": 1.5, "format": "npy-shards"}, r"shard_size=1\.5 must be a whole number"),
        ({"shard_size": 0, "format": "npy-shards"}, "shard size 0 must be at least 1"),
        ({"threads": "a"}, "threads='a' must be a whole number"),
        ({"threads": 10**9}, "1000000000 encoding threads are out of range"),
        ({"quality": "best"}, "quality='best' must be a whole number"),
        ({"member": 3}, "member=3 must be a name"),
        ({"encoder": None}, "encoder=None must be a name, or 'auto'"),
        ({"resume": "yes"}, "resume='yes' must be True or False"),
        ({"lossless": 1}, "lossless=1 must be True or False"),
        ({"progress": 3}, "progress=3 must be a function"),
        ({"path": None}, "path=None must be the name of a file or folder"),
        ({"path": b"x"}, "path=b'x' must be the name of a file or folder"),
        ({"path": "a\0b"}, r"'a\\x00b', holds a zero"),
    ],
    ids=str,
)
def test_arguments_of_the_wrong_kind(
    settings: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = engine(tmp_path, "plain")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(OptionError, match=message):
        one.save(**({"path": "a/", "n": 3} | settings))
    assert not list((tmp_path / "here").iterdir())
