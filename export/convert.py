"""A loaded generator -> ONNX files.

Batch norms are folded, the batch is free, the spec travels in the metadata, and the file is written
only if it agrees with PyTorch.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from engine.core.artifacts import encoder_path
from engine.core.errors import ArtifactError, ExportError, OptionError
from engine.core.files import atomic_path
from engine.models.fold import folded
from engine.models.infer import first_line
from engine.models.loaded import LoadedGenerator
from export import graph, half, parity
from export.choices import (
    BF16_OPSET,
    DEFAULT_OPSET,
    ONNX_OUTPUTS,
    PRECISIONS,
    OnnxOutput,
    Precision,
)
from export.quiet import quiet
from export.report import ExportReport, GraphReport

if TYPE_CHECKING:
    from onnx import ModelProto

    from export.precision import Lowered


@dataclass(frozen=True, slots=True)
class _Choices:
    precision: Precision
    opset: int
    output: OnnxOutput


def export_onnx(
    loaded: LoadedGenerator,
    out: str | Path,
    precision: Precision = "fp32",
    opset: int | None = None,
    output: OnnxOutput = "float32",
) -> ExportReport:
    """Write OUT.onnx, and OUT.encoder.onnx for a model with an encoder: both or neither.

    precision: fp16, bf16: what layers compute in; auto: fp16 in the layers that the image budget
        (`engine.core.budget`) allows; int8: by static calibration; fp16-weights: weights rounded,
        arithmetic in float32.
    opset: by default 20, and 22 for bf16.
    output: "uint8" for a decoder that gives images [batch, H, W, C].

    Parity of the float32 graph with PyTorch on batches of 1 and 5 is enforced, and that a lower
    precision stays finite; what it costs is in the report. Raises ExportError, OutputError.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"precision={precision!r} is unknown; known are {', '.join(PRECISIONS)}")
    if output not in ONNX_OUTPUTS:
        raise OptionError(f"output={output!r} is unknown; known are {', '.join(ONNX_OUTPUTS)}")
    out, choices = Path(out), _Choices(precision, _opset(opset, precision), output)
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
                _write(ready, reference, loaded, entry_point, temporary, target, choices)
            )
    return ExportReport(loaded, tuple(reports), precision, parity.TOLERANCE, rounding)


def _opset(asked: int | None, precision: Precision) -> int:
    least = BF16_OPSET if precision == "bf16" else DEFAULT_OPSET
    if precision == "bf16" and asked is not None and asked < BF16_OPSET:
        raise OptionError(
            f"opset {asked} has no convolutions in bfloat16; give {BF16_OPSET} or more, or leave "
            "it out"
        )
    return least if asked is None else asked


def _write(
    ready: nn.Module,
    reference: nn.Module,
    loaded: LoadedGenerator,
    entry_point: str,
    temporary: Path,
    target: Path,
    choices: _Choices,
) -> GraphReport:
    model = graph.to_onnx(ready, loaded.spec, entry_point, choices.opset)
    if choices.precision == "fp16-weights":
        half.store_half(model)
    _save(model, temporary, target)
    measured = parity.graph_error(temporary, reference, loaded.spec, entry_point)
    lowered = _lowered(model, loaded, entry_point, choices.precision)
    if lowered is not None:
        model = lowered.model
    images = choices.output == "uint8" and entry_point == "decoder"
    if images:
        from export.uint8 import append_uint8

        append_uint8(model, loaded.spec)
    graph.describe(model, loaded, entry_point, choices.precision, lowered, images=images)
    _save(model, temporary, target)
    runs = _runs(temporary, reference, loaded, entry_point, lowered, images=images)
    return GraphReport.of(entry_point, target, model, measured, lowered, runs)


def _lowered(
    model: ModelProto, loaded: LoadedGenerator, entry_point: str, precision: Precision
) -> Lowered | None:
    from export.precision import lower_all, lower_within_budget

    if precision == "int8":
        from export.int8 import quantised

        return quantised(model, loaded, entry_point)
    if precision == "auto":
        return lower_within_budget(model, loaded, entry_point)
    if precision in ("fp16", "bf16"):
        return lower_all(model, loaded, entry_point, precision)
    return None


def _save(model: ModelProto, temporary: Path, target: Path) -> None:
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
        # The same model gives the same bytes.
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise ExportError(f"{target}: the exported graph is not valid ONNX: {error}") from error


def _runs(
    path: Path,
    reference: nn.Module,
    loaded: LoadedGenerator,
    entry_point: str,
    lowered: Lowered | None,
    *,
    images: bool,
) -> str:
    """Whether onnxruntime runs the finished file here; '' if it does, else why not.

    Raises ExportError for images or halves that are not what they should be.
    """
    if lowered is None and not images:
        return ""
    from export.finished import check_finished

    try:
        check_finished(path, reference, loaded, entry_point, lowered, images=images)
    except ArtifactError as error:
        if lowered is None:
            raise
        return first_line(error).replace(f"{path}: ", "")
    return ""


def _moved(before: nn.Module, after: nn.Module, loaded: LoadedGenerator, entry_point: str) -> float:
    inputs = graph.example_inputs(loaded.spec, entry_point, parity.BATCHES[-1])
    return parity.error(parity.run_module(after, inputs), parity.run_module(before, inputs))
