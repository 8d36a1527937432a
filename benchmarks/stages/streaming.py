"""Stream: memory that a long stream takes above the loaded model, in a process of its own."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from benchmarks.results import Case, Contestant
from benchmarks.stages.cold_process import start
from benchmarks.stages.engines import best_engine
from benchmarks.stages.records import stage_record
from engine.core.errors import OptionError

if TYPE_CHECKING:
    from benchmarks.bench import Bench

_SAMPLES = 1_000_000
# A slower machine streams fewer, in about this time.
_MOST_SECONDS = 600
_PROBED = 4096
_STEP = 10_000

# Peak memory since the engine was made, less what it took then. Linux counts the peak anew after
# a 5 is written to clear_refs (proc(5)).
_PROGRAM = """
import json, sys, time
from pathlib import Path
from engine import Engine

def field(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

artifact, backend, threads, n = json.loads(sys.argv[1])
with Engine(artifact, backend=backend, threads=threads) as engine:
    Path("/proc/self/clear_refs").write_text("5")
    before, begin = field("VmRSS:"), time.perf_counter()
    for batch in engine.stream(n):
        pass
    print(json.dumps([time.perf_counter() - begin, max(0, field("VmHWM:") - before)]))
"""


def measure(bench: Bench, model: str) -> tuple[Case, ...]:
    """One record, of one round. Raises OptionError where there is no /proc."""
    with best_engine(bench, model) as engine:
        engine.generate(engine.batch_size)
        begin = time.perf_counter()
        engine.generate(_PROBED)
        rate = _PROBED / (time.perf_counter() - begin)
        artifact, backend, precision = engine.artifact.path, engine.backend, engine.precision
        settings = f"{backend} {precision}, batches of {engine.batch_size}"
    n = max(_STEP, min(_SAMPLES, int(rate * _MOST_SECONDS) // _STEP * _STEP))
    bench.log(f"a stream of {n:,} images")
    given = json.dumps([str(artifact), backend, bench.threads, n])
    ended = start(_PROGRAM, given, timeout_s=4 * _MOST_SECONDS)
    if ended.returncode:
        raise OptionError(f"the stream failed: {ended.stderr.strip().splitlines()[-1]}")
    seconds, peak_bytes = json.loads(ended.stdout)
    contestant = Contestant(
        f"Engine {backend}", "ours", settings, (seconds,), peak_bytes=peak_bytes
    )
    return (stage_record(model, "stream", n, precision, contestants=(contestant,)),)
