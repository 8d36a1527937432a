"""The finished file, in its own precision and with its own output, held against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from engine.backends._onnx_session import open_session
from engine.core.budget import Cost, steps
from engine.core.errors import ArtifactError, ExportError
from engine.models.infer import first_line
from export import graph, parity
from export.probes import probe_inputs

if TYPE_CHECKING:
    from engine.models.loaded import LoadedGenerator
    from export.precision import Lowered

_BATCH = 5
# One step of 255 where a value lies next to a half, in few of them.
_STEP = 1
_SHARE = 0.01
# Runtimes sum halves in other orders, and some in halves: so far below the cost that was measured.
_SLACK_DB = 12.0
# Closer than this, roundings of float32 tell nothing about halves.
_INDISTINCT_DB = 90.0


def check_finished(
    path: Path,
    reference: nn.Module,
    loaded: LoadedGenerator,
    entry_point: str,
    lowered: Lowered | None,
    *,
    images: bool,
) -> None:
    """Raise ExportError unless onnxruntime gives what PyTorch does, as closely as it should.

    Raises ArtifactError if it does not run the file on this machine.
    """
    spec = loaded.spec
    typical, _ = probe_inputs(loaded, entry_point)
    feed = {name: typical[name][:_BATCH] for name in graph.input_names(spec, entry_point)}
    inputs = tuple(torch.from_numpy(array) for array in feed.values())
    session = open_session(path)
    outputs = graph.output_names(spec, entry_point)
    try:
        made = session.run(outputs, feed)
    # onnxruntime's errors have no base class of their own.
    except Exception as error:
        raise ArtifactError(f"onnxruntime does not run it here: {first_line(error)}") from error
    wanted = parity.run_module(reference, inputs)
    if entry_point == "encoder":
        if not all(np.isfinite(array).all() for array in made):
            raise ExportError(f"{spec.name}: the exported encoder gives NaN or infinity")
        return
    ours = (
        made[0].transpose(0, 3, 1, 2) if images else steps(made[0], spec.output.range, image=False)
    )
    theirs = steps(wanted[0], spec.output.range, image=images)
    if ours.shape != theirs.shape:
        raise ExportError(f"{spec.name}: the exported decoder gives {list(ours.shape)}")
    if lowered is None:
        apart = np.abs(ours.astype(np.float64) - theirs)
        if apart.max() > _STEP or (apart > 0).mean() > _SHARE:
            raise ExportError(
                f"{spec.name}: images of the exported graph differ from PyTorch's by up to "
                f"{apart.max():g} of 255; nothing was written"
            )
        return
    cost = Cost.of(ours, theirs)
    measured = min(lowered.cost.worst_psnr_db, _INDISTINCT_DB)
    if not cost.worst_psnr_db >= measured - _SLACK_DB:
        raise ExportError(
            f"{spec.name}: onnxruntime's samples of the exported graph are "
            f"{cost.worst_psnr_db:.1f} dB from fp32, and {lowered.cost.worst_psnr_db:.1f} dB were "
            "measured layer by layer; nothing was written"
        )
