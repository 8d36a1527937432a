"""What only a process of its own shows: imports, pipes, exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Start = Callable[..., "subprocess.Popen[str]"]

REPOSITORY = Path(__file__).parents[3]


def test_help_imports_neither_backends_nor_pillow() -> None:
    code = (
        "import sys\n"
        "from engine.cli import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'triton', 'tensorrt', 'PIL', 'tqdm'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert "generate" in process.stdout


def test_without_a_command_the_help_comes_and_the_code_is_2(start: Start) -> None:
    process = start()
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Usage: python -m engine" in out + errors


def test_a_reader_that_leaves_causes_no_noise(start: Start, models: dict[str, str]) -> None:
    process = start("info", "--json", models["pets"])
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(60) == 1
    assert errors == ""
