"""Whether an exported graph gives what PyTorch gives, whatever else is in a sample's batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.backends._onnx_session import open_session
from engine.core.errors import ExportError, NumericalError
from engine.core.spec import GeneratorSpec
from engine.models.infer import first_line
from export.graph import example_inputs, input_names, output_names

# float32 sums of a few thousand products in two different orders stay an order below this.
TOLERANCE = 1e-4
# Two runs on the same input may sum in two orders, as the threads and the memory fall; noise that
# is drawn in forward is far above.
_REPEATED = 1e-5
BATCHES = (1, 5)

Arrays = list[NDArray[np.float32]]


def check_module(module: nn.Module, spec: GeneratorSpec, entry_point: str) -> None:
    """Raise ExportError unless a sample depends on its own inputs alone.

    A network whose samples depend on each other (batch norm in training mode, statistics of the
    batch) or on a noise source of its own cannot be sampled reproducibly. Raises NumericalError
    for outputs that are not finite.
    """
    inputs = example_inputs(spec, entry_point, BATCHES[-1])
    together = run_module(module, inputs)
    if spec.classes:
        # Few samples need not meet the last class, where a table that is too small would show.
        labels = torch.full_like(inputs[1], len(spec.classes) - 1)
        run_module(module, (inputs[0], labels, *inputs[2:]))
    if any(not np.isfinite(array).all() for array in together):
        raise NumericalError(
            f"{spec.name}: the {entry_point} gives NaN or infinity for standard inputs; "
            "the weights are unusable, or the arguments of the network are wrong"
        )
    if error(run_module(module, inputs), together) > _REPEATED:
        raise ExportError(
            f"{spec.name}: the {entry_point} gives other outputs each time for the same input; it "
            "draws random numbers in forward (noise layers, dropout): make them inputs"
        )
    # Batch norm on the statistics of one sample raises, with a message that says so.
    alone = run_module(module, tuple(tensor[:1] for tensor in inputs))
    apart = error(alone, [array[:1] for array in together])
    if not apart <= TOLERANCE:
        raise ExportError(
            f"{spec.name}: a sample of the {entry_point} depends on its neighbours in the batch "
            f"(difference {apart:.1e}): it uses statistics of the batch; keep running statistics "
            "in its norms (track_running_stats=True)"
        )


def graph_error(path: Path, module: nn.Module, spec: GeneratorSpec, entry_point: str) -> float:
    """Largest error of an ONNX file against a module over batches of 1 and 5 samples.

    Raises ExportError beyond `TOLERANCE`, or if one of the two does not run.
    """
    session = open_session(path)
    worst = 0.0
    for batch in BATCHES:
        inputs = example_inputs(spec, entry_point, batch, start=batch)
        names = input_names(spec, entry_point)
        feed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
        try:
            outputs = session.run(output_names(spec, entry_point), feed)
        # onnxruntime's errors have no base class of their own.
        except Exception as failure:
            raise ExportError(
                f"{spec.name}: onnxruntime cannot run the exported {entry_point} on a batch of "
                f"{batch}: {first_line(failure)}; nothing was written"
            ) from failure
        worst = max(worst, error(outputs, run_module(module, inputs)))
    # NaN fails every comparison, so ask for what is right.
    if not worst <= TOLERANCE:
        raise ExportError(
            f"{spec.name}: the exported {entry_point} differs from PyTorch by {worst:.1e}, more "
            f"than {TOLERANCE:.0e}; nothing was written"
        )
    return worst


def run_module(module: nn.Module, inputs: tuple[Tensor, ...]) -> Arrays:
    """Outputs of a module as arrays. Raises ExportError if it does not run on these inputs."""
    shapes = ", ".join(str(list(tensor.shape)) for tensor in inputs)
    try:
        with torch.inference_mode():
            outputs = module(*inputs)
        tensors = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        return [tensor.numpy() for tensor in tensors]
    # Anything can go wrong in a stranger's code; the reason is passed on.
    except Exception as failure:
        raise ExportError(
            f"the network does not run on inputs of shape {shapes}: {first_line(failure)}; a "
            "generator takes batches of any size, one sample too, and each of its classes: check "
            "--classes, and forward for a fixed batch or statistics of the batch"
        ) from failure


def error(
    outputs: Sequence[NDArray[np.float32]], reference: Sequence[NDArray[np.float32]]
) -> float:
    """Largest |output - reference| / max(1, |reference|); infinite for another shape."""
    worst = 0.0
    for ours, theirs in zip(outputs, reference, strict=True):
        if ours.shape != theirs.shape:
            return float("inf")
        difference = np.abs(ours.astype(np.float64) - theirs)
        worst = max(worst, float((difference / np.maximum(1.0, np.abs(theirs))).max(initial=0.0)))
    return worst
