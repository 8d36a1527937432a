"""`python -m export.gen`: from checkpoints and ONNX files to .gen files that agree with them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result

from engine import Engine
from engine.core.artifacts import open_artifact
from engine.core.errors import ArtifactError, ExportError
from engine.core.files import sha256
from engine.core.options import LoadOptions
from engine.core.spec import SPEC_KEY, GeneratorSpec
from engine.program import gen
from engine.program.graph import Linear, Program
from export import gen_parity, pack
from export.gen import main
from export.pack import export_gen

NAMES = ("dcgan", "dcgan-classes", "vae", "vae-classes", "gan-mlp")


@pytest.fixture(scope="module")
def packed(
    onnx_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packed")
    for name in NAMES:
        export_gen(open_artifact(onnx_files[name]), folder / f"{name}.gen")
    return {name: folder / f"{name}.gen" for name in NAMES}


def call(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(item) for item in arguments])


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_those_of_the_graph(
    name: str, packed: dict[str, Path], onnx_files: dict[str, Path]
) -> None:
    ours, theirs = Engine(packed[name], backend="numpy"), Engine(onnx_files[name])
    assert ours.spec == theirs.spec
    a, b = (engine.generate(3, seed=2, output="float32") for engine in (ours, theirs))
    assert np.abs(a - b).max() < 1e-4
    if "encoder" in ours.spec.entry_points:
        labels = 1 if ours.spec.classes else None
        a, b = (engine.encode(b, labels) for engine in (ours, theirs))
        assert np.abs(a - b).max() < 1e-4


def test_the_same_onnx_file_gives_the_same_bytes(
    packed: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    export_gen(open_artifact(onnx_files["vae"]), tmp_path / "again.gen")
    assert (tmp_path / "again.gen").read_bytes() == packed["vae"].read_bytes()


def test_the_file_says_where_it_comes_from(
    packed: dict[str, Path], onnx_files: dict[str, Path]
) -> None:
    source = gen.read(packed["dcgan"]).source
    assert source.name == "dcgan.onnx"
    assert source.sha256 == sha256(onnx_files["dcgan"])
    assert {tool for tool, version in source.versions if version} >= {"numpy", "onnx"}


def test_a_checkpoint_on_the_command_line(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "vae.gen"
    result = call(checkpoints["vae"], "-o", out)
    assert result.exit_code == 0, result.stderr
    assert f"wrote     {out}" in result.stdout
    assert "program   encoder" in result.stdout
    assert gen.read(out).source.name == "vae.pt"
    a, b = (Engine(path).generate(2) for path in (out, checkpoints["vae"]))
    assert np.abs(a.astype(int) - b).max() <= 1


def test_half_precision_weights(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    sizes = {}
    for precision in ("fp32", "fp16-weights"):
        out = tmp_path / f"{precision}.gen"
        result = call(onnx_files["gan-mlp"], "-o", out, "--precision", precision)
        assert result.exit_code == 0, result.stderr
        assert ("rounding the weights" in result.stdout) is (precision == "fp16-weights")
        assert gen.read(out).source.precision == precision
        sizes[precision] = out.stat().st_size
    assert sizes["fp16-weights"] < 0.75 * sizes["fp32"]
    a, b = (Engine(tmp_path / f"{name}.gen").generate(2) for name in sizes)
    assert np.abs(a.astype(int) - b).max() <= 2


def test_a_program_that_differs_is_not_written(
    onnx_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*source: Any) -> dict[str, Program]:
        program = right(*source)["decoder"]
        linear = next(op for op in program.operations if isinstance(op, Linear))
        changed = dataclasses.replace(linear, weight=2 * linear.weight)
        operations = tuple(changed if op is linear else op for op in program.operations)
        return {"decoder": dataclasses.replace(program, operations=operations)}

    right = pack.lowered
    monkeypatch.setattr(pack, "lowered", wrong)
    with pytest.raises(ExportError, match=r"the lowered decoder differs from onnxruntime by"):
        export_gen(open_artifact(onnx_files["gan-mlp"]), tmp_path / "x.gen")
    assert not list(tmp_path.iterdir())


def test_onnx_files_open_on_programs_directly(onnx_files: dict[str, Path]) -> None:
    ours = Engine(onnx_files["vae-classes"], backend="numpy")
    assert ours.spec.entry_points == ("decoder", "encoder")
    theirs = Engine(onnx_files["vae-classes"])
    assert theirs.backend == "onnxruntime"
    a, b = (engine.generate(2, output="float32") for engine in (ours, theirs))
    assert np.abs(a - b).max() < 1e-4


def test_probes_meet_the_last_class(packed: dict[str, Path]) -> None:
    spec = gen.read_spec(packed["vae-classes"])
    feed = gen_parity.probe(spec, "encoder", 5)
    assert feed["labels"].max() == len(spec.classes) - 1
    assert feed["images"].shape == (5, 3, 32, 32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{onnx}", "-o", "{folder}/x.onnx"), "call the file NAME.gen"),
        (("{folder}/none.onnx",), "no such file"),
        (("{gen}",), "give a checkpoint or an ONNX file to build from"),
        (("{onnx}", "--classes", "3"), "classes=3 does not apply"),
        (("{junk}",), "cannot open this ONNX file"),
    ],
    ids=["suffix", "missing", "gen", "options", "junk"],
)
def test_mistakes_are_told_on_one_line(
    arguments: tuple[str, ...],
    message: str,
    packed: dict[str, Path],
    onnx_files: dict[str, Path],
    tmp_path: Path,
) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"junk" * 10)
    names = {"onnx": onnx_files["dcgan"], "gen": packed["dcgan"], "folder": tmp_path}
    names["junk"] = tmp_path / "junk.onnx"
    filled = [item.format(**names) for item in arguments]
    out = [] if "-o" in filled else ["-o", str(tmp_path / "out.gen")]
    result = call(*filled, *out)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out.gen").exists()


def test_a_spec_of_another_graph_is_named(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    model = onnx.load(onnx_files["gan-mlp"])
    (entry,) = (item for item in model.metadata_props if item.key == SPEC_KEY)
    spec = GeneratorSpec.from_json(entry.value)
    entry.value = spec.replace(latent=dataclasses.replace(spec.latent, shape=(99,))).to_json()
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    result = call(path, "-o", tmp_path / "x.gen")
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: {path}: the decoder takes 'z' of shape [10] (channels last), its spec says [99] "
        "(channels first); correct the spec that it carries, or export it again\n"
    )
    with pytest.raises(ArtifactError, match=r"other\.onnx: the decoder takes 'z' of shape"):
        Engine(path, backend="numpy")
    assert not (tmp_path / "x.gen").exists()


def test_options_reach_a_model_that_does_not_describe_itself(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    artifact = open_artifact(checkpoints["dcgan"], LoadOptions())
    assert export_gen(artifact, tmp_path / "x.gen").gen.spec.latent.shape == (16,)
