"""A run: its settings, and the networks that its cases share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, LayerCase, ModelCase, Preset, StageCase
from benchmarks.contestants import competitors
from benchmarks.image_cost import KidJudge, kid_judge
from benchmarks.layer_networks import layer_inputs, layer_network
from benchmarks.measure import Log, measure, public
from benchmarks.model_networks import model_inputs, model_network, source_of
from benchmarks.network import Network, Work
from benchmarks.parity import NO_KID, make_reference
from benchmarks.results import Case as Record
from engine.backends._cuda import no_gpu_reason
from engine.backends.base import not_installed
from engine.core.errors import EngineError

# Without them there is no reference, no network for the peers, and no matrix product.
NEEDED = ("torch", "onnx", "onnx_ir", "onnxscript", "onnxruntime")

# Below, KID says more about the draw than about the network.
KID_SAMPLES = 1024


@dataclass(frozen=True)
class Bench:
    """What all cases of a run have in common. `folder` holds exported networks while it runs."""

    preset: Preset
    threads: int
    folder: Path
    log: Log
    kid: bool = False
    models: dict[str, Network] = field(default_factory=dict)
    judges: dict[str, KidJudge | str] = field(default_factory=dict)

    def measure(self, case: Case) -> tuple[Record, ...]:
        """Measure one case of the table; several stages are several records."""
        self.log(f"case {case}")
        missing = [reason for name in NEEDED if (reason := not_installed(name, "bench"))]
        if isinstance(case, StageCase):
            from benchmarks.stages import measure_stages

            return measure_stages(self, case, missing[0] if missing else None)
        if isinstance(case, ModelCase) and case.device == "cuda":
            missing += filter(None, [no_gpu_reason()])
        if missing:
            return (_record(case, skipped=missing[0]),)
        try:
            work = self.work(case)
        except EngineError as error:
            return (_record(case, skipped=public(str(error))),)
        contestants, product = measure(
            work,
            make_reference(work, self.judge(case)),
            competitors(case),
            self.preset,
            self.log,
        )
        network = work.network
        record = _record(
            case,
            contestants=contestants,
            matmul=product,
            flop_per_sample=float(network.flop_per_sample),
            weight_bytes=float(network.weight_bytes(work.precision)),
            activation_bytes_per_sample=float(network.activation_bytes(work.output)),
        )
        return (record,)

    def network(self, model: str) -> Network:
        """A model, exported once a run. Raises ArtifactError where it is not at hand."""
        if model not in self.models:
            self.models[model] = model_network(model, self.folder)
        return self.models[model]

    def judge(self, case: ModelCase | LayerCase) -> KidJudge | str:
        """Who judges images by KID, or why nobody does: it takes many images, and minutes."""
        if not self.kid:
            return NO_KID
        if isinstance(case, LayerCase) or case.output != "uint8" or case.batch < KID_SAMPLES:
            return f"KID takes {KID_SAMPLES} images and more; see that case"
        if case.model not in self.judges:
            channels, size, _ = self.network(case.model).output_shape
            self.judges[case.model] = kid_judge(case.model, size, channels)
        return self.judges[case.model]

    def work(self, case: ModelCase | LayerCase) -> Work:
        """What the contestants of a case are to do. Raises ArtifactError."""
        if isinstance(case, LayerCase):
            network, inputs = layer_network(case.layer, self.folder), layer_inputs(case.layer)
            return Work(network, inputs, case.precision, "float32", self.threads, self.folder)
        network = self.network(case.model)
        inputs = model_inputs(network, case.batch)
        return Work(
            network, inputs, case.precision, case.output, self.threads, self.folder, case.device
        )


def _record(case: ModelCase | LayerCase, **fields: Any) -> Record:
    """A record of what a case is, with the given further fields."""
    if isinstance(case, LayerCase):
        layer = case.layer
        return Record(
            "layer", layer.name, layer.source, layer.batch, case.precision, "float32", **fields
        )
    return Record(
        "model",
        case.model,
        source_of(case.model),
        case.batch,
        case.precision,
        case.output,
        device=case.device,
        **fields,
    )
