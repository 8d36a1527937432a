"""Whatever a description says: an error with a reason or an operation that runs, and soon."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import pytest

from kernels.native.network import Form, Network, Space
from tests.cases.native_descriptions import CAPACITY, DESCRIPTIONS, Described, mistaken

if not hasattr(os, "fork"):
    pytest.skip("this system has no fork", allow_module_level=True)

_SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
_SECONDS = 100 if _SANITIZED else 30
_SECONDS_EACH = 20 if _SANITIZED else 6
_BYTES = 3 << 30  # beyond what the process has
_HUGE_ARENA = 1 << 48
_ARENA = 1 << 20
_BAD = (ValueError, OverflowError)


def try_all(name: str, instruction_set: str, note: Path) -> int:
    """Add every mistaken form; run those that are accepted in a small arena. Gives their number."""
    accepted = 0
    for number, description in enumerate(mistaken(DESCRIPTIONS[name], Random(name), pairs=12)):
        note.write_text(f"{number}: {description}")
        for arena in (_HUGE_ARENA, _ARENA):
            begin = time.monotonic()
            with Network(CAPACITY, arena, threads=1, instruction_set=instruction_set) as network:
                try:
                    description.add(network)
                    if arena == _ARENA and run(network, description):
                        accepted += 1
                except _BAD:
                    continue
                else:
                    assert network.weight_bytes >= 0
                    assert network.workspace_bytes >= 0
                finally:
                    assert time.monotonic() - begin < _SECONDS_EACH, "takes too long"
    return accepted


def run(network: Network, description: Described) -> bool:
    """Run on 3 images of zeros, where they are small enough."""
    types = {Form.INDEX: np.int64, Form.IMAGES: np.uint8}
    arrays: list[list[np.ndarray]] = []
    for places, space in ((description.inputs, Space.INPUT), (description.outputs, Space.OUTPUT)):
        arrays.append([])
        for place in places:
            size = place.positions * place.channels if place.space == space else 0
            if size > _ARENA:
                return False
            arrays[-1].append(np.zeros((3, size), types.get(place.form, np.float32)))
    network.run(3, *arrays)
    return True


def in_child(name: str, instruction_set: str, note: Path) -> str:
    """What became of a forked child that tries all: "" is good."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_SECONDS)
            if not _SANITIZED:  # whose shadow memory is larger than any limit
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                limit = pages * os.sysconf("SC_PAGE_SIZE") + _BYTES
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            code = 0 if try_all(name, instruction_set, note) > 0 else 2
        except BaseException as error:
            note.write_text(f"{error!r} at {note.read_text()}")
        finally:
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return "" if code == 0 else f"exit code {code}: {note.read_text()}"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_mistaken_descriptions(name: str, best_set: str, tmp_path: Path) -> None:
    bfloat16 = name in ("rows", "rows-images", "positions-bf16")
    if bfloat16 and best_set not in ("avx512_bf16", "amx"):
        pytest.skip(f"{best_set} does not multiply bfloat16")
    assert in_child(name, best_set, tmp_path / "case") == ""


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_the_descriptions_are_valid(name: str, best_set: str) -> None:
    try:
        with Network(CAPACITY, _ARENA, threads=1, instruction_set=best_set) as network:
            assert DESCRIPTIONS[name].add(network) == 0
            assert run(network, DESCRIPTIONS[name])
    except ValueError as error:
        if "does not multiply bfloat16" not in str(error):
            raise
        pytest.skip(str(error))
