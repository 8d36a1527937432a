"""python -m export.kernels: every kernel of an artifact, found by running its real launchers."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.backends._programs import open_programs
from engine.core.artifacts import open_artifact
from engine.core.files import sha256
from engine.core.options import LoadOptions
from export.binaries import kernels_of
from export.kernels import main
from kernels.binaries.container import read
from kernels.inspect.cubin import read_cubin


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_file_has_every_kernel_for_every_target(
    onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    model, out = onnx_files["gan-mlp"], tmp_path / "small.kernels"
    result = run(model, "-o", out, "--target", "sm80,sm_90", "--batch", 64)
    assert result.exit_code == 0, result.stderr
    contents = read(out)
    assert contents.architectures == (80, 90)
    assert contents.about["artifact_sha256"] == sha256(model)
    assert contents.about["batch"] == 64
    gen = open_programs(open_artifact(model, LoadOptions()))
    for target in (80, 90):
        wanted, _ = kernels_of(gen, target, "fp16", 64)
        made = {each.identity for each in contents.entries if each.architecture == target}
        assert made == set(wanted)
        assert len(made) >= 3
    for entry in contents.entries:
        cubin = read_cubin(entry.cubin)
        assert cubin.name == entry.record["kernel"]
        assert len(cubin.parameters) == len(entry.record["parameters"])
        assert f".target sm_{entry.architecture}".encode() in entry.ptx
    before = out.read_bytes()
    assert run(model, "-o", out, "--target", "sm90,sm80", "--batch", 64).exit_code == 0
    assert out.read_bytes() == before


def test_kernels_do_not_depend_on_the_weights_but_on_the_precision(
    onnx_files: dict[str, Path],
) -> None:
    gen = open_programs(open_artifact(onnx_files["gan-mlp"], LoadOptions()))
    half, _ = kernels_of(gen, 80, "fp16", 64)
    brain, _ = kernels_of(gen, 80, "bf16", 64)
    assert not set(half) & set(brain)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "sm75"], "sm75 is not one that kernels are made for: sm80, sm86"),
        (["--target", "hopper"], "target 'hopper' is none"),
        (["--target", "sm90", "-o", "x.zip"], "call the file NAME.kernels"),
    ],
)
def test_mistakes_are_one_line(
    onnx_files: dict[str, Path], arguments: list[str], words: str
) -> None:
    result = run(onnx_files["gan-mlp"], *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert words in result.stderr


def test_an_artifact_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path / "absent.gen", "--target", "sm90")
    assert result.exit_code == 2
    assert "absent.gen" in result.stderr
