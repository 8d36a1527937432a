"""`python -m benchmarks.targets RESULTS.json [...]` holds results against what was promised.

Leaves with 1 when a target is missed, with 2 when a file cannot be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.goal_parts import FEWEST_ROUNDS, Part
from benchmarks.goals import Goal, goals
from benchmarks.reporting.words import NOTHING, psnr
from benchmarks.result_files import read
from benchmarks.results import Results
from engine.cli.table import print_table
from training.commands import run_command


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Every part of every target.")
def command(files: tuple[Path, ...], everything: bool) -> None:
    """Show each target with what FILES say about it."""
    runs = [read(path) for path in files]
    click.echo(
        f"Medians of paired ratios (quartiles), at least {FEWEST_ROUNDS} interleaved rounds, on a "
        "CPU with AMX; the worst part of each target.\n"
    )
    print_table(rows(runs))
    if everything:
        for goal in goals():
            click.echo(f"\n{goal.name}, {_bound(goal)}")
            print_table([(f"  {part.label}", _figure(part, goal)) for part in goal.parts(runs)])
    if any(goal.outcome(list(goal.parts(runs))) == "missed" for goal in goals()):
        raise click.exceptions.Exit(1)


def rows(runs: Sequence[Results]) -> list[tuple[str, ...]]:
    """The table of targets: what, bound, measured, image cost, outcome; its head first."""
    found: list[tuple[str, ...]] = [
        ("target", "bound", "measured", "PSNR dB, mean / worst", "", "")
    ]
    for goal in goals():
        parts = list(goal.parts(runs))
        outcome: str = goal.outcome(parts)
        if goal.stretch is not None and goal.outcome(parts, goal.stretch) == "met":
            outcome += ", stretch too"
        worst = goal.worst(parts)
        measured = _figure(worst, goal) if worst else "not measured"
        cost = psnr(worst.cost) if worst else NOTHING
        found.append((goal.name, _bound(goal), measured, cost, outcome, _remark(goal, parts)))
    return found


def _bound(goal: Goal) -> str:
    stretch = f" (stretch {goal.stretch:g})" if goal.stretch is not None else ""
    return f"{'at most' if goal.at_most else 'at least'} {goal.bound:g}{stretch} {goal.unit}"


def _figure(part: Part, goal: Goal) -> str:
    if part.figure is None:
        return f"not measured: {part.reason}"
    figure = part.figure
    digits = 0 if goal.unit.startswith("MB") else 2
    numbers = [f"{value:.{digits}f}" for value in (figure.median, figure.low, figure.high)]
    return f"{numbers[0]} ({numbers[1]}-{numbers[2]})"


def _remark(goal: Goal, parts: Sequence[Part]) -> str:
    """Which part was the worst and how many fell short or were not measured."""
    worst = goal.worst(parts)
    short = sum(goal.holds(part, goal.bound) is False for part in parts)
    absent = [part for part in parts if part.figure is None]
    remarks = []
    if len(parts) > 1 and worst:
        remarks.append(worst.label)
    if len(parts) > 1 and short:
        remarks.append(f"{short} of {len(parts)} short")
    if absent:
        count = f"{len(absent)} of {len(parts)} not measured: " if len(parts) > 1 else ""
        remarks.append(f"{count}{absent[0].reason}")
    return "; ".join(remarks)


def main() -> None:
    """Show the targets from the command line."""
    run_command(command)


if __name__ == "__main__":
    main()
