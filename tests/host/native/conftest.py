"""Fixtures of the tests of native kernels: every instruction set, or why it is not tested."""

from __future__ import annotations

import pytest

from kernels.native import library

_ALL = ("portable", "avx2", "avx512", "avx512_bf16", "amx")


@pytest.fixture(autouse=True)
def _built():
    why = library.unavailable()
    if why is not None:
        pytest.skip(why)


@pytest.fixture(params=_ALL)
def instruction_set(request, _built):
    """Each instruction set that the library knows; those this processor lacks are skipped."""
    if request.param not in library.instruction_sets():
        pytest.skip(f"this processor, or this build, has no {request.param}")
    return request.param


@pytest.fixture
def best_set(_built):
    """The best instruction set of this processor."""
    return library.instruction_sets()[-1]
