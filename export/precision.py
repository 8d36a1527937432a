"""Which layers can compute in half precision: found by running them, with the evidence kept.

Ranges are taken in float32 on typical latents and on extreme ones, four deviations out in every
number; what rounding costs is taken on the typical ones, in a float32 graph that rounds as the
half precision does (`mixed.emulated`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.backends._onnx_session import open_session
from engine.core.budget import Cost, steps
from engine.core.errors import ExportError
from engine.core.spec import GeneratorSpec, LayerPrecision
from export.graph import output_names
from export.mixed import LARGEST_FP16, Half, Layer, all_nodes, emulated, layers, typed
from export.probes import Arrays, probe_inputs

if TYPE_CHECKING:
    from onnx import ModelProto

    from engine.models.loaded import LoadedGenerator

_AT_ONCE = 16
# Sums pass through numbers larger than the result; half of the range is left to them.
_MARGIN = 2.0


@dataclass(frozen=True)
class Lowered:
    """A graph in two precisions, what was found about each layer, and the cost of all together."""

    model: ModelProto
    layers: tuple[LayerPrecision, ...]
    cost: Cost

    @property
    def precision(self) -> str:
        """fp16 or bf16 if all layers are, "mixed" if some, fp32 if none."""
        found = {layer.precision for layer in self.layers}
        return found.pop() if len(found) == 1 else "mixed" if found else "fp32"

    def lines(self) -> list[str]:
        """For the user."""
        kept = [layer for layer in self.layers if layer.precision == "fp32"]
        count = f"{len(self.layers) - len(kept)} of {len(self.layers)} layers"
        return [
            f"precision {count} in {_lower(self.layers)}: {self.cost}",
            *(f"fp32      {layer.layer}: {layer.reason}" for layer in kept),
        ]


def lower_all(
    model: ModelProto, loaded: LoadedGenerator, entry_point: str, precision: Half
) -> Lowered:
    """Every layer in half precision.

    Raises ExportError where numbers leave its range, naming the layers.
    """
    probe = _Probe(model, loaded, entry_point, precision)
    outside = [layer for layer in probe.layers if probe.overflows(layer)]
    if outside:
        raise ExportError(
            f"{loaded.spec.name}: {', '.join(layer.name for layer in outside)} of the "
            f"{entry_point} reach {max(probe.largest[layer.name] for layer in outside):.4g}, and "
            f"{precision} ends at {LARGEST_FP16:g}; give --precision auto, which leaves these "
            "layers in fp32, or bf16"
        )
    return probe.result(frozenset(layer.name for layer in probe.layers), {})


def lower_within_budget(
    model: ModelProto, loaded: LoadedGenerator, entry_point: str, precision: Half = "fp16"
) -> Lowered:
    """As many layers in half precision as the image budget allows.

    Layers that overflow stay in float32; then, while the budget does not hold, the one whose
    rounding costs most.
    """
    probe = _Probe(model, loaded, entry_point, precision)
    reasons = {
        layer.name: f"reaches {probe.largest[layer.name]:.4g}, {precision} ends at {LARGEST_FP16:g}"
        for layer in probe.layers
        if probe.overflows(layer)
    }
    lowered = [layer.name for layer in probe.layers if layer.name not in reasons]
    # The dearest is left out first.
    lowered.sort(key=lambda name: probe.alone[name].mean_psnr_db, reverse=True)
    while lowered and not probe.cost(lowered).holds:
        name = lowered.pop()
        reasons[name] = "its rounding costs most of those in half precision: beyond the budget"
    return probe.result(frozenset(lowered), reasons)


class _Probe:
    """The layers of a graph, their ranges, and the cost of lowering each alone."""

    def __init__(
        self, model: ModelProto, loaded: LoadedGenerator, entry_point: str, precision: Half
    ) -> None:
        self.layers = layers(model)
        self._model = model
        self._spec = loaded.spec
        self._outputs = output_names(loaded.spec, entry_point)
        self._precision: Half = precision
        self._entry_point = entry_point
        self._typical, extreme = probe_inputs(loaded, entry_point)
        self._reference, self.largest = self._ranges(extreme)
        self.alone = {layer.name: self.cost([layer.name]) for layer in self.layers}

    def overflows(self, layer: Layer) -> bool:
        """Whether a layer leaves the range of float16; that of bfloat16 is float32's."""
        return self._precision == "fp16" and not (
            self.largest[layer.name] * _MARGIN <= LARGEST_FP16
        )

    def cost(self, names: Collection[str]) -> Cost:
        """Of typical samples when these layers compute in half precision."""
        chosen = [layer for layer in self.layers if layer.name in names]
        graph = emulated(self._model, all_nodes(chosen), self._precision)
        made = run_graph(graph, self._outputs, self._typical)
        return Cost.of(in_steps_of(made, self._spec, self._entry_point), self._reference)

    def result(self, lowered: frozenset[str], reasons: Mapping[str, str]) -> Lowered:
        """The graph with these layers in half precision."""
        chosen = [layer for layer in self.layers if layer.name in lowered]
        found = tuple(
            LayerPrecision(
                layer=layer.name,
                operator=layer.operator,
                precision=self._precision if layer.name in lowered else "fp32",
                largest=float(f"{self.largest[layer.name]:.4g}"),
                psnr_db=self.alone[layer.name].mean_psnr_db,
                reason=reasons.get(layer.name, ""),
            )
            for layer in self.layers
        )
        model = typed(self._model, all_nodes(chosen), self._precision)
        return Lowered(model, found, self.cost(lowered))

    def _ranges(self, extreme: Arrays) -> tuple[NDArray[Any], dict[str, float]]:
        """Typical samples in float32, and the largest number of each layer."""
        from onnx import ModelProto, TensorProto, helper, shape_inference

        watched = ModelProto()
        watched.CopyFrom(self._model)
        known = shape_inference.infer_shapes(self._model).graph.value_info
        floats = {v.name for v in known if v.type.tensor_type.elem_type == TensorProto.FLOAT}
        given = {value.name for value in self._model.graph.output}
        names = {
            layer.name: [name for name in layer.tensors if name in floats | given]
            for layer in self.layers
        }
        inner = [name for made in names.values() for name in made if name not in given]
        watched.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inner
        )
        typical = run_graph(watched, [*self._outputs, *inner], self._typical)
        extremes = run_graph(watched, [*self._outputs, *inner], extreme)
        largest = {
            layer: max(
                (
                    float(np.abs(found[name]).max(initial=0.0))
                    for name in made
                    for found in (typical, extremes)
                ),
                default=0.0,
            )
            for layer, made in names.items()
        }
        return in_steps_of(typical, self._spec, self._entry_point), largest


def in_steps_of(made: Arrays, spec: GeneratorSpec, entry_point: str) -> NDArray[Any]:
    """All outputs of each sample in steps of uint8; those of images rounded."""
    if entry_point == "decoder":
        image = spec.modality == "image"
        return steps(made[spec.output.name], spec.output.range, image=image)
    # A posterior has no range; a step is a hundredth of the prior's deviation.
    flat = [made[name].reshape(len(made[name]), -1) for name in output_names(spec, entry_point)]
    return np.concatenate(flat, axis=1) * 100.0


def run_graph(model: ModelProto, names: Sequence[str], feed: Arrays) -> Arrays:
    """Outputs of a float32 graph, a part of the samples at a time."""
    with tempfile.TemporaryDirectory(prefix="generator-engine-") as folder:
        path = Path(folder) / "probe.onnx"
        path.write_bytes(model.SerializeToString())
        session = open_session(path)
        count = len(next(iter(feed.values())))
        parts = [
            session.run(
                list(names), {name: array[at : at + _AT_ONCE] for name, array in feed.items()}
            )
            for at in range(0, count, _AT_ONCE)
        ]
    return {
        name: np.concatenate(made)
        for name, made in zip(names, zip(*parts, strict=True), strict=True)
    }


def _lower(found: Sequence[LayerPrecision]) -> str:
    return next((layer.precision for layer in found if layer.precision != "fp32"), "half precision")
