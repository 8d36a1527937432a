from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from engine.core.errors import NumericalError

Run = Callable[..., Result]


def one_line(result: Result) -> str:
    """The message of a command that failed as it should."""
    assert result.exit_code == 2, (result.stdout, result.stderr)
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


GENERATE = {
    "n = 0": (("gray", "-n", 0, "-o", "a.png"), "0 must be at least 1"),
    "n < 0": (("gray", "-n", -3, "-o", "a.npy"), "-3 must be at least 1"),
    "n is no number": (("gray", "-n", "many", "-o", "a.png"), "'many' is not a valid integer"),
    "no n": (("gray", "-o", "a.png"), "say how many samples: -n N"),
    "no output": (("gray", "-n", 3), "missing option '-o'"),
    "huge npy": (("gray", "-n", 10**12, "-o", "a.npy"), "would take 96 TB and . has"),
    "huge npz": (("pets", "-n", 10**12, "-o", "a.npz"), "would take 192 TB and . has"),
    "huge folder": (("gray", "-n", 10**12, "-o", "a/"), "would take 67 TB and"),
    "huge sheet": (("gray", "-n", 10**12, "-o", "a.png"), "write a folder or a .npy file"),
    "unknown backend": (
        ("gray", "-n", 3, "-o", "a.png", "--backend", "onxruntime"),
        "unknown backend 'onxruntime'; did you mean 'onnxruntime'?",
    ),
    "unknown option": (("gray", "-n", 3, "-o", "a.png", "--sed", 3), "did you mean '--seed'"),
    "unknown class": (
        ("pets", "-n", 3, "-o", "a.png", "--labels", "bird,dgo,cat"),
        "unknown class 'dgo'; did you mean 'dog'?",
    ),
    "label out of range": (
        ("pets", "-n", 3, "-o", "a.png", "--labels", 3),
        "label 3 is out of range; classes are 0 to 2",
    ),
    "labels of the wrong length": (
        ("pets", "-n", 3, "-o", "a.png", "--labels", "cat,dog"),
        "gives 2 classes for 3 samples",
    ),
    "labels of an unconditional model": (
        ("gray", "-n", 3, "-o", "a.png", "--labels", "cat"),
        "the model is unconditional; leave --labels out",
    ),
    "label in superscript": (("pets", "-n", 3, "-o", "a.png", "--labels", "²"), "'²'"),
    "label with two signs": (("pets", "-n", 3, "-o", "a.png", "--labels=--5"), "'--5'"),
    "negative seed": (("gray", "-n", 4, "--seed", -1, "-o", "o/a"), "seed=-1 must"),
    "negative start of a folder": (("gray", "-n", 4, "--start", -5, "-o", "o/a"), "start=-5 must"),
    "start too large": (
        ("pets", "-n", 4, "--start", 2**64, "--labels", "cycle", "-o", "o/a"),
        f"start={2**64} must",
    ),
    "truncation 0": (("gray", "-n", 4, "--truncation", 0, "-o", "o/a"), "truncation=0"),
    "negative seed of an array": (("gray", "-n", 4, "--seed", -1, "-o", "o/a.npy"), "seed=-1 must"),
    "empty output": (("gray", "-n", 3, "-o", ""), "the name of the output is empty; give a .png"),
    "suffix alone": (("gray", "-n", 3, "-o", "o/.png"), "'.png' is a suffix without a name"),
    "long name of a folder": (("gray", "-n", 3, "-o", "n" * 300), "has 300 bytes"),
    "long name of an array": (("gray", "-n", 3, "-o", "n" * 240 + ".npy"), "has 244 bytes"),
    "long name of a sheet": (("gray", "-n", 3, "-o", "n" * 240 + ".png"), "has 244 bytes"),
    "seed too large": (("gray", "-n", 3, "-o", "a.png", "--seed", 2**64), f"seed={2**64} must"),
    "negative start": (("gray", "-n", 3, "-o", "a.png", "--start", -1), "start=-1 must"),
    "batch size 0": (("gray", "-n", 3, "-o", "a.png", "--batch-size", 0), "batch_size=0 must"),
    "unknown suffix": (
        ("gray", "-n", 3, "-o", "a.jpg"),
        "give a/ and the format jpgs",
    ),
    "grid too small": (("gray", "-n", 9, "-o", "a.png", "--grid", "2x2"), "it holds 4"),
    "grid is none": (("gray", "-n", 9, "-o", "a.png", "--grid", "2"), "not COLSxROWS, like 8x4"),
    "grid of an array": (
        ("gray", "-n", 4, "-o", "a.npy", "--grid", "2x2"),
        "a grid is for a sheet, and a.npy is written as npy; leave it out",
    ),
    "resume of an array": (
        ("gray", "-n", 4, "-o", "a.npy", "--resume"),
        "only folders are resumed",
    ),
    "audio as PNG": (
        ("drum", "-n", 3, "-o", "a.png"),
        "holds uint8 images, not float32; write .npy",
    ),
    "float PNGs": (
        ("gray", "-n", 3, "-o", "a/", "--output", "float32"),
        "holds uint8 images, not float32; write .npy",
    ),
    "unknown format": (
        ("gray", "-n", 3, "-o", "a", "--format", "gifs"),
        "'gifs' is not one of 'sheet', 'pngs', 'jpgs', 'webps'",
    ),
    "quality out of range": (
        ("gray", "-n", 3, "-o", "a", "--format", "jpgs", "--quality", 101),
        "quality 101 is out of range; give 1 (small) to 100 (best)",
    ),
    "quality of an array": (
        ("gray", "-n", 3, "-o", "a.npy", "--quality", 90),
        "a quality is for pngs, jpgs, webps, webdataset, and a.npy is written as npy",
    ),
    "empty shards": (
        ("gray", "-n", 3, "-o", "a", "--format", "webdataset", "--shard-size", 0),
        "shard size 0 must be at least 1 sample",
    ),
    "huge shards": (("pets", "-n", 10**12, "-o", "a", "--format", "webdataset"), "would take 3.07"),
    "audio as JPEG": (
        ("drum", "-n", 3, "-o", "a", "--format", "webdataset", "--member", "jpg"),
        "JPG holds uint8 images, not float32; write .npy",
    ),
    "unknown encoder": (
        ("gray", "-n", 3, "-o", "a", "--encoder", "imagecodec"),
        "encoder 'imagecodec' is unknown; did you mean 'imagecodecs'?",
    ),
    "arch arguments": (
        ("gray", "-n", 3, "-o", "a.png", "--arch-args", "{width: 3}"),
        "is not JSON",
    ),
    "input shape": (("gray", "-n", 3, "-o", "a.png", "--input-shape", "3,x"), "like 80,20"),
    "output range": (("gray", "-n", 3, "-o", "a.png", "--output-range", "1:-1"), "like -1:1"),
}


@pytest.mark.parametrize(("arguments", "message"), GENERATE.values(), ids=GENERATE.keys())
def test_generate(
    run: Run, models: dict[str, str], here: Path, arguments: tuple[Any, ...], message: str
) -> None:
    result = run("generate", models[arguments[0]], *arguments[1:])
    assert message in one_line(result)
    assert list(here.iterdir()) == []


def test_a_missing_file_and_a_foreign_one(run: Run, here: Path) -> None:
    assert "nothing.onnx: no such file" in one_line(run("info", "nothing.onnx"))
    (here / "notes.txt").write_text("hello")
    assert "unknown kind of file '.txt'" in one_line(run("info", "notes.txt"))
    (here / "empty.onnx").touch()
    assert "the file is empty" in one_line(run("info", "empty.onnx"))
    (here / "spec.json").write_text('{"version": 1}')
    assert "spec lacks the field" in one_line(run("info", "spec.json"))


def test_an_unknown_command_names_the_nearest(run: Run) -> None:
    assert "no command 'generte'; did you mean 'generate'?" in one_line(run("generte"))


def test_a_folder_that_cannot_be_written(run: Run, models: dict[str, str], here: Path) -> None:
    (here / "file").touch()
    for out in ("file/a.png", "file/a.npy", "file/a.npz", "file/deep/a"):
        result = run("generate", models["gray"], "-n", 3, "-o", out)
        assert "cannot write to file" in one_line(result)


@pytest.mark.parametrize("out", ["a.png", "a.npy", "a.npz"])
def test_a_full_disk_leaves_nothing(
    run: Run, models: dict[str, str], here: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.core.files._publish", full)
    result = run("generate", models["gray"], "-n", 3, "-o", out)
    assert "No space left on device" in one_line(result)
    assert list(here.iterdir()) == []


def test_the_systems_own_limit_leaves_nothing(models: dict[str, str], here: Path) -> None:
    # A limit on the size of files: writes fail in the kernel, as on a full disk.
    process = subprocess.run(
        [sys.executable, "-m", "engine", "generate", models["gray"], "-n", "5000", "-o", "a.npy"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=here,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert line.startswith("error: cannot write ")
    assert line.endswith("a.npy: File too large; nothing was changed")
    assert list(here.iterdir()) == []


def test_the_systems_own_limit_keeps_whole_shards(models: dict[str, str], here: Path) -> None:
    # A shard has 192 kB.
    process = subprocess.run(
        [
            *(sys.executable, "-m", "engine", "generate", models["gray"], "-n", "5000", "-o", "a"),
            *("--format", "npy-shards", "--shard-size", "2000"),
        ],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=here,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert line == (
        "error: cannot write to a: File too large; whole shards are kept, make room and continue "
        "with --resume"
    )
    assert [item.name for item in (here / "a").iterdir()] == ["manifest.json"]


def test_a_special_file_is_refused_before_sampling(
    run: Run, models: dict[str, str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("sampled")

    monkeypatch.setattr("engine.runner.Runner.decode", never)
    for name in ("a.npy", "a.npz", "a.png"):
        os.mkfifo(name)
        result = run("generate", models["gray"], "-n", 3, "-o", name)
        assert f"{name} is a device or another special file" in one_line(result)
        assert stat.S_ISFIFO(Path(name).stat().st_mode)


def test_a_model_that_gives_nan_blocks_no_folder(
    run: Run, models: dict[str, str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise NumericalError("sample 0 holds NaN")

    arguments = ("generate", models["gray"], "-n", 3, "-o", "o/a")
    with monkeypatch.context() as patch:
        patch.setattr("engine.runner.Runner.decode", broken)
        assert "sample 0 holds NaN" in one_line(run(*arguments))
    assert list(here.iterdir()) == []
    assert run(*arguments).exit_code == 0


def test_models_with_classes_are_told_which(run: Run, models: dict[str, str], here: Path) -> None:
    np.save("z.npy", np.zeros((2, 16), np.float32))
    result = run("decode", models["pets"], "--latents", "z.npy", "-o", "a")
    assert "the model has 3 classes; name that of each sample (--labels 3,1,4)" in one_line(result)
    assert not Path("a").exists()


def test_decode(run: Run, models: dict[str, str], here: Path) -> None:
    np.save("wrong.npy", np.zeros((4, 17), np.float32))
    np.save("nan.npy", np.full((4, 16), np.nan, np.float32))
    late = np.zeros((6000, 16), np.float32)
    late[5432, 3] = np.inf
    np.save("late.npy", late)
    np.save("words.npy", np.array(["a", "b"]))
    np.save("none.npy", np.zeros((0, 16), np.float32))
    np.savez("several.npz", a=np.zeros(3))
    Path("text.npy").write_text("latents")
    for file, message in (
        ("missing.npy", "missing.npy: no such file"),
        ("text.npy", "not a .npy file of numbers"),
        ("several.npz", "several arrays"),
        ("none.npy", "shape (0, 16); give latents"),
        ("wrong.npy", "shape (4, 17); this model takes (n, 16)"),
        ("nan.npy", "the latent of sample 0 holds NaN"),
        ("late.npy", "the latent of sample 5432 holds NaN or infinity"),
        ("words.npy", "give floating-point numbers"),
    ):
        result = run("decode", models["gray"], "--latents", file, "-o", "o/a")
        assert message in one_line(result)
    assert not Path("o").exists()


def test_reconstruct(run: Run, models: dict[str, str], here: Path) -> None:
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    np.save("wrong.npy", np.zeros((2, 8, 9, 1), np.uint8))
    for model, files, message in (
        ("gray", ["wrong.npy"], "gray (dcgan) has no encoder"),
        ("vae", ["missing.png"], "missing.png: no such file"),
        ("vae", ["broken.png"], "broken.png: not a readable image"),
        ("vae", ["wrong.npy"], "of shape (8, 9, 1); the model takes uint8 (8, 8, 1)"),
        ("pets-vae", ["wrong.npy"], "name that of each sample (--labels 3,1,4)"),
    ):
        result = run("reconstruct", models[model], *files, "-o", "a.png")
        assert message in one_line(result)


def test_interpolate(run: Run, models: dict[str, str], here: Path) -> None:
    for arguments, message in (
        (("--from", "x", "--to", 1), "'x' is no sample; give INDEX or SEED:INDEX"),
        (("--from", 0, "--to", 1, "--steps", 1), "--steps 1 must be at least 2"),
    ):
        result = run("interpolate", models["gray"], *arguments, "-o", "a.png")
        assert message in one_line(result)


def test_out_of_memory_is_one_line(
    run: Run, models: dict[str, str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr("engine.api.Engine.stream", exhausted)
    result = run("generate", models["gray"], "-n", 3, "-o", "a.npy")
    assert "out of memory: Unable to allocate 3 TiB; use a smaller --batch-size" in one_line(result)
