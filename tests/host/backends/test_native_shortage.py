"""A process that may take little memory: engines work or say what to set, whatever is short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kernels.native import library

REPOSITORY = Path(__file__).parents[3]
CODE = """
import resource, sys
from pathlib import Path
from engine import Engine
from engine.core.errors import EngineError

pages = int(Path("/proc/self/statm").read_text().split()[0])
for more_mb in (4, 12, 20, 28, 40, 60, 100, 200, 400, 800):
    limit = pages * resource.getpagesize() + (more_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        with Engine(
            "dcgan-emoji", backend="native", precision="fp32", threads=2, batch_size=64,
            tune="tune" in sys.argv,
        ) as engine:
            told = f"made {len(engine.generate(200))}"
    except EngineError as error:
        told = f"told {error}"
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    print(told)
    if told == "made 200":
        break
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("how", ["plain", "tune"])
def test_every_shortage_is_told(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    why = library.unavailable()
    if why is not None:
        pytest.skip(why)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    process = subprocess.run(
        [sys.executable, "-c", CODE, how],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    *told, last = process.stdout.splitlines()
    assert last == "made 200"
    assert told
    assert any("set threads=" in line or "set batch_size=" in line for line in told)
