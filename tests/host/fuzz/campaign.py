"""Damaged files given to a worker, and what it made of them."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.host.fuzz.damage import damaged
from tests.host.fuzz.formats import FORMATS

# A good file takes well under a second; the machine may be busy.
DEADLINE_S = 60.0
_START_S = 300.0
# Files here have up to 200 kB.
_MOST_GROWN_BYTES = 200 << 20

GOOD = ("refused", "same", "different")


@dataclass(frozen=True)
class Verdict:
    """A file, how it was opened, and the outcome: one of GOOD, or a finding."""

    format: str
    number: int
    opener: str
    outcome: str
    message: str

    @property
    def finding(self) -> bool:
        return self.outcome not in GOOD


class Worker:
    """The subprocess; started at first use, and again after it died."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def ask(self, deadline_s: float = DEADLINE_S, **question: Any) -> dict[str, Any]:
        """The answer; its outcome is "hang" or "crash" where there was none."""
        process = self._process or self._start()
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], deadline_s)[0]:
                self.close()
                return {"outcome": "hang", "message": f"no answer in {deadline_s:g} s"}
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            status = process.wait()
            self.close()
            return {"outcome": "crash", "message": f"exit status {status}\n{self._said()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def fresh(self) -> bool:
        return self._process is None

    def _start(self) -> subprocess.Popen[str]:
        with open(self._log, "w+") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.host.fuzz.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-1000:]


class Campaign:
    """Good files of some formats in a folder, and what they give."""

    def __init__(self, folder: Path, formats: tuple[str, ...], worker: Worker) -> None:
        self._worker = worker
        self._files: dict[str, Path] = {}
        self._digests: dict[tuple[str, str], str] = {}
        for name in formats:
            file = folder / name / f"good{FORMATS[name].suffix}"
            file.parent.mkdir()
            FORMATS[name].make(file)
            self._files[name] = file

    def run(self, name: str, numbers: range, seed: int) -> Iterator[Verdict]:
        """Verdicts of damaged files; the same numbers and seed give the same files."""
        file = self._files[name]
        good = file.read_bytes()
        for number in numbers:
            bad = damage(name, good, number, seed)
            for opener in FORMATS[name].openers:
                self._prepare()
                # A new file each time: the worker may have mapped the one before.
                file.unlink()
                file.write_bytes(bad)
                answer = self._worker.ask(path=str(file), opener=opener)
                file.unlink()
                file.write_bytes(good)
                outcome = self._outcome(name, opener, answer)
                # Only damage below the checksums may pass them.
                if outcome == "different" and FORMATS[name].hashed and not below(name, number):
                    outcome = "silent"
                # There, much memory may be what the file honestly asks for.
                if outcome == "memory" and below(name, number):
                    outcome = "refused"
                yield Verdict(name, number, opener, outcome, answer.get("message", ""))

    def good(self, name: str) -> bytes:
        """The undamaged file of a format."""
        return self._files[name].read_bytes()

    def _prepare(self) -> None:
        """A new worker opens the good files, and then has its limits."""
        if not self._worker.fresh:
            return
        for name, file in self._files.items():
            for opener in FORMATS[name].openers:
                answer = self._worker.ask(_START_S, path=str(file), opener=opener)
                assert answer["outcome"] == "opened", (name, opener, answer)
                self._digests[name, opener] = answer["digest"]
        self._worker.ask(limit=True)

    def _outcome(self, name: str, opener: str, answer: dict[str, Any]) -> str:
        outcome: str = answer["outcome"]
        if outcome == "opened":
            same = answer["digest"] == self._digests[name, opener]
            outcome = "same" if same else "different"
        if outcome in GOOD and answer["grown_bytes"] > _MOST_GROWN_BYTES:
            return "grown"
        return outcome


def damage(name: str, good: bytes, number: int, seed: int) -> bytes:
    """The damaged file of a number: every second one below its checksums, where it has them."""
    draw = random.Random(f"{name} {seed} {number}")
    inside = FORMATS[name].inside
    return inside(good, draw) if inside and below(name, number) else damaged(good, draw)


def below(name: str, number: int) -> bool:
    """Whether a file's checksums are made right after the damage."""
    return FORMATS[name].inside is not None and number % 2 == 1


def counts(verdicts: list[Verdict]) -> dict[tuple[str, str], Counter[str]]:
    """Outcomes by format and opener."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for verdict in verdicts:
        found.setdefault((verdict.format, verdict.opener), Counter())[verdict.outcome] += 1
    return found
