"""Networks of every rank, in fp32, fp16 and mixed, built by TensorRT-RTX for every GPU it knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.backends._tensorrt import flavours, import_flavour
from engine.core.errors import ExportError
from engine.core.spec import GeneratorSpec, Noise, Output
from engine.models.loaded import LoadedGenerator
from export.choices import Precision
from export.convert import export_onnx
from export.plan import build_plan
from export.plan_options import BatchProfile, BuildOptions

pytestmark = pytest.mark.skipif(
    "tensorrt-rtx" not in flavours(), reason="needs TensorRT-RTX: pip install tensorrt-rtx-cu13"
)

LAYERS = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def targets() -> tuple[str, ...]:
    """All that the installed builder has names for."""
    members = import_flavour("tensorrt-rtx").ComputeCapability.__members__
    return tuple(name.lower() for name in members if name.startswith("SM"))


def network(rank: int, gain: float) -> LoadedGenerator:
    """Two transposed convolutions; with a gain, the first alone leaves fp16."""
    torch.manual_seed(rank)
    wide = {"stride": 3, "padding": 2, "output_padding": 2, "groups": 2}
    # Spread to five taps a side, a kernel in 3-D takes seconds a build.
    dilation = 1 if rank == 3 else 2
    first, last = LAYERS[rank](8, 8, 3, **wide), LAYERS[rank](8, 1, 3, stride=2, dilation=dilation)
    with torch.no_grad():
        first.weight *= gain
    module = nn.Sequential(first, nn.Tanh(), last, nn.Tanh()).eval()
    latent = Noise((8, *(4,) * rank))
    with torch.no_grad():
        channels, *shape = module(torch.zeros(1, *latent.shape)).shape[1:]
    if rank == 2:
        spec = GeneratorSpec("net", "test", latent, Output.image((channels, shape[0], shape[1])))
    else:
        kind = "audio" if rank == 1 else "tensor"
        output = Output((channels, *shape), "CT" if rank == 1 else "", name=kind)
        spec = GeneratorSpec("net", "test", latent, output, kind)  # type: ignore[arg-type]
    return LoadedGenerator(spec, {"decoder": module}, "test:net", {})


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    ("precision", "gain", "found"),
    [("fp32", 1.0, "fp32"), ("fp16", 1.0, "mixed"), ("auto", 1e6, "mixed")],
    ids=["fp32", "fp16", "mixed"],
)
def test_every_gpu(
    rank: int, precision: Precision, gain: float, found: str, tmp_path: Path
) -> None:
    report = export_onnx(network(rank, gain), tmp_path / "net.onnx", precision)
    lowered = report.graphs[0].lowered
    kept = [] if lowered is None else [layer.precision for layer in lowered.layers]
    assert kept == {"fp32": [], "fp16": ["fp16"] * 2, "auto": ["fp32", "fp16"]}[precision]
    names = targets()
    assert {"sm75", "sm80", "sm86", "sm89", "sm120"} <= set(names)
    for target in names:
        options = BuildOptions(BatchProfile(1, 2, 4), (target,))
        if (rank, target) == (3, "sm75") and precision != "fp16":
            with pytest.raises(
                ExportError, match=r"no 3-D convolutions in float32 for sm75: 'node"
            ):
                build_plan(tmp_path / "net.onnx", options, "tensorrt-rtx")
            continue
        plan = build_plan(tmp_path / "net.onnx", options, "tensorrt-rtx")
        assert (plan.targets, plan.precision) == ((target,), found)
        assert len(plan.data) > 1000
