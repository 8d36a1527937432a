from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from engine import Engine
from engine.core.options import LoadOptions

Run = Callable[..., Result]
REPOSITORY = Path(__file__).parents[3]

# A run of so many, in batches of 8, takes some seconds when it pauses before each, however fast the
# machine is: so it is stopped in its midst, also where this process comes to look late.
MANY = 1600
PAUSING = """
import time
from engine import Engine
from engine.cli import main

plain = Engine.stream

def stream(self, n, **settings):
    for batch in plain(self, n, **settings):
        time.sleep(0.03)
        yield batch

Engine.stream = stream
main()
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {item.name: item.read_bytes() for item in folder.iterdir()}


def start_pausing(*arguments: object) -> subprocess.Popen[str]:
    """The command line as a process of its own, which pauses before each batch."""
    return subprocess.Popen(
        [sys.executable, "-c", PAUSING, *(str(item) for item in arguments)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a shell runs in the background inherit that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_files(folder: Path, count: int) -> None:
    deadline_s = time.monotonic() + 60
    while not folder.is_dir() or sum(1 for _ in folder.iterdir()) < count:
        assert time.monotonic() < deadline_s, "no files came"
        time.sleep(0.02)


def test_interrupt_then_resume_gives_the_uninterrupted_set(
    run: Run, models: dict[str, str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("generate", models["pets"], "-n", 90, "--batch-size", 8, "--labels", "cycle")
    assert run(*arguments, "-o", "whole").exit_code == 0

    original = Engine.stream

    def interrupted(self: Engine, n: int, **settings: Any) -> Iterator[Any]:
        for number, batch in enumerate(original(self, n, **settings)):
            if number == 5:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(Engine, "stream", interrupted)
    stopped = run(*arguments, "-o", "parts")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert stopped.exit_code == 130
    assert "error: interrupted; continue with the same command and --resume" in stopped.stderr
    assert not list((here / "parts").glob(".*"))

    refused = run(*arguments, "-o", "parts")
    assert refused.exit_code == 2
    assert "continue it with --resume" in refused.stderr

    resumed = run(*arguments, "-o", "parts", "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    assert contents(here / "parts") == contents(here / "whole")

    again = run(*arguments, "-o", "parts", "--resume")
    assert "parts is complete: 90 images, nothing to do" in again.stdout


def test_interrupt_of_a_single_file_leaves_none(
    run: Run, models: dict[str, str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Engine, "stream", interrupted)
    for out in ("a.npy", "a.npz", "a.png"):
        result = run("generate", models["gray"], "-n", 90, "-o", out)
        assert result.exit_code == 130
        assert "error: interrupted; nothing was written" in result.stderr
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--seed", 1), "seed: 0, now 1"),
        (("--labels", "cat"), 'labels: "random", now 0'),
        (("--batch-size", 16), "batch_size: 32, now 16"),
        (("--truncation", 2), "truncation: null, now 2.0"),
        (("-n", 11), "n: 10, now 11"),
    ],
    ids=["seed", "labels", "batch size", "truncation", "n"],
)
def test_other_settings_are_named(
    run: Run, models: dict[str, str], here: Path, change: tuple[object, ...], message: str
) -> None:
    assert run("generate", models["pets"], "-n", 10, "-o", "a").exit_code == 0
    before = contents(here / "a")
    result = run("generate", models["pets"], "-n", 10, *change, "-o", "a", "--resume")
    assert result.exit_code == 2
    assert message in result.stderr
    assert contents(here / "a") == before


@pytest.mark.parametrize(
    "command",
    [
        ("generate", "pets", "-n", "6"),
        ("reconstruct", "pets-vae", "in.npy", "--labels", "dog"),
        ("interpolate", "pets", "--from", "3", "--to", "9", "--steps", "6"),
        ("decode", "pets", "--latents", "z.npy", "--labels", "cycle"),
    ],
    ids=lambda command: command[0],
)
def test_a_resumed_run_keeps_the_batch_size_that_it_was_begun_with(
    run: Run,
    models: dict[str, str],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    np.save("in.npy", np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8))
    np.save("z.npy", np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32))
    name, model, *rest = command
    arguments = (name, models[model], *rest, "-o", "a")
    assert run(*arguments).exit_code == 0
    before = contents(here / "a")
    (here / "a/00000003.png").unlink()
    # Another machine, or another day: another batch size is chosen.
    monkeypatch.setattr("engine.backends.null._BATCH_SIZE", 7)
    resumed = run(*arguments, "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    assert contents(here / "a") == before
    refused = run(*arguments, "--resume", "--batch-size", 7)
    assert "batch_size: 32, now 7" in refused.stderr


def test_options_of_the_model_and_the_device_are_settings(
    run: Run, checkpoints: dict[str, Path], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("generate", checkpoints["dcgan-classes"], "--backend", "null", "-n", 3, "-o", "a")
    assert run(*common).exit_code == 0
    before = contents(here / "a")

    def opened_with(self: Engine, name: str | Path, **settings: Any) -> None:
        original(self, name, **settings)
        self.options = LoadOptions(classes=4, input_shape=(80, 20))
        self.device = "elsewhere"

    original = Engine.__init__
    monkeypatch.setattr(Engine, "__init__", opened_with)
    result = run(*common, "--resume")
    assert result.exit_code == 2
    assert 'device: "cpu", now "elsewhere"' in result.stderr
    assert 'options: {}, now {"classes": 4, "input_shape": [80, 20]}' in result.stderr
    assert contents(here / "a") == before
    # Tuples come back from the manifest as they went in.
    assert run(*common[:-1], "b").exit_code == 0
    assert "nothing to do" in run(*common[:-1], "b", "--resume").stdout


@pytest.mark.parametrize(
    "command",
    [
        ("reconstruct", "pets-vae", "in.npy", "--labels", "dog"),
        ("interpolate", "pets", "--from", "3", "--to", "9", "--steps", "12"),
        ("decode", "pets", "--latents", "z.npy", "--labels", "cycle", "--batch-size", "4"),
    ],
    ids=lambda command: command[0],
)
def test_what_is_made_once_is_made_once_for_all_gaps(
    run: Run,
    models: dict[str, str],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    np.save("in.npy", np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8))
    np.save("z.npy", np.random.default_rng(0).normal(size=(12, 16)).astype(np.float32))
    name, model, *rest = command
    arguments = (name, models[model], *rest, "-o", "a")
    assert run(*arguments).exit_code == 0
    before = contents(here / "a")
    for index in (1, 5, 6, 11):
        (here / f"a/{index:08d}.png").unlink()
    calls: list[int] = []
    original = Engine.decode

    def recorded(self: Engine, z: Any, *arguments: Any, **settings: Any) -> Any:
        calls.append(settings.get("start", 0))
        return original(self, z, *arguments, **settings)

    monkeypatch.setattr(Engine, "decode", recorded)
    assert run(*arguments, "--resume").exit_code == 0
    assert contents(here / "a") == before
    # Decoding goes on at the sample's own place on the grid, batch by batch.
    assert calls == ([1, 5, 11] if name == "decode" else [0])


@pytest.mark.parametrize(
    "stop", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=["kill -9", "Ctrl-C", "kill"]
)
def test_a_real_process_is_stopped_and_resumed(
    run: Run, models: dict[str, str], here: Path, stop: signal.Signals
) -> None:
    arguments = ("generate", models["gray"], "-n", MANY, "--batch-size", 8)
    process = start_pausing(*arguments, "-o", here / "parts")
    wait_for_files(here / "parts", 40)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    if stop != signal.SIGKILL:
        assert process.returncode == 130
        assert errors.strip().endswith("continue with the same command and --resume")
        assert "Traceback" not in errors
    assert 30 < len(list((here / "parts").glob("*.png"))) < MANY
    assert run(*arguments, "-o", "parts", "--resume").exit_code == 0
    assert run(*arguments, "-o", "whole").exit_code == 0
    assert contents(here / "parts") == contents(here / "whole")


@pytest.mark.parametrize(
    ("stop", "options"),
    [
        (signal.SIGKILL, ("npy-shards",)),
        (signal.SIGKILL, ("webdataset", "--member", "npy")),
        (signal.SIGKILL, ("jpgs", "--encoder", "pillow")),
        (signal.SIGINT, ("webdataset", "--member", "npy")),
    ],
    ids=["kill -9 of arrays", "kill -9 of archives", "kill -9 of images", "Ctrl-C of archives"],
)
def test_every_kind_of_folder_is_resumed_after_a_stop(
    run: Run,
    models: dict[str, str],
    here: Path,
    stop: signal.Signals,
    options: tuple[str, ...],
) -> None:
    folder = here / "parts"
    arguments: tuple[object, ...] = (
        *("generate", models["pets"], "-n", MANY, "--batch-size", 8, "--format", *options),
        *(() if options[0] == "jpgs" else ("--shard-size", 25)),
    )
    process = start_pausing(*arguments, "-o", folder)
    wait_for_files(folder, 20)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert errors.strip().endswith("continue with the same command and --resume")
        assert "Traceback" not in errors
        assert not list(folder.glob(".*"))
    kept = contents(folder)
    resumed = run(*arguments, "-o", "parts", "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    assert "were there already)" in resumed.stdout
    assert run(*arguments, "-o", "whole").exit_code == 0
    whole = contents(here / "whole")
    assert contents(folder) == whole
    assert all(whole[name] == data for name, data in kept.items() if name in whole_samples(whole))


def whole_samples(names: Iterable[str]) -> list[str]:
    return [name for name in names if Path(name).suffix in (".npy", ".tar", ".jpg")]
