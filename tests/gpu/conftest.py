"""Every test here needs an NVIDIA GPU and says so when it is skipped."""

from __future__ import annotations

import pytest

from engine.backends._cuda import no_gpu_reason


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = no_gpu_reason()
    for item in items:
        if item.path.parent.name == "gpu":
            item.add_marker(pytest.mark.gpu)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))
