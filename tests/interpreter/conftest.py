"""Kernels run in Triton's interpreter: the same launchers, on tensors of the CPU.

The interpreter is chosen when Triton is imported, for the whole process, so these tests have a
process of their own: TRITON_INTERPRET=1 pytest tests/interpreter
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REASON = "needs TRITON_INTERPRET=1 in the environment, in a process of its own"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("TRITON_INTERPRET") == "1":
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=REASON))
