"""Programs held against the ONNX graphs that they were lowered from.

The Programs run in float64, so that what differs is what the lowering did wrong, and the float32
sums of onnxruntime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backends._onnx_session import DTYPES, as_taken, open_session
from engine.core.errors import ExportError
from engine.core.spec import GeneratorSpec
from engine.latents import draw, random_labels
from engine.program.entry_points import from_program, tensors, to_program
from engine.program.execute import execute
from engine.program.graph import Program
from export.source import Source

# onnxruntime computes in float32: sums of a few thousand products stay an order below this.
TOLERANCE = 1e-4
BATCHES = (1, 5)

Feed = Mapping[str, NDArray[Any]]


def graph_error(source: Source, entry_point: str, program: Program) -> float:
    """Largest error of a Program against onnxruntime on its graph, over batches of 1 and 5.

    Raises ExportError beyond `TOLERANCE`, or if the graph does not run.
    """
    path = source.graphs[entry_point]
    session = open_session(path)
    fixed = session.get_inputs()[0].shape[0]
    worst = 0.0
    for batch in (fixed,) if isinstance(fixed, int) else BATCHES:
        feed = probe(source.spec, entry_point, batch)
        ours = run(source.spec, entry_point, program, feed)
        typed = {
            node.name: as_taken(feed[node.name].astype(DTYPES[node.type]), node)
            for node in session.get_inputs()
        }
        try:
            theirs = session.run(list(ours), typed)
        # onnxruntime's errors have no base class of their own.
        except Exception as failure:
            reason = str(failure).strip().splitlines()[0]
            raise ExportError(f"{path}: onnxruntime cannot run it: {reason}") from failure
        worst = max(worst, *(_error(a, b) for a, b in zip(ours.values(), theirs, strict=True)))
    # NaN fails every comparison, so ask for what is right.
    if not worst <= TOLERANCE:
        raise ExportError(
            f"{path}: the lowered {entry_point} differs from onnxruntime by {worst:.1e}, more than "
            f"{TOLERANCE:.0e}; nothing was written"
        )
    return worst


def moved(spec: GeneratorSpec, entry_point: str, before: Program, after: Program) -> float:
    """Largest difference between two Programs of one entry point."""
    feed = probe(spec, entry_point, BATCHES[-1])
    one, other = (run(spec, entry_point, program, feed) for program in (before, after))
    return max(_error(other[name], one[name]) for name in one)


def probe(spec: GeneratorSpec, entry_point: str, batch: int) -> Feed:
    """Inputs of an entry point, the same in every process: channels first, as the spec has them."""
    feed: dict[str, NDArray[Any]] = {}
    for index, noise in enumerate((spec.latent, *spec.noise)):
        feed[noise.name] = draw(noise, 0, batch, batch, index=index)
    if spec.condition is not None:
        feed[spec.condition.name] = random_labels(max(1, len(spec.classes)), 0, batch, batch)
        if spec.classes:
            # Few samples need not meet the last class, where a table that is too small would show.
            feed[spec.condition.name][-1] = len(spec.classes) - 1
    if entry_point == "encoder":
        low, high = spec.output.range
        images = np.random.default_rng(batch).uniform(low, high, (batch, *spec.output.shape))
        feed["images"] = images.astype(np.float32)
    names, _ = tensors(spec, entry_point)
    return {name: feed[name] for name in names}


def run(spec: GeneratorSpec, entry_point: str, program: Program, feed: Feed) -> Feed:
    """Outputs of a Program in float64, channels first."""
    inputs = {value.name: to_program(feed[value.name], value) for value in program.inputs}
    made = execute(program, inputs)
    values = {value.name: value for value in program.outputs}
    _, wanted = tensors(spec, entry_point)
    return {name: from_program(made[name], values[name], shape) for name, shape in wanted.items()}


def _error(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    if ours.shape != theirs.shape:
        return float("inf")
    difference = np.abs(ours.astype(np.float64) - theirs)
    return float((difference / np.maximum(1.0, np.abs(theirs))).max(initial=0.0))
