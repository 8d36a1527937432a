"""A loaded generator -> ONNX files.

Batch norms are folded, the batch is free, the spec travels in the metadata, and the file is written
only if it agrees with PyTorch.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from torch import nn

from engine.core.artifacts import encoder_path
from engine.core.errors import ExportError, OptionError
from engine.core.files import atomic_path
from engine.models.fold import folded
from engine.models.loaded import LoadedGenerator
from export import graph, half, parity
from export.choices import DEFAULT_OPSET, PRECISIONS, Precision
from export.quiet import quiet
from export.report import ExportReport, GraphReport


def export_onnx(
    loaded: LoadedGenerator,
    out: str | Path,
    precision: Precision = "fp32",
    opset: int = DEFAULT_OPSET,
) -> ExportReport:
    """Write OUT.onnx, and OUT.encoder.onnx for a model with an encoder: both or neither.

    Parity with PyTorch on batches of 1 and 5 is enforced. Raises ExportError, OutputError.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"precision={precision!r} is unknown; known are {', '.join(PRECISIONS)}")
    out = Path(out)
    reports = []
    rounding = None
    with ExitStack() as files:
        for entry_point, module in loaded.entry_points.items():
            target = out if entry_point == "decoder" else encoder_path(out)
            temporary = files.enter_context(atomic_path(target))
            parity.check_module(module, loaded.spec, entry_point)
            with quiet():
                ready, reference = folded(module), module
            if precision == "fp16-weights":
                reference = half.round_weights(ready)
                rounding = max(rounding or 0.0, _moved(module, ready, loaded, entry_point))
            reports.append(
                _write(ready, reference, loaded, entry_point, temporary, target, precision, opset)
            )
    return ExportReport(loaded, tuple(reports), precision, parity.TOLERANCE, rounding)


def _write(
    ready: nn.Module,
    reference: nn.Module,
    loaded: LoadedGenerator,
    entry_point: str,
    temporary: Path,
    target: Path,
    precision: Precision,
    opset: int,
) -> GraphReport:
    import onnx

    model = graph.to_onnx(ready, loaded.spec, entry_point, opset)
    if precision == "fp16-weights":
        half.store_half(model)
    graph.describe(model, loaded, entry_point, precision)
    try:
        onnx.checker.check_model(model, full_check=True)
        temporary.write_bytes(model.SerializeToString())
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise ExportError(f"{target}: the exported graph is not valid ONNX: {error}") from error
    measured = parity.graph_error(temporary, reference, loaded.spec, entry_point)
    return GraphReport.of(entry_point, target, model, measured)


def _moved(before: nn.Module, after: nn.Module, loaded: LoadedGenerator, entry_point: str) -> float:
    inputs = graph.example_inputs(loaded.spec, entry_point, parity.BATCHES[-1])
    return parity.error(parity.run_module(after, inputs), parity.run_module(before, inputs))
