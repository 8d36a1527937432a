"""Compiled kernels in the PTX simulator; cases run in a few processes while tests wait for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REASON = "there is no compiler under TRITON_INTERPRET=1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("TRITON_INTERPRET") != "1":
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(scope="session")
def outcome_of(request: pytest.FixtureRequest) -> Iterator[Callable]:
    """Wait for the outcome of a key; all keys that the selected tests name are under way."""
    from kernels.inspect.survey import workers
    from tests.ptx.suites import Key, run

    keys = dict.fromkeys(
        value
        for item in request.session.items
        if hasattr(item, "callspec")
        for value in item.callspec.params.values()
        if isinstance(value, Key)
    )
    with workers() as pool:
        running = {key: pool.submit(run, key) for key in keys}
        yield lambda key: running[key].result()
