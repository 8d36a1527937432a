"""Damaged files of every format, opened under limits: `python -m tests.host.fuzz --files 2000`."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from tests.host.fuzz.campaign import Campaign, Verdict, Worker, counts, damage
from tests.host.fuzz.formats import FORMATS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.host.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=200, help="of each format")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--keep", type=Path, help="a folder for the files that found something")
    asked = parser.parse_args()
    formats = tuple(asked.formats.split(","))
    numbers = range(asked.first, asked.first + asked.files)
    verdicts: list[Verdict] = []
    known: set[str] = set()
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as folder,
        Worker(Path(folder) / "worker.log") as worker,
    ):
        campaign = Campaign(Path(folder), formats, worker)
        for name in formats:
            mine = []
            for verdict in campaign.run(name, numbers, asked.seed):
                mine.append(verdict)
                # The same failure is shown once.
                kind = f"{name} {verdict.opener} {_kind(verdict)}"
                if verdict.finding and kind not in known:
                    known.add(kind)
                    _report(verdict, campaign, asked.seed, asked.keep)
            for (_, opener), outcomes in counts(mine).items():
                _say(f"{name:14} {opener:12} {dict(outcomes.most_common())}\n")
            verdicts += mine
    return 1 if any(verdict.finding for verdict in verdicts) else 0


def _kind(verdict: Verdict) -> str:
    lines = verdict.message.strip().splitlines()
    return verdict.outcome + re.sub(r"\W|\d", "", lines[-1] if lines else "")[:30]


def _report(verdict: Verdict, campaign: Campaign, seed: int, keep: Path | None) -> None:
    _say(
        f"{verdict.format} {verdict.number} of seed {seed}, {verdict.opener}: {verdict.outcome}\n"
        + "".join(f"    {line}\n" for line in verdict.message.splitlines()[-8:])
    )
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        bad = damage(verdict.format, campaign.good(verdict.format), verdict.number, seed)
        suffix = FORMATS[verdict.format].suffix
        (keep / f"{verdict.format}-{seed}-{verdict.number}{suffix}").write_bytes(bad)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
