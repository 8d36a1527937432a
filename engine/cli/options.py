"""Options that several commands share, each written once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import click

from engine.cli import types
from engine.core.options import LoadOptions, Shapes, one_or_all
from engine.sinks.destination import FORMATS, MEMBERS, Destination, FileOptions, destination

if TYPE_CHECKING:
    from engine.api import Engine

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How to open an artifact, as asked for on the command line."""

    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    threads: int | None = None
    tune: bool | None = None
    arch: str | None = None
    arch_args: Mapping[str, Any] | None = None
    state_key: str | None = None
    classes: int | None = None
    input_shape: Shapes | None = None
    output_range: tuple[float, float] | None = None

    def without_model(self) -> EngineOptions:
        """The same, without what describes a model."""
        unsaid: dict[str, Any] = {item.name: None for item in fields(LoadOptions)}
        return replace(self, **unsaid)

    def of_model(self) -> LoadOptions:
        """What was said about the model itself."""
        given = {item.name: getattr(self, item.name) for item in fields(LoadOptions)}
        return LoadOptions(**given | {"arch_args": self.arch_args or {}})

    def open(self, artifact: str, to: Destination | None = None) -> Engine:
        """Open an artifact; what had to be assumed about the model is told on stderr.

        to: where the samples go; a run that is resumed there keeps its batch size.
        """
        from engine.api import Engine
        from engine.core.bundle import DAMAGED
        from engine.sinks.folder import begun_batch_size

        given = {item.name: getattr(self, item.name) for item in fields(self)}
        if to is not None and to.resume and self.batch_size is None:
            given["batch_size"] = begun_batch_size(to.path)
        engine = Engine(artifact, **given)
        # A packed file was made with the assumptions told.
        loose = engine.artifact.kind not in ("gen", "bundle") and engine.backend != "null"
        assumed = engine.spec.inferred and loose
        for note in engine.notes:
            if note.startswith(DAMAGED):
                click.echo(note, err=True)
            elif note.startswith("tuning: "):
                if self.tune:
                    click.echo(note, err=True)
            elif assumed:
                checked = note.startswith("checked: ")
                click.echo(note if checked else f"assumed: {note}", err=True)
        return engine


_RUN_OPTIONS = (
    click.option(
        "--backend", type=types.backend, metavar="NAME", default="auto", help="What runs the model."
    ),
    click.option("--device", default="auto", help="Where it runs: cpu, cuda, ..."),
    click.option("--precision", default="auto", help="fp32, fp16, ... as the backend offers."),
    click.option(
        "--batch-size", type=int, help="Samples at once; equal bits need an equal batch size."
    ),
    click.option("--threads", type=int, help="CPU threads of the backend."),
    click.option(
        "--tune",
        is_flag=True,
        default=None,
        help="Measure for some seconds what is fastest here; kept for the next time.",
    ),
)
_MODEL_OPTIONS = (
    click.option("--arch", metavar="MODULE:FACTORY", help="Network of a bare state dict."),
    click.option(
        "--arch-args", type=types.json_object, metavar="JSON", help="Arguments of the factory."
    ),
    click.option("--state-key", help="Key of the state dict in the checkpoint."),
    click.option(
        "--classes",
        type=int,
        help="How many; of a recognised network the last N input channels are a one-hot class.",
    ),
    click.option(
        "--input-shape",
        type=types.shape,
        metavar="SHAPE",
        multiple=True,
        callback=lambda context, option, shapes: one_or_all(shapes),
        help="Shape of one input, like 80,20; once for each float input.",
    ),
    click.option(
        "--output-range",
        type=types.value_range,
        metavar="LOW:HIGH",
        help="What the output spans, like -1:1.",
    ),
)


def engine_options(function: Function) -> Function:
    """Add all options of `EngineOptions`; the command gets them as `options`."""
    return _collected(function, (*_RUN_OPTIONS, *_MODEL_OPTIONS))


def model_options(function: Function) -> Function:
    """Add the options that describe a model; the command gets `options` with the rest on auto."""
    return _collected(function, _MODEL_OPTIONS)


_OUTPUT_OPTIONS = (
    click.option(
        "-o",
        "--out",
        required=True,
        help="x.png: one sheet. x.npy, x.npz: arrays. folder/: single PNGs, or as --format says.",
    ),
    click.option(
        "--format",
        type=click.Choice(FORMATS),
        help="What to write, where the name of the output does not say it.",
    ),
    click.option(
        "--grid", type=types.grid, metavar="COLSxROWS", help="Columns and rows of a sheet."
    ),
    click.option("--resume", is_flag=True, help="Continue a folder that was begun."),
    click.option(
        "--member",
        type=click.Choice(MEMBERS),
        help="What a WebDataset sample holds; jpg unless said.",
    ),
    click.option("--quality", type=int, help="Of JPEG and WebP, 1 to 100; 90 unless said."),
    click.option("--lossless", is_flag=True, help="WebP without loss."),
    click.option("--shard-size", type=int, help="Samples a shard; 10000 unless said or too large."),
    click.option(
        "--encoder", default="auto", metavar="NAME", help="What encodes: imagecodecs, pillow."
    ),
    click.option("--encode-threads", type=int, help="How many threads encode; one a processor."),
)


def output_options(function: Function) -> Function:
    """Add what says where and how files are written; the command gets a `Destination` as `to`."""

    @functools.wraps(function)
    def wrapper(
        out: str,
        format: str | None,
        grid: tuple[int, int] | None,
        resume: bool,
        member: str | None,
        quality: int | None,
        lossless: bool,
        shard_size: int | None,
        encoder: str,
        encode_threads: int | None,
        **arguments: Any,
    ) -> Any:
        files = FileOptions(member, quality, lossless, shard_size, encoder, encode_threads)
        return function(to=destination(out, format, grid, resume, files), **arguments)

    return _applied(wrapper, _OUTPUT_OPTIONS)


labels_option = click.option(
    "--labels",
    help="A class by name or index, one for each sample (3,1,4), 'random', or 'cycle': in turn.",
)
values_option = click.option(
    "--output",
    type=click.Choice(["uint8", "float32"]),
    help="Values in array files: pixels, or the model's own range.",
)
artifact_argument = click.argument("artifact")


def _collected(function: Function, options: tuple[Callable[[Function], Function], ...]) -> Function:
    @functools.wraps(function)
    def wrapper(**arguments: Any) -> Any:
        names = [item.name for item in fields(EngineOptions) if item.name in arguments]
        chosen = EngineOptions(**{name: arguments.pop(name) for name in names})
        return function(options=chosen, **arguments)

    return _applied(wrapper, options)


def _applied(function: Function, options: tuple[Callable[[Function], Function], ...]) -> Function:
    for option in reversed(options):
        function = option(function)
    return function
