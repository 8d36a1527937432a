"""`python -m benchmarks.report RESULTS.json [...] -o FOLDER` makes a page with plots.

With `--readme` it writes the README's section instead, with `--check` it leaves with 2 where README
and results disagree.
"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.reporting.bundle import bundles
from benchmarks.reporting.page import page
from benchmarks.reporting.readme import difference, section, spliced
from benchmarks.result_files import read
from engine.core.errors import ArtifactError, OptionError
from engine.core.files import write_text
from training.commands import run_command

PAGE = "benchmarks.html"
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder of the page."
)
@click.option("--readme", type=_FILE, help="README whose section is written.")
@click.option("--check", type=_FILE, help="README whose section is compared.")
def command(
    files: tuple[Path, ...], output: Path | None, readme: Path | None, check: Path | None
) -> None:
    """Show what FILES hold."""
    if output is None and readme is None and check is None:
        raise OptionError("nothing to do; give -o FOLDER, --readme README.md or --check README.md")
    found = bundles([read(path) for path in files])
    if output is not None:
        write_text(output / PAGE, page(found))
        click.echo(output / PAGE)
    if readme is not None:
        write_text(readme, spliced(_text(readme), section(found)))
    if check is not None:
        lines = difference(_text(check), section(found))
        if lines:
            click.echo("\n".join(lines), err=True)
            raise OptionError(
                f"{check} does not say what {', '.join(map(str, files))} says; "
                f"run python -m benchmarks.report {' '.join(map(str, files))} --readme {check}"
            )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error


def main() -> None:
    """Report from the command line."""
    run_command(command)


if __name__ == "__main__":
    main()
