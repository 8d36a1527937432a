from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from engine import backends
from engine.core.files import sha256
from engine.core.spec import GeneratorSpec

Run = Callable[..., Result]


def test_info_shows_the_spec_and_the_hash(run: Run, models: dict[str, str]) -> None:
    result = run("info", models["pets-vae"])
    assert result.exit_code == 0
    rows = {line[:14].strip(): line[14:].strip() for line in result.stdout.splitlines()}
    assert rows["sha256"] == sha256(models["pets-vae"])
    assert rows["entry points"] == "decoder, encoder"
    assert rows["condition"] == "3 classes: cat, dog, bird"
    assert rows["decoder out"] == "images [n, 3, 8, 8] float32, -1 to 1"


def test_info_json_reads_back(run: Run, models: dict[str, str]) -> None:
    values = json.loads(run("info", models["vae"], "--json").stdout)
    spec = GeneratorSpec.from_dict(values["spec"])
    assert spec == GeneratorSpec.from_json(Path(models["vae"]).read_text())
    assert values["artifact"]["kind"] == "spec"
    names = [(item["entry_point"], item["way"], item["name"]) for item in values["tensors"]]
    assert names == [
        ("decoder", "in", "z"),
        ("decoder", "out", "images"),
        ("encoder", "in", "images"),
        ("encoder", "out", "mean"),
        ("encoder", "out", "logvar"),
    ]


def test_info_reads_a_checkpoint(run: Run, checkpoints: dict[str, Path]) -> None:
    result = run("info", checkpoints["dcgan-classes"])
    assert "4 classes: cat, dog, bird, fish" in result.stdout


def test_doctor_names_every_backend(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    for report in backends.doctor():
        (line,) = [row for row in result.stdout.splitlines() if row.startswith(f"{report.name} ")]
        assert ("cannot run" in line) is (not report.available)
        assert report.reason in line
    values = json.loads(run("doctor", "--json").stdout)
    assert [item["name"] for item in values["backends"]] == list(backends.names())
    assert values["packages"]["numpy"]


def test_models_lists_what_ships(run: Run) -> None:
    from engine import zoo

    result = run("models")
    assert result.exit_code == 0
    for name in zoo.names():
        assert name in result.stdout
    assert list(json.loads(run("models", "--json").stdout)) == list(zoo.names())


def test_a_model_without_a_card_is_listed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import zoo

    (tmp_path / "bare.gen").touch()
    (tmp_path / "carded.gen").touch()
    (tmp_path / "carded.json").write_text('{"data": "digits", "licence": "MIT"}')
    monkeypatch.setattr(zoo, "_FOLDER", tmp_path)
    result = run("models")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows == [["bare", "no", "card"], ["carded", "digits", "MIT"]]
    assert json.loads(run("models", "--json").stdout)["bare"] is None


def test_doctor_says_which_kernels_there_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from kernels.native import library

    if library.unavailable() is None:
        assert ", ".join(library.instruction_sets()) in run("doctor").stdout
    monkeypatch.setenv(library.VARIABLE, "/nowhere/kernels.so")
    assert "not usable: /nowhere/kernels.so was not built: install a C++" in run("doctor").stdout
    values = json.loads(run("doctor", "--json").stdout)["native_library"]
    assert values["instruction_sets"] == []
    assert values["path"] == "/nowhere/kernels.so"
