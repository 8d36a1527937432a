"""int8 weights and activations, by onnxruntime's static calibration on latents of a fixed seed.

Quantise and dequantise nodes around each product (QDQ), weights by channel, biases in int32, which
TensorRT does not read. What it costs the samples is measured, and not judged: it was asked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.budget import Cost
from engine.core.errors import ExportError
from engine.models.infer import first_line
from export.graph import output_names
from export.precision import Lowered, in_steps_of, run_graph
from export.probes import Arrays, probe_inputs
from export.quiet import quiet

if TYPE_CHECKING:
    from onnx import ModelProto

    from engine.models.loaded import LoadedGenerator

_AT_ONCE = 16


class Quantised(Lowered):
    """A graph in int8; its layers were not probed one by one."""

    @property
    def precision(self) -> str:
        """int8."""
        return "int8"

    def lines(self) -> list[str]:
        """For the user."""
        verdict = "within" if self.cost.holds else "beyond"
        return [f"precision int8, {verdict} the image budget: {self.cost}"]


def quantised(model: ModelProto, loaded: LoadedGenerator, entry_point: str) -> Quantised:
    """The graph with every product in int8. Raises ExportError where onnxruntime cannot."""
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    spec = loaded.spec
    typical, _ = probe_inputs(loaded, entry_point)
    with tempfile.TemporaryDirectory(prefix="generator-engine-") as folder:
        exact, coarse = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        exact.write_bytes(model.SerializeToString())
        try:
            with quiet():
                quantize_static(
                    exact,
                    coarse,
                    _calibration(typical),
                    quant_format=QuantFormat.QDQ,
                    per_channel=True,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                )
        # The quantiser's errors have no base class of their own.
        except Exception as error:
            raise ExportError(
                f"{spec.name}: onnxruntime cannot quantise the {entry_point}: {first_line(error)}"
            ) from error
        made = onnx.load(coarse)
    del made.metadata_props[:]
    names = output_names(spec, entry_point)
    ours, theirs = (
        in_steps_of(run_graph(graph, names, typical), spec, entry_point) for graph in (made, model)
    )
    return Quantised(made, (), Cost.of(ours, theirs))


def _calibration(feed: Arrays) -> object:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._parts = _parts(feed)

        def get_next(self) -> Arrays | None:
            return next(self._parts, None)

    return Reader()


def _parts(feed: Arrays) -> Iterator[Arrays]:
    count = len(next(iter(feed.values())))
    for at in range(0, count, _AT_ONCE):
        yield {name: array[at : at + _AT_ONCE] for name, array in feed.items()}
