"""`verify`: whether two artifacts, backends or precisions give the same samples."""

from __future__ import annotations

import dataclasses
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli import types
from engine.cli.options import EngineOptions, engine_options
from engine.cli.progress import progress_bar
from engine.cli.table import print_table
from engine.core.errors import OptionError, SelfDescribedError

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.cli.verify_report import Report
    from engine.layerwise import Divergence


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
    help="Largest difference allowed, in the model's own range, of images too.",
)
@click.option("--min-psnr", type=float, help="Smallest PSNR allowed, in dB.")
@click.option("--decoder-only", is_flag=True, help="Leave the encoders of VAEs out.")
@click.option(
    "--pictures",
    type=click.Path(path_type=Path),
    help="A PNG of the worst samples: A, B and 32 times their difference.",
)
@click.option(
    "--layers", is_flag=True, help="Compare layer by layer too: where do they begin to differ?"
)
@click.option(
    "--layer-tolerance",
    type=click.FloatRange(min=0),
    help="Largest error of a layer, of its largest number; implies --layers.",
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
    max_error: float | None,
    min_psnr: float | None,
    decoder_only: bool,
    pictures: Path | None,
    layers: bool,
    layer_tolerance: float | None,
    as_json: bool,
    options: EngineOptions,
) -> None:
    """Compare two artifacts, backends or precisions on the same latents.

    Each side may name its own backend and precision: dcgan.pt@eager dcgan.onnx@onnxruntime:fp32.
    The encoders of VAEs are compared too, on the images of A. Where a side gives uint8 images
    alone, uint8 is compared.

    The exit code is 1 when they are farther apart than the tolerance: --max-error and --min-psnr,
    those that are given. By default 1e-3 where both compute in fp32 (of images that are uint8: one
    step, in one value of a hundred), and the image budget where a side computes in less.
    """
    from engine.cli.compare import compare
    from engine.cli.tolerance import choose
    from engine.cli.verify_report import Report
    from engine.cli.worst import Worst

    with ExitStack() as stack:
        first, second = (stack.enter_context(engine) for engine in _both(a, b, options))
        worst = None if pictures is None else Worst(first.spec, pictures)
        with progress_bar(n, "samples") as bar:
            result = compare(first, second, n, seed, bar.update, worst, encoders=not decoder_only)
        tolerance = choose(first, second, result.compared_as, max_error, min_psnr)
        report = Report.of(first, second, seed, result, tolerance)
        found = None
        if layers or layer_tolerance is not None:
            from engine.cli.verify_layers import compare_layers

            found = compare_layers(
                first, second, result, seed, layer_tolerance, encoders=not decoder_only
            )
    if worst is not None and not worst.write():
        click.echo("no picture: NaN or infinity cannot be shown", err=True)
    _show(report, found, as_json)
    if not report.passed:
        ctx.exit(1)


def _show(report: Report, found: Divergence | None, as_json: bool) -> None:
    from engine.cli.verify_report import plain, report_values, table

    if as_json:
        values = report_values(report)
        if found is not None:
            from engine.cli.verify_layers import layer_values

            values |= plain(layer_values(found))
        click.echo(json.dumps(values, indent=2))
        return
    print_table(table(report))
    if found is not None:
        from engine.cli.verify_layers import layer_table

        click.echo()
        print_table(layer_table(found))


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


def _both(a: str, b: str, options: EngineOptions) -> list[Engine]:
    """Both sides open; what describes a model (--arch, ...) goes to the side that needs it.

    Raises SelfDescribedError where neither does.
    """
    opened: list[Engine] = []
    refusals = []
    try:
        for text in (a, b):
            path, own = side(text, options)
            try:
                opened.append(own.open(path))
            except SelfDescribedError as error:
                refusals.append(error)
                if len(refusals) == 2:
                    raise refusals[0] from None
                opened.append(own.without_model().open(path))
    except BaseException:
        for engine in opened:
            engine.close()
        raise
    return opened
