"""A few damaged files of every format: an error of ours, or samples.

At length: `python -m tests.host.fuzz --help`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.fuzz.campaign import Campaign, Worker, counts
from tests.host.fuzz.formats import FORMATS

FILES = 24


def test_damaged_files(tmp_path: Path) -> None:
    """All formats in one test: they share a worker, whose start takes most of the time."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    with Worker(tmp_path / "worker.log") as worker:
        campaign = Campaign(tmp_path, tuple(FORMATS), worker)
        verdicts = [
            verdict for name in FORMATS for verdict in campaign.run(name, range(FILES), seed=0)
        ]
    assert [verdict for verdict in verdicts if verdict.finding] == []
    # Damage that nobody notices would test nothing.
    for reader, outcomes in counts(verdicts).items():
        assert outcomes["refused"] > FILES // 4, reader


def test_the_worker_tells_what_went_wrong(tmp_path: Path) -> None:
    with Worker(tmp_path / "log") as worker:

        def outcome(way: str, deadline_s: float = 60) -> str:
            answer = worker.ask(deadline_s, path=str(tmp_path), opener=f"broken {way}")
            return str(answer["outcome"])

        assert outcome("error") == "foreign"
        assert outcome("sleep", 0.5) == "hang"
        assert outcome("abort") == "crash"
        assert outcome("print") == "noise"
        worker.ask(limit=True)
        assert outcome("allocate") == "memory"
