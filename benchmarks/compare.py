"""`python -m benchmarks.compare A.json B.json` tells what got slower from A to B, and what not.

Leaves with 1 when something did, or no longer runs, with 2 when the files cannot be used. What is
compared, and how: `benchmarks.verdicts`.
"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.comparability import changed_versions
from benchmarks.result_files import read
from benchmarks.verdicts import Method, Verdict, compare
from engine.cli.table import print_table
from training.commands import run_command

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1.0, min_open=True, max_open=True),
    default=Method.confidence,
    show_default=True,
    help="That none of the cases is called faster or slower by chance.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    default=Method.threshold,
    show_default=True,
    help="The smallest change that counts, as a share of the speed.",
)
@click.option("--all", "everything", is_flag=True, help="Also what is the same.")
def command(a: Path, b: Path, confidence: float, threshold: float, everything: bool) -> None:
    """Compare the run in file A with a later one in file B."""
    before, after = read(a), read(b)
    method = Method(confidence, threshold)
    verdicts = compare(before, after, method)
    for name, results in (("A", before), ("B", after)):
        run = results.run
        load = "" if run.load is None else f", load average {run.load:.1f}"
        click.echo(f"{name}: {run.commit} of {run.date}, {run.rounds} rounds{load}")
    click.echo(
        "Method: in each round, ours over the geometric mean of what ran beside it in both runs; "
        f"exact Mann-Whitney test, Holm's correction over the cases, confidence {confidence:.0%}; "
        f"changes below {threshold:.0%}, or not seen beside each of them alone, do not count. "
        "Speed: B's over A's, with its interval."
    )
    versions = changed_versions(before, after)
    if versions:
        click.echo(f"Versions differ, so peers are left out: {', '.join(versions)}")
    shown = [one for one in verdicts if everything or one.outcome != "same within noise"]
    if shown:
        click.echo()
        print_table(rows(shown))
    click.echo("\n" + summary(verdicts))
    if any(one.outcome in ("slower", "broken") for one in verdicts):
        raise click.exceptions.Exit(1)


def rows(verdicts: list[Verdict]) -> list[tuple[str, ...]]:
    """Verdicts as the rows of a table, its head first."""
    head = ("case", "", "verdict", "speed", "p", "why")
    body = [
        (
            one.case,
            one.contestant,
            one.outcome,
            _speed(one),
            "" if one.p is None else f"{one.p:.2g}",
            one.reason or f"beside {', '.join(one.references)}",
        )
        for one in verdicts
    ]
    return [head, *body]


def summary(verdicts: list[Verdict]) -> str:
    """How many of each verdict, in one line."""
    counts: dict[str, int] = {}
    for one in verdicts:
        counts[one.outcome] = counts.get(one.outcome, 0) + 1
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "nothing"


def _speed(verdict: Verdict) -> str:
    if verdict.speed is None:
        return ""
    estimate, low, high = verdict.speed
    return f"{estimate:.2f} ({low:.2f}-{high:.2f})"


def main() -> None:
    """Compare from the command line."""
    run_command(command)


if __name__ == "__main__":
    main()
