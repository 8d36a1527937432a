"""The report on the command line: `python -m kernels.inspect -o report/`."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="folder")
@click.option("--kernels", multiple=True, metavar="PART", help="only names that contain it")
@click.option("--architectures", metavar="A,B", default="80,86,89,90,100,120", show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="write figures here too")
@click.option("--compare", type=click.Path(path_type=Path), help="figures of another Triton")
@click.option("--workers", "processes", type=click.IntRange(1), help="default: all cores")
@click.option("--traces/--no-traces", default=True, help="count accesses in the PTX simulator")
def main(
    out: Path,
    kernels: tuple[str, ...],
    architectures: str,
    json_file: Path | None,
    compare: Path | None,
    processes: int | None,
    traces: bool,
) -> None:
    """Compile every kernel afresh, read the binaries, and write a page and a Markdown table."""
    try:
        _run(out, kernels, architectures, json_file, compare, processes, traces)
    except (ValueError, OSError, RuntimeError) as error:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)


def _run(
    out: Path,
    parts: tuple[str, ...],
    architectures: str,
    json_file: Path | None,
    compare: Path | None,
    processes: int | None,
    traces: bool,
) -> None:
    # Before Triton is imported, so that a wrong option is said at once.
    wanted = _architectures(architectures)
    from kernels.inspect.rows import Survey

    other = Survey.from_json(compare.read_text(encoding="utf-8")) if compare else None
    from triton import __version__

    from kernels.inspect.files import write_text
    from kernels.inspect.report import keys_of, make_survey, write
    from kernels.inspect.survey import survey, workers
    from kernels.inspect.traces import TRACED_ARCHITECTURE, count, reduced
    from kernels.launch import interpreting

    if interpreting():
        raise RuntimeError("there is no compiler under TRITON_INTERPRET=1; unset it")
    keys = keys_of(wanted, parts)
    outcomes = []
    with workers(processes) as pool:
        for outcome in survey(keys, pool):
            outcomes.append(outcome)
            said = outcome.error or f"{outcome.compile_s:.1f} s"
            click.echo(
                f"[{len(outcomes)}/{len(keys)}] {outcome.key.architecture} {outcome.key.name}: "
                f"{said.splitlines()[0]}",
                err=True,
            )
    counts = {}
    for name, layer in reduced().items() if traces else ():
        click.echo(f"tracing {name}", err=True)
        counts[name] = count(layer, TRACED_ARCHITECTURE)
    found = make_survey(__version__, keys, outcomes)
    if json_file:
        write_text(json_file, found.to_json())
    for path in write(out, found, other, counts, TRACED_ARCHITECTURE):
        click.echo(str(path))


def _architectures(text: str) -> list[int]:
    try:
        return [int(part.removeprefix("sm_").removeprefix("sm")) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(f"--architectures {text!r}: write numbers with commas, 80,90") from error


if __name__ == "__main__":
    main()
