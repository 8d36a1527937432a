"""Specs that the null backend opens, and ways to call the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.cli import cli
from engine.core.spec import Condition, GeneratorSpec, Noise, Output

REPOSITORY = Path(__file__).parents[3]

SPECS = {
    "gray": GeneratorSpec(
        name="gray", family="dcgan", latent=Noise((16,)), output=Output.image((1, 8, 12))
    ),
    "pets": GeneratorSpec(
        name="pets",
        family="dcgan",
        latent=Noise((16,)),
        output=Output.image((3, 8, 8)),
        condition=Condition(names=("cat", "dog", "bird")),
    ),
    "vae": GeneratorSpec(
        name="vae",
        family="vae",
        latent=Noise((6,)),
        output=Output.image((1, 8, 8), (0.0, 1.0)),
        entry_points=("decoder", "encoder"),
    ),
    "pets-vae": GeneratorSpec(
        name="pets-vae",
        family="vae",
        latent=Noise((6,)),
        output=Output.image((3, 8, 8)),
        condition=Condition(names=("cat", "dog", "bird")),
        entry_points=("decoder", "encoder"),
    ),
    "drum": GeneratorSpec(
        name="drum",
        family="wavegan",
        latent=Noise((16,)),
        output=Output((1, 64), "CT", sample_rate_hz=16000),
        modality="audio",
    ),
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of spec files, by the names above."""
    folder = tmp_path_factory.mktemp("specs")
    for name, spec in SPECS.items():
        (folder / f"{name}.json").write_text(spec.to_json())
    return {name: str(folder / f"{name}.json") for name in SPECS}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run() -> Callable[..., Result]:
    """Call the command line in this process; exceptions that are no exit are raised."""

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(item) for item in arguments], catch_exceptions=False)

    return call


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start `python -m engine` as a process of its own."""

    def call(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "engine", *(str(item) for item in arguments)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return call
