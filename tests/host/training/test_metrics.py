from __future__ import annotations

import json

import pytest

from engine.core.errors import OutputError
from training.metrics import MetricsFile


def steps(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def write(path, first, last):
    with MetricsFile(path, first) as file:
        for step in range(first, last):
            file.write({"step": step, "loss": 1.0})


def test_a_new_run_starts_an_empty_file(tmp_path):
    path = tmp_path / "deep" / "m.jsonl"
    write(path, 0, 3)
    write(path, 0, 2)
    assert steps(path) == [0, 1]


def test_a_resumed_run_drops_later_and_torn_lines(tmp_path):
    path = tmp_path / "m.jsonl"
    write(path, 0, 5)
    with path.open("a") as file:
        file.write('{"step": 5, "lo')
    write(path, 3, 6)
    assert steps(path) == [0, 1, 2, 3, 4, 5]


def test_a_missing_file_is_no_reason_not_to_resume(tmp_path):
    path = tmp_path / "m.jsonl"
    write(path, 4, 6)
    assert steps(path) == [4, 5]


def test_lines_are_on_disk_at_once(tmp_path):
    path = tmp_path / "m.jsonl"
    with MetricsFile(path, 0) as file:
        file.write({"step": 0})
        assert steps(path) == [0]


def test_a_folder_in_the_way_is_an_output_error(tmp_path):
    (tmp_path / "m.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"m\.jsonl"):
        MetricsFile(tmp_path / "m.jsonl", 0)
