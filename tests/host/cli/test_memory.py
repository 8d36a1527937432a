"""A long run needs no more memory than a short one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.spec import GeneratorSpec, Noise, Output

REPOSITORY = Path(__file__).parents[3]
SPEC = GeneratorSpec(name="dot", family="dcgan", latent=Noise((1,)), output=Output.image((1, 2, 2)))
CODE = """
import resource, sys
from engine import Engine
from engine.saving import save

def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

model, out, format, n = sys.argv[1:]
with Engine(model, backend="null", batch_size=2048) as engine:
    save(engine, out + "-warm", 8192, format=format, shard_size=2000, member="npy")
    before = peak_bytes()
    save(engine, out, int(n), format=format, shard_size=20_000, member="npy")
    print(peak_bytes() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("format", "n"), [("npy-shards", 400_000), ("webdataset", 120_000)])
def test_memory_does_not_grow_with_the_number_of_samples(
    tmp_path: Path, format: str, n: int
) -> None:
    pytest.importorskip("resource")
    model = tmp_path / "dot.json"
    model.write_text(SPEC.to_json())
    code = CODE if format == "webdataset" else CODE.replace(', member="npy"', "")
    process = subprocess.run(
        [sys.executable, "-c", code, str(model), str(tmp_path / "out"), format, str(n)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    # The samples alone are 1.6 MB and 186 MB; the index lines of one shard are what may grow.
    assert int(process.stdout) < 24e6
