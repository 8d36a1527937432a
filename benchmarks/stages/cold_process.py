"""Cold process: from the start of a process to 32 images, beside one that imports numpy.

The peers get the latents of the first samples from a file, so that none has to import more than it
needs; the engine draws them. All make the same images in fp32: that is checked once, before time is
taken, by a run of the same program that keeps them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import described
from benchmarks.model_networks import model_inputs
from benchmarks.network import Work, image_scale
from benchmarks.parity import Reference, WrongResultError, check, make_reference
from benchmarks.results import Case, Contestant, Role
from benchmarks.rounds import rotated, seconds_of
from benchmarks.stages.engines import artifact
from benchmarks.stages.records import SHEET, stage_record
from engine.backends.base import not_installed

if TYPE_CHECKING:
    from benchmarks.bench import Bench

_ROOT = Path(__file__).parents[2]
_SECONDS = 300

_ENGINE = (
    "from engine import Engine; "
    "y = Engine({model!r}, precision='fp32', batch_size={n}, threads={threads}).generate({n})"
)
_FEED = "import numpy as np; f = np.load({inputs!r}); x = [f[k] for k in f.files]; "
_ONNXRUNTIME = _FEED + (
    "import onnxruntime as o; q = o.SessionOptions(); q.intra_op_num_threads = {threads}; "
    "s = o.InferenceSession({images!r}, q); "
    "y = s.run(None, dict(zip([i.name for i in s.get_inputs()], x)))[0]"
)
_OPENVINO = _FEED + (
    "import openvino as v; c = v.compile_model({images!r}, 'CPU', {{'PERFORMANCE_HINT': 'LATENCY', "
    "'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': {threads}}}); y = c(x)[0]"
)
_TORCH = _FEED + (
    "import torch; torch.set_num_threads({threads}); "
    "m = torch.load({module!r}, weights_only=False)\n"
    "with torch.inference_mode():\n"
    " y = m(*[torch.from_numpy(a) for a in x])\n"
    " y = y.mul_({scale}).add_({shift}){clamp}.permute(0, 2, 3, 1).to(torch.uint8)"
    ".contiguous().numpy()"
)
_KEEP = "\nimport sys, numpy; numpy.save(sys.argv[1], y)"
_YARDSTICK = "import numpy"

# Name, role, package, settings, program.
_WAYS: tuple[tuple[str, Role, str, str, str], ...] = (
    ("Engine", "ours", "numpy", "Engine(MODEL, 'fp32', batch_size=32).generate(32)", _ENGINE),
    ("onnxruntime", "peer", "onnxruntime", "session and one run", _ONNXRUNTIME),
    ("OpenVINO", "peer", "openvino", "compile_model and one run", _OPENVINO),
    ("torch eager", "peer", "torch", "module read from a file, one run", _TORCH),
    (_YARDSTICK, "yardstick", "numpy", "python -c 'import numpy'", "import numpy"),
)


def measure(bench: Bench, model: str) -> tuple[Case, ...]:
    """One record. Raises ArtifactError where the model is not at hand."""
    network = bench.network(model)
    work = Work(network, model_inputs(network, SHEET), "fp32", "uint8", bench.threads, bench.folder)
    fields, reference = _files(work, artifact(bench, model)), make_reference(work)
    programs = {name: program.format(**fields) for name, _, _, _, program in _WAYS}
    reasons = {name: not_installed(package, "bench") for name, _, package, _, _ in _WAYS}
    for name, program in programs.items():
        # Once before time is taken: files get into the cache, and failures are told.
        if reasons[name] is None:
            reasons[name] = _failure(program, None if name == _YARDSTICK else reference, work)
    able = [name for name, reason in reasons.items() if reason is None]
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(bench.preset.rounds):
        for name in rotated(able, number):
            seconds[name].append(seconds_of(lambda name=name: start(programs[name])))
    contestants = tuple(
        Contestant(name, role, settings, tuple(seconds[name]), not_measured=reasons[name])
        for name, role, _, settings, _ in _WAYS
    )
    return (stage_record(model, "cold process", contestants=contestants),)


def _files(work: Work, model: str) -> dict[str, object]:
    """What the programs read, and the numbers in them."""
    import torch

    network = work.network
    feed, module = work.folder / f"{network.name}.npz", work.folder / f"{network.name}.module"
    np.savez(feed, *work.inputs)
    torch.save(network.module(), module)
    scale, shift = image_scale(network)
    return {
        "model": model,
        "n": SHEET,
        "threads": work.threads,
        "inputs": str(feed),
        "images": str(network.images),
        "module": str(module),
        "scale": scale,
        "shift": shift,
        "clamp": "" if network.bounded else ".clamp_(0.0, 255.0)",
    }


def start(
    program: str, *arguments: str, timeout_s: float = _SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def _failure(program: str, reference: Reference | None, work: Work) -> str | None:
    """The last line of what a program complains about, what is wrong with its images, or None."""
    kept = work.folder / "cold.npy"
    ended = start(program + (_KEEP if reference else ""), str(kept))
    if ended.returncode:
        lines = ended.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {ended.returncode}"
    if reference:
        try:
            check(np.load(kept), work, reference)
        except WrongResultError as error:
            return described(error)
    return None
