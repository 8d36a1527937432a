"""Bundles: what is in them, which part is opened, and what damage costs."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from engine import Engine, zoo
from engine.backends import _bundled
from engine.backends._tensorrt import flavours
from engine.backends.tensorrt import TensorRTBackend
from engine.cli import cli
from engine.core.artifacts import open_artifact
from engine.core.bundle import Bundle, read_bundle
from engine.core.errors import ArtifactError, ExportError, OptionError
from engine.core.files import sha256
from export.bundle import export_bundle, main
from export.bundle_parts import PartOptions

needs_rtx = pytest.mark.skipif(
    "tensorrt-rtx" not in flavours(), reason="needs TensorRT-RTX: pip install tensorrt-rtx-cu13"
)


@pytest.fixture(scope="module")
def bundle(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VAE as ONNX of two precisions and as `.gen`. It must not be changed."""
    path = tmp_path_factory.mktemp("bundle") / "vae.bundle"
    options = PartOptions(precisions=("fp32", "auto"))
    export_bundle(open_artifact(checkpoints["vae"]), path, options)
    return path


@pytest.fixture
def damaged(bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy in which a byte of each named part is another."""

    def damage(*parts: str) -> Path:
        opened, data = read_bundle(bundle), bytearray(bundle.read_bytes())
        for name in parts:
            file = opened.part(name).files[-1]
            data[opened.base + file.offset + file.size // 2] ^= 1
        path = tmp_path / "damaged.bundle"
        path.write_bytes(data)
        return path

    return damage


def with_index(bundle: Path, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A bundle whose index says something else, and is whole."""
    values = json.loads(zipfile.ZipFile(bundle).read("bundle.json"))
    change(values)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bundle.json", json.dumps(values))
    return path


def files_of(bundle: Bundle) -> dict[str, list[str]]:
    return {part.name: [file.name for file in part.files] for part in bundle.index.parts}


def test_it_holds_all_forms_with_their_evidence(bundle: Path, checkpoints: dict[str, Path]) -> None:
    opened = read_bundle(bundle)
    assert files_of(opened) == {
        "model.onnx": ["model.onnx", "model.encoder.onnx"],
        "model-auto.onnx": ["model-auto.onnx", "model-auto.encoder.onnx"],
        "model.gen": ["model.gen"],
    }
    assert opened.spec.name == "vae"
    assert opened.index.source.sha256 == sha256(checkpoints["vae"])
    assert opened.part("model.onnx").evidence["encoder max_error"] < 1e-4
    assert opened.part("model-auto.onnx").evidence["decoder worst_psnr_db"] >= 38
    assert all(opened.damage(part) is None for part in opened.index.parts)
    archive = zipfile.ZipFile(bundle)
    assert archive.testzip() is None
    for part in opened.index.parts:
        for file in part.files:
            assert len(archive.read(file.name)) == file.size


def test_the_best_part_that_runs_here_is_opened(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path)
    with Engine(bundle) as engine, Engine(tmp_path / "model.gen") as alone:
        assert (engine.artifact.name, engine.backend) == ("vae.bundle/model.gen", alone.backend)
        assert engine.artifact.sha256 == alone.artifact.sha256
        np.testing.assert_array_equal(engine.generate(5), alone.generate(5))
        assert "part model.gen" in engine.explain()
        assert engine.with_batch_size(4).artifact.location == engine.artifact.location


@pytest.mark.parametrize(
    ("name", "asked", "part"),
    [
        ("vae.bundle", {"backend": "onnxruntime"}, "model.onnx"),
        ("vae.bundle", {"backend": "onnxruntime", "precision": "fp16"}, "model-auto.onnx"),
        ("vae.bundle/model-auto.onnx", {}, "model-auto.onnx"),
        ("vae.bundle/model.onnx", {"backend": "eager"}, "model.onnx"),
    ],
)
def test_a_part_can_be_named(bundle: Path, name: str, asked: dict[str, str], part: str) -> None:
    with Engine(bundle.parent / name, **asked) as engine:  # type: ignore[arg-type]
        assert engine.artifact.part == part
        images = engine.generate(3)
        # The encoder is a file of its own, and opened only now.
        assert engine.encode(images).shape == (3, 6)


def test_an_engine_that_cannot_be_made_leaves_no_files(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the error is held, so that nothing is left to the garbage collector."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(OptionError, match="batch_size") as held:
        Engine(bundle, backend="numpy", batch_size=2**40)
    assert held.value.__traceback__ is not None
    assert not list(tmp_path.iterdir())


def test_damage_costs_only_the_part_that_it_hits(damaged: Callable[..., Path]) -> None:
    order = ["model.gen", "model.onnx", "model-auto.onnx"]
    for count in range(len(order)):
        path = damaged(*order[:count])
        with Engine(path) as engine:
            assert engine.artifact.part == order[count]
            told = [note for note in engine.notes if note.startswith("damaged: ")]
            assert len(told) == count
            assert np.isfinite(engine.generate(2, output="float32")).all()
    with pytest.raises(ArtifactError, match=r"model\.gen is damaged.*model\.onnx"):
        Engine(damaged(*order))
    with pytest.raises(ArtifactError, match=r"model\.gen is damaged"):
        Engine(damaged("model.gen") / "model.gen")


def test_a_file_that_is_cut_short_keeps_what_it_still_has(bundle: Path, tmp_path: Path) -> None:
    opened, data = read_bundle(bundle), bundle.read_bytes()
    path = tmp_path / "cut.bundle"
    ends = [
        opened.base + file.offset + file.size for part in opened.index.parts for file in part.files
    ]
    for cut in (0, 1, 29, 40, opened.base - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(ArtifactError):
            Engine(path)
    path.write_bytes(data[: ends[0]])
    with pytest.raises(ArtifactError, match="encoder.onnx is cut short"):
        Engine(path)
    path.write_bytes(data[: ends[1]])
    with Engine(path) as engine:
        assert engine.artifact.part == "model.onnx"
        assert "model.gen is cut short" in " ".join(engine.notes)
    # ZIP's own directory is for other tools.
    path.write_bytes(data[: ends[-1]])
    with Engine(path) as engine:
        assert engine.artifact.part == "model.gen"


def test_the_command_line_tells_of_damage(damaged: Callable[..., Path], tmp_path: Path) -> None:
    path = damaged("model.gen")
    run = CliRunner().invoke(cli, ["generate", str(path), "-n", "2", "-o", str(tmp_path / "x.npy")])
    assert run.exit_code == 0
    assert "damaged: " in run.stderr
    shown = CliRunner().invoke(cli, ["info", str(path)]).stdout
    assert "model.gen is damaged" in shown
    values = json.loads(CliRunner().invoke(cli, ["info", str(path), "--json"]).stdout)["bundle"]
    assert [bool(part["damage"]) for part in values["parts"]] == [False, False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index.update(version=2), "no bundle of version 1"),
        (lambda index: index.update(format="x"), "no bundle of version 1"),
        (lambda index: index.pop("parts"), "lacks the field 'parts'"),
        (lambda index: index["parts"][0]["files"][0].update(name="../x"), "no name of a file"),
        (lambda index: index["parts"][0].update(name="x.onnx"), "called like its first file"),
        (lambda index: index["parts"][0]["files"][0].update(offset=-1), "cannot lie at"),
        (lambda index: index["parts"][0]["files"][0].update(sha256="0"), "no SHA-256"),
        (lambda index: index["parts"].append(index["parts"][0]), "in it twice"),
        (lambda index: index["parts"][0].update(kind="exe"), "unknown"),
    ],
)
def test_an_index_that_lies_is_refused(
    bundle: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        Engine(with_index(bundle, tmp_path / "x.bundle", change))


def test_sizes_beyond_the_file_allocate_nothing(bundle: Path, tmp_path: Path) -> None:
    def huge(index: dict[str, Any]) -> None:
        for part in index["parts"]:
            part["files"][0].update(size=2**62, offset=2**61)

    with pytest.raises(ArtifactError, match="cut short"):
        Engine(with_index(bundle, tmp_path / "x.bundle", huge))


def test_what_does_not_apply_is_refused(bundle: Path) -> None:
    with pytest.raises(OptionError, match="a bundle describes itself"):
        Engine(bundle, classes=3)
    with pytest.raises(OptionError, match="unknown backend 'x'"):
        Engine(bundle, backend="x")
    with pytest.raises(ArtifactError, match=r"there is no part 'model\.plan'; did you mean"):
        Engine(bundle / "model.plan")
    with pytest.raises(OptionError, match="'tensorrt' does not open model.gen; these do: triton, "):
        Engine(bundle, backend="tensorrt")
    with pytest.raises(ArtifactError, match="give a checkpoint, an ONNX file or a .gen .*unzip"):
        export_bundle(open_artifact(bundle), bundle.with_name("y.bundle"))


def test_the_same_model_gives_the_same_bytes(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    for name in ("a.bundle", "b.bundle"):
        export_bundle(open_artifact(onnx_files["gan-mlp"]), tmp_path / name)
    assert (tmp_path / "a.bundle").read_bytes() == (tmp_path / "b.bundle").read_bytes()
    assert list(files_of(read_bundle(tmp_path / "a.bundle"))) == ["model.onnx", "model.gen"]


def test_of_a_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(main, ["gan-mlp-digits"])
    assert run.exit_code == 0, run.output
    assert "left out  model.onnx: a .gen file no longer holds a graph" in run.stdout
    with Engine("gan-mlp-digits.bundle") as engine, Engine("gan-mlp-digits") as shipped:
        np.testing.assert_array_equal(engine.generate(3), shipped.generate(3))
    refused = CliRunner().invoke(main, ["gan-mlp-digits", "--target", "sm89"])
    assert refused.exit_code == 2
    assert "make the bundle of the checkpoint or ONNX file" in refused.stderr
    assert zoo.resolve("gan-mlp-digits").parent != tmp_path


def test_a_network_without_program_still_has_its_onnx(
    bundle: Path, onnx_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ExportError("node 'x' is of no kind that Programs have")

    monkeypatch.setattr("export.pack.export_gen", refuse)
    source = open_artifact(onnx_files["gan-mlp"])
    report = export_bundle(source, tmp_path / "x.bundle")
    assert [item.name for item in report.left_out] == ["model.gen"]
    with pytest.raises(ArtifactError, match=r"model\.gen was not made: node 'x'"):
        Engine(tmp_path / "x.bundle/model.gen")
    # An ONNX file has the precision that it tells.
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path)
    report = export_bundle(open_artifact(tmp_path / "model-auto.onnx"), tmp_path / "z.bundle")
    assert [part.precision for part in report.parts] == ["fp16"]
    told = CliRunner().invoke(cli, ["info", "--json", str(bundle / "model-auto.onnx")])
    found = json.loads(told.stdout)["artifact"]
    assert found["file"] == str(bundle / "model-auto.onnx")
    assert found["bytes"] == (tmp_path / "model-auto.onnx").stat().st_size
    # What was asked for by name is not left out in silence.
    with pytest.raises(OptionError, match="kernels belong to a .gen part"):
        export_bundle(source, tmp_path / "y.bundle", PartOptions(kernels=(80,)))
    assert not (tmp_path / "y.bundle").exists()


@needs_rtx
def test_plans_are_for_the_gpus_that_they_name(
    onnx_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.bundle"
    options = PartOptions(targets=("sm89", "sm120"))
    export_bundle(open_artifact(onnx_files["gan-mlp"]), path, options)
    parts = files_of(read_bundle(path))
    assert list(parts) == ["model.onnx", "model.gen", "model-sm89.plan", "model-sm120.plan"]
    assert parts["model-sm89.plan"][:2] == ["model-sm89.plan", "model-sm89.plan.json"]
    tried: list[str] = []

    def opened(artifact: Any, _: object) -> None:
        tried.append(artifact.path.name)
        assert (artifact.path.parent / f"{artifact.path.name}.json").is_file()
        raise ArtifactError("it is not to be run")

    monkeypatch.setattr(TensorRTBackend, "unavailable", lambda: None)
    monkeypatch.setattr(TensorRTBackend, "open", opened)
    monkeypatch.setattr(_bundled, "no_gpu_reason", lambda: None)
    for capability, order in (
        (89, ["model-sm89.plan", "model-sm120.plan"]),
        (120, ["model-sm120.plan", "model-sm89.plan"]),
    ):
        monkeypatch.setattr(_bundled, "compute_capability", lambda found=capability: found)
        with Engine(path) as engine:
            assert engine.artifact.part == "model.gen"
            assert f"{', '.join(order)}: it is not to be run" in engine.explain()
        assert tried == order
        tried.clear()


def test_what_takes_one_form_says_how_to_get_it_out_of_a_bundle(bundle: Path) -> None:
    from engine.backends._programs import open_programs
    from engine.models.load import load_generator

    for reads in (load_generator, lambda path: open_programs(open_artifact(path))):
        with pytest.raises(ArtifactError, match=r"vae\.bundle: .*unzip it and give the file"):
            reads(bundle)
