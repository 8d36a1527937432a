"""`python -m benchmarks.formats` takes models through every format and holds each against PyTorch.

    python -m benchmarks.formats -o benchmarks/formats/results.json      three to six minutes
    python -m benchmarks.formats --read benchmarks/formats/results.json --check README.md

Samples come from the same inputs everywhere; a VAE's encoder is held against PyTorch as well.
TensorRT plans are built for every GPU that the builder knows, and cannot be run without one.
"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.formats.measure import measure
from benchmarks.formats.results import SECTION, read, section, write
from benchmarks.formats.subjects import names
from benchmarks.reporting.readme import difference, spliced
from engine.core.errors import OptionError
from training.commands import run_command

_SAMPLES = 64
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-o", "--out", type=_FILE, help="JSON file.")
@click.option("--model", "models", multiple=True, help="By default the shipped and public ones.")
@click.option("-n", "samples", type=click.IntRange(1), default=_SAMPLES, show_default=True)
@click.option("--read", "known", type=_FILE, help="Results of an earlier run; measures nothing.")
@click.option("--readme", type=_FILE, help="Write its table.")
@click.option("--check", type=_FILE, help="Compare its table.")
def command(
    out: Path | None,
    models: tuple[str, ...],
    samples: int,
    known: Path | None,
    readme: Path | None,
    check: Path | None,
) -> None:
    """Take models through every format."""
    if known is not None:
        found = read(known)
    else:
        found = measure(models or names(), samples, lambda line: click.echo(line, err=True))
    if out is not None:
        write(out, found)
    text = section(found)
    if readme is not None:
        click.echo(f"{readme}: its table is written")
        readme.write_text(spliced(readme.read_text(), text, SECTION))
    if check is not None and difference(check.read_text(), text, SECTION):
        raise OptionError(
            f"{check} says another table; python -m benchmarks.formats --readme {check}"
        )
    if readme is None and check is None:
        click.echo(text)
    if known is None:
        for row in found.rows:
            if row.failed:
                click.echo(f"{row.model}, {row.form}: {row.failed}", err=True)


def main() -> None:
    """From the command line."""
    run_command(command)


if __name__ == "__main__":
    main()
