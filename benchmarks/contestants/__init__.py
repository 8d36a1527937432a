"""Who takes part: backends of this project, and what a user would otherwise take."""

from __future__ import annotations

from benchmarks.cases import LayerCase, ModelCase
from benchmarks.contestants.base import Competitor
from benchmarks.contestants.onnxruntime import OnnxRuntime
from benchmarks.contestants.openvino import OpenVino
from benchmarks.contestants.ours import Ours, OursBuilt
from benchmarks.contestants.torch_compiled import AotInductor, TorchCompile
from benchmarks.contestants.torch_eager import TorchEager

_NATIVE = Ours("native", "gen")
_ON_CPU: tuple[Competitor, ...] = (
    _NATIVE,
    Ours("torch", "gen"),
    Ours("eager", "onnx"),
    Ours("onnxruntime", "onnx"),
)
_ON_GPU: tuple[Competitor, ...] = (
    Ours("triton", "gen"),
    Ours("tensorrt", "plan"),
    Ours("onnxruntime", "onnx"),
    Ours("eager", "onnx"),
)
# Kept for the whole run, with what torch.compile and AOTInductor have compiled.
_PEERS: tuple[Competitor, ...] = (
    TorchEager(),
    TorchCompile(),
    AotInductor(),
    OnnxRuntime(),
    OpenVino("LATENCY"),
    OpenVino("THROUGHPUT"),
)


def competitors(case: ModelCase | LayerCase) -> tuple[Competitor, ...]:
    """The contestants of a case, ours first; a layer by itself runs on the native backend alone."""
    if isinstance(case, LayerCase):
        # Which order of axes a single layer likes best is not known beforehand.
        return (_NATIVE, TorchEager(channels_last=False), *_PEERS)
    if case.device == "cpu":
        return (*_ON_CPU, *_PEERS)
    return (*_ON_GPU, *(peer for peer in _PEERS if not isinstance(peer, OpenVino)))


def lives() -> tuple[Competitor, ...]:
    """Contestants of the stages in an engine's life: new ones, which have compiled nothing yet."""
    return (
        OursBuilt("native", "gen"),
        Ours("onnxruntime", "onnx"),
        TorchEager(),
        TorchCompile(),
        OnnxRuntime(),
        OpenVino("LATENCY"),
    )
