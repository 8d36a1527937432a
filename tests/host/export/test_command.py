"""`python -m export.onnx` and `export.tensorrt` as commands: output, exit codes, options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from engine.models.load import load_generator
from export.onnx import main as onnx_main
from export.tensorrt import main as tensorrt_main


def run(*arguments: object, command: object = onnx_main) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])  # type: ignore[arg-type]


def test_in_one_command(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    source = tmp_path / "ckpt.pt"
    source.write_bytes(checkpoints["vae"].read_bytes())
    result = subprocess.run(
        [sys.executable, "-m", "export.onnx", source],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"network", "wrote", "graph", "parity"}
    assert (tmp_path / "ckpt.onnx").is_file()
    assert (tmp_path / "ckpt.encoder.onnx").is_file()


def test_says_what_was_assumed(tmp_path: Path) -> None:
    from torch import nn

    network = nn.Sequential(
        nn.ConvTranspose2d(14, 16, 4, 1, 0), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1)
    )
    torch.save({"netG": network.state_dict()}, tmp_path / "g.tar")
    result = run(
        tmp_path / "g.tar", "--classes", 4, "--arch-args", '{"output_activation": "sigmoid"}'
    )
    assert result.exit_code == 0, result.output
    assumed = [line for line in result.stdout.splitlines() if line.startswith("assumed")]
    text = "\n".join(assumed)
    for part in ("'netG'", "latent 10 -> [1, 8, 8]", "stride 2 padding 1", "relu", "sigmoid"):
        assert part in text
    assert "4 classes as one-hot, behind z" in text
    assert any(line.startswith("checked   nothing") for line in result.stdout.splitlines())
    loaded = load_generator(tmp_path / "g.onnx")
    assert loaded.arch == "chain"
    assert loaded.spec.output.range == (0.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.pt"], "error: absent.pt: no such file"),
        (["{ckpt}", "--classes", "3"], "error: classes=3 does not apply"),
        (["{ckpt}", "-o", "{ckpt}"], "call an ONNX file NAME.onnx"),
        (["{ckpt}", "-o", "d.txt"], "error: d.txt: call an ONNX file NAME.onnx"),
        (["{onnx}"], "would overwrite itself"),
        (["{ckpt}", "--state-key", "x"], "no state dict 'x'"),
        (["{ckpt}", "--opset", "9"], "error: opset 9 is out of range; give 16 to 26"),
        (["{ckpt}", "--opset", "99"], "error: opset 99 is out of range; give 16 to 26"),
    ],
    ids=[
        "missing",
        "classes",
        "over-checkpoint",
        "suffix",
        "overwrite",
        "state-key",
        "opset-low",
        "opset-high",
    ],
)
def test_errors_of_the_user_are_one_line(
    arguments: list[str],
    message: str,
    checkpoints: dict[str, Path],
    onnx_files: dict[str, Path],
    tmp_path: Path,
) -> None:
    ckpt = tmp_path / "ckpt.pt"
    ckpt.write_bytes(checkpoints["gan-mlp"].read_bytes())
    model = onnx_files["gan-mlp"]
    before = model.read_bytes()
    result = run(*(argument.format(ckpt=ckpt, onnx=model) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [ckpt]
    assert model.read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--arch-args", "{", "is not JSON"),
        ("--arch-args", "[1]", "is not a JSON object"),
        ("--input-shape", "a,b", "write 100 or 80,20"),
        ("--input-shape", "0", "size below 1"),
        ("--output-range", "1", "write -1:1"),
        ("--output-range", "1:0", "does not rise"),
        ("--precision", "int4", "not one of"),
    ],
)
def test_option_values(option: str, value: str, message: str, checkpoints: dict[str, Path]) -> None:
    result = run(checkpoints["gan-mlp"], option, value)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "4:2:8"], "must rise"),
        (["--batch", "many"], "not MIN:OPT:MAX"),
        (["--batch", "\u00b2"], "not MIN:OPT:MAX"),
        (["--target", "hopper"], "target 'hopper' is unknown"),
        (["--target", "portable,sm86"], "portable stands alone"),
        (["-o", "x.trt"], "NAME.plan"),
    ],
)
def test_tensorrt_options(arguments: list[str], message: str, onnx_files: dict[str, Path]) -> None:
    result = run(onnx_files["gan-mlp"], *arguments, command=tensorrt_main)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
