from __future__ import annotations

import pytest

from engine.cli.table import print_table


def test_columns_are_aligned_and_the_last_is_free(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("a", "bb", "long last cell"), ("ccc", "d", ""), ("e", "only two")])
    assert capsys.readouterr().out.splitlines() == [
        "a    bb  long last cell",
        "ccc  d",
        "e    only two",
    ]


def test_no_rows_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([])
    assert capsys.readouterr().out == ""
