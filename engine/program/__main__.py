"""Show the Programs of files: `python -m engine.program MODEL.onnx`, with `--plan` how they run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import click

from engine.core.artifacts import UNZIP
from engine.core.errors import ArtifactError, BackendUnavailableError, EngineError, OptionError
from engine.program.dump import dump, record
from engine.program.graph import Program

_LOWERING_NEEDS = (("onnx", "onnxscript", "onnx_ir"), "onnx")
_PLANNING_NEEDS = (("torch", "triton"), "triton")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, one object a file.")
@click.option(
    "--input-shape",
    "shapes",
    multiple=True,
    metavar="NAME:SIZES",
    help="Fix free axes of an ONNX input, as image:-1x3x64x64; -1 is the batch.",
)
@click.option("--plan", "planned", is_flag=True, help="Kernels, tiles, reasons and buffers too.")
@click.option("--target", default="sm90", show_default=True, metavar="SM", help="GPU of --plan.")
@click.option(
    "--batch",
    default=1024,
    show_default=True,
    type=click.IntRange(min=1),
    help="Samples at once of --plan.",
)
def main(
    files: tuple[Path, ...],
    as_json: bool,
    shapes: tuple[str, ...],
    planned: bool,
    target: str,
    batch: int,
) -> None:
    """Show the operations that FILES (.onnx, .gen) become, with shapes, numbers and FLOPs."""
    try:
        if planned and as_json:
            raise OptionError("--plan is text; leave out --json")
        given = dict(_input_shape(text) for text in shapes)
        for path in files:
            for program in _programs(path, given).values():
                click.echo(json.dumps(record(program)) if as_json else f"{path}: {dump(program)}")
                if planned:
                    click.echo(_plan(path, program, target, batch))
    except EngineError as error:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)


def _programs(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Program]:
    if path.suffix == ".gen":
        if shapes:
            raise OptionError(f"--input-shape is for ONNX files; the shapes of {path} are fixed")
        from engine.program import gen

        return gen.read(path).programs
    if path.suffix == ".bundle":
        raise ArtifactError(f"{path}: give a .gen or ONNX file; {UNZIP}")
    _check_installed(f"lowering {path}", *_LOWERING_NEEDS)
    from engine.program.lowering import lower

    program = lower(path, input_shapes=shapes)
    return {program.name: program}


def _plan(path: Path, program: Program, target: str, batch: int) -> str:
    _check_installed(f"planning {path}", *_PLANNING_NEEDS)
    from engine.program.plan import describe, make_plan, parse_target

    return describe(make_plan(program, architecture=parse_target(target), batch=batch)) + "\n"


def _check_installed(what: str, modules: tuple[str, ...], extra: str) -> None:
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise BackendUnavailableError(
            f"{what} needs {', '.join(missing)}: pip install 'generator-engine[{extra}]'"
        )


def _input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = text.rpartition(":")
    try:
        shape = tuple(int(size) for size in sizes.split("x"))
    except ValueError:
        shape = ()
    if not name or not shape or any(size < 1 and size != -1 for size in shape):
        raise OptionError(f"--input-shape {text!r} is not NAME:SIZES, as image:-1x3x64x64")
    return name, shape


if __name__ == "__main__":
    main()
