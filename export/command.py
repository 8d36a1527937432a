"""What the export commands share: options about a model that does not describe itself, errors."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import Any

import click

from engine.backends.base import not_installed
from engine.core.artifacts import UNZIP, Artifact
from engine.core.errors import ArtifactError, BackendUnavailableError, EngineError
from engine.core.options import LoadOptions, one_or_all
from export.choices import ONNX_OUTPUTS, PRECISIONS

_OPTIONS = (
    click.option("--arch", metavar="M:F", help="the network: module:factory, file.py:factory"),
    click.option("--arch-args", metavar="JSON", default="{}", help="its keyword arguments"),
    click.option("--state-key", metavar="K", help="key of the state dict in the checkpoint"),
    click.option(
        "--input-shape",
        metavar="S",
        multiple=True,
        help="shape of one input: 100, or 80,20; once for each float input",
    ),
    click.option("--classes", metavar="N", type=click.IntRange(1), help="number of classes"),
    click.option("--output-range", metavar="LO:HI", help="what the output spans: -1:1"),
)


_GRAPH_OPTIONS = (
    click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default="fp32",
        show_default=True,
        help="Of a checkpoint's layers; auto: fp16 where images stay within the budget.",
    ),
    click.option(
        "--output",
        type=click.Choice(ONNX_OUTPUTS),
        default="float32",
        show_default=True,
        help="uint8: it gives images [batch, H, W, C].",
    ),
)


def require(*modules: str, extra: str) -> None:
    """Raise BackendUnavailableError naming the extra that a missing module comes with."""
    for module in modules:
        missing = not_installed(module, extra)
        if missing:
            raise BackendUnavailableError(missing)


def wrong_kind(artifact: Artifact, wanted: str) -> ArtifactError:
    """The error for a file that an exporter does not take; wanted: what to give instead."""
    opened = f"; {UNZIP}" * (artifact.kind == "bundle")
    return ArtifactError(f"{artifact.location}: {wanted}{opened}")


def load_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options about the model; the command gets one LoadOptions as `options`."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,
        arch: str | None,
        arch_args: str,
        state_key: str | None,
        input_shape: tuple[str, ...],
        classes: int | None,
        output_range: str | None,
        **rest: Any,
    ) -> None:
        options = LoadOptions(
            arch=arch,
            arch_args=parse_arguments(arch_args),
            state_key=state_key,
            classes=classes,
            input_shape=one_or_all(tuple(map(parse_shape, input_shape))),
            output_range=None if output_range is None else parse_range(output_range),
        )
        command(*args, options=options, **rest)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def graph_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `precision` and `output` of the graph that is made of a checkpoint."""
    for option in reversed(_GRAPH_OPTIONS):
        command = option(command)
    return command


def user_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Print errors of ours as one line on stderr and leave with exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: Any, **rest: Any) -> None:
        try:
            command(*args, **rest)
        except EngineError as error:
            click.echo(f"error: {' '.join(str(error).split())}", err=True)
            sys.exit(2)

    return wrapped


def parse_arguments(text: str) -> dict[str, Any]:
    """A JSON object. Raises click.BadParameter."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is not JSON: {error}", param_hint="--arch-args"
        ) from error
    if not isinstance(values, dict):
        raise click.BadParameter(f"{text!r} is not a JSON object", param_hint="--arch-args")
    return values


def parse_shape(text: str) -> tuple[int, ...]:
    """Positive integers with commas. Raises click.BadParameter."""
    try:
        shape = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no shape; write 100 or 80,20", param_hint="--input-shape"
        ) from error
    if min(shape) < 1:
        raise click.BadParameter(f"{text!r} has a size below 1", param_hint="--input-shape")
    return shape


def parse_range(text: str) -> tuple[float, float]:
    """LO:HI with LO < HI. Raises click.BadParameter."""
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no range; write -1:1 or 0:255", param_hint="--output-range"
        ) from error
    if not low < high:
        raise click.BadParameter(f"{text!r} does not rise", param_hint="--output-range")
    return low, high
