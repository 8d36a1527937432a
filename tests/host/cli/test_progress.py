"""Progress where stderr is no terminal: a line now and then, none in short runs."""

from __future__ import annotations

import pytest

from engine.cli import progress


def test_lines_come_twice_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.progress_bar(1000, "images") as bar:
        for second in range(61):
            now[0] = 100.0 + second
            bar.update(5)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["155 of 1000 images, 5/s", "305 of 1000 images, 5/s"]
