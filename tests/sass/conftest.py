"""Binaries of all named configurations, compiled in a few processes while the tests wait for them.

Only what the selected tests ask for is compiled: a test names it as its parameter `key`, so that
all are under way before the first is waited for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernels.inspect.survey import Key, Outcome, survey_one, workers

HERE = Path(__file__).parent
REASON = "there is no compiler under TRITON_INTERPRET=1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("TRITON_INTERPRET") != "1":
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(scope="session")
def outcome_of(request: pytest.FixtureRequest) -> Iterator[Callable[[Key], Outcome]]:
    """Wait for the outcome of a key."""
    keys = dict.fromkeys(
        value
        for item in request.session.items
        if hasattr(item, "callspec")
        for value in item.callspec.params.values()
        if isinstance(value, Key)
    )
    with workers() as pool:
        running = {key: pool.submit(survey_one, key) for key in keys}

        def wait(key: Key) -> Outcome:
            if key not in running:
                running[key] = pool.submit(survey_one, key)
            return running[key].result()

        yield wait
