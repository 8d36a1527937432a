"""`verify`: whether two artifacts, backends or precisions give the same samples."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import click

from engine.cli import types
from engine.cli.options import EngineOptions, engine_options
from engine.cli.progress import progress_bar
from engine.cli.table import print_table
from engine.core.errors import OptionError


@click.command()
@click.argument("a", metavar="A[@BACKEND[:PRECISION]]")
@click.argument("b", metavar="B[@BACKEND[:PRECISION]]")
@click.option(
    "-n", type=click.IntRange(1, 2**63 - 1), default=64, show_default=True, help="Samples."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which stream of samples.")
@click.option(
    "--max-error",
    type=click.FloatRange(min=0),
    default=1e-3,
    show_default=True,
    help="Largest difference allowed, in the model's own range.",
)
@click.option("--min-psnr", type=float, help="Smallest PSNR allowed, in dB.")
@click.option(
    "--pictures",
    type=click.Path(path_type=Path),
    help="A PNG of the worst samples: A, B and 32 times their difference.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@engine_options
@click.pass_context
def verify(
    ctx: click.Context,
    a: str,
    b: str,
    n: int,
    seed: int,
    max_error: float,
    min_psnr: float | None,
    pictures: Path | None,
    as_json: bool,
    options: EngineOptions,
) -> None:
    """Compare two artifacts, backends or precisions on the same latents.

    Each side may name its own backend and precision: dcgan.pt@eager dcgan.onnx@onnxruntime:fp32.
    The exit code is 1 when they are farther apart than the tolerance.
    """
    from engine.cli.compare import compare
    from engine.cli.worst import Worst

    (a_path, a_options), (b_path, b_options) = (side(text, options) for text in (a, b))
    with (
        a_options.open(a_path) as first,
        b_options.open(b_path) as second,
        progress_bar(n, "samples") as bar,
    ):
        worst = None if pictures is None else Worst(first.spec, pictures)
        result = compare(first, second, n, seed, bar.update, worst)
        sides = [
            (engine.artifact.path.name, engine.backend, engine.precision)
            for engine in (first, second)
        ]
    if worst is not None:
        worst.write()
    passed = result.within(max_error, min_psnr)
    if as_json:
        click.echo(json.dumps(_report(result, sides, seed, max_error, min_psnr, passed), indent=2))
    else:
        floor = "" if min_psnr is None else f"at least {min_psnr:g}"
        print_table(
            [
                *((name, " ".join(side)) for name, side in zip("AB", sides, strict=True)),
                ("max error", f"{result.max_error:.3g}", f"at most {max_error:g}"),
                ("mean error", f"{result.mean_error:.3g}", ""),
                ("PSNR", f"{result.psnr_db:.1f} dB", floor),
                ("worst sample", f"{result.worst_sample}", f"of {n}, seed {seed}"),
                ("verdict", "the same within the tolerance" if passed else "different"),
            ]
        )
    if not passed:
        ctx.exit(1)


def side(text: str, options: EngineOptions) -> tuple[str, EngineOptions]:
    """Split A@BACKEND:PRECISION into the artifact and its options.

    An artifact whose own name has an @ is found first. Raises click.BadParameter.
    """
    path, at, engine = text.rpartition("@")
    if not at or Path(text).exists() or "/" in engine:
        return text, options
    backend, colon, precision = engine.partition(":")
    if not path or (colon and not precision):
        raise OptionError(f"{text!r} is not ARTIFACT@BACKEND:PRECISION, like dcgan.onnx@eager:fp32")
    return path, dataclasses.replace(
        options,
        backend=types.backend(backend),
        precision=precision or options.precision,
    )


def _report(
    result: Any,
    sides: list[tuple[str, str, str]],
    seed: int,
    max_error: float,
    min_psnr: float | None,
    passed: bool,
) -> dict[str, Any]:
    values = dataclasses.asdict(result)
    # JSON has no infinity; null says that the outputs are equal.
    values["psnr_db"] = result.psnr_db if math.isfinite(result.psnr_db) else None
    keys = ("artifact", "backend", "precision")
    return {
        "a": dict(zip(keys, sides[0], strict=True)),
        "b": dict(zip(keys, sides[1], strict=True)),
        "seed": seed,
        **values,
        "tolerance": {"max_error": max_error, "min_psnr_db": min_psnr},
        "passed": passed,
    }
