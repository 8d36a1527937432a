"""The batch grid: every wanted sample once, in its own row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.grid import batches


@given(start=st.integers(0, 500), n=st.integers(0, 300), batch_size=st.integers(1, 70))
def test_each_sample_once_in_its_row(start: int, n: int, batch_size: int) -> None:
    samples = []
    for batch in batches(start, n, batch_size):
        assert batch.first % batch_size == 0
        assert 0 <= batch.rows.start < batch.rows.stop <= batch_size
        assert batch.wanted == batch.rows.stop - batch.rows.start
        samples += [batch.first + row for row in range(batch.rows.start, batch.rows.stop)]
    assert samples == list(range(start, start + n))
