"""ONNX files of this project, read back into PyTorch.

`export.onnx` folds the batch norms, keeps the names of the state dict for its initializers and
writes into `metadata_props` how the network is built. That is enough to build it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from engine.core.artifacts import encoder_path
from engine.core.errors import ArtifactError, BackendUnavailableError
from engine.core.options import LoadOptions, refuse_options
from engine.core.spec import SPEC_KEY, GeneratorSpec
from engine.models.build import build
from engine.models.fold import folded
from engine.models.infer import first_line
from engine.models.loaded import LoadedGenerator, check_finite, ready

if TYPE_CHECKING:
    from onnx import ModelProto

ARCH_KEY = "generator_arch"
ENTRY_POINT_KEY = "entry_point"
# What the exporter's optimiser calls the bias of a folded layer that had none of its own.
_ADDED_BIAS = ".weight_bias"


def load_onnx(path: Path, options: LoadOptions) -> LoadedGenerator:
    """The network in an ONNX file of this project, batch norms folded, weights in float32.

    Raises ArtifactError for an ONNX file that does not say how its network is built.
    """
    refuse_options(options, path, "an ONNX file describes itself")
    model = read_onnx(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if SPEC_KEY not in metadata or ARCH_KEY not in metadata:
        raise ArtifactError(
            f"{path}: this ONNX file does not say which network of this project it holds, so "
            "PyTorch cannot rebuild it; open it with backend='onnxruntime'"
        )
    spec = GeneratorSpec.from_json(metadata[SPEC_KEY], path)
    arch, arch_args = _read_arch(metadata[ARCH_KEY], path)
    modules = {name: folded(part) for name, part in build(arch, arch_args).entry_points().items()}
    graphs = {"decoder": (path, model)}
    beside = encoder_path(path)
    if "encoder" in spec.entry_points and beside.is_file():
        graphs["encoder"] = (beside, read_onnx(beside))
    for name, (file, graph) in graphs.items():
        _fill(modules[name], graph, file)
    return LoadedGenerator(
        spec=spec.replace(entry_points=tuple(graphs)),
        entry_points=ready({name: modules[name] for name in graphs}),
        arch=arch,
        arch_args=arch_args,
    )


def read_onnx(path: Path) -> ModelProto:
    """Parse an ONNX file. Raises ArtifactError, or BackendUnavailableError without `onnx`."""
    try:
        import onnx
    except ImportError as error:
        raise BackendUnavailableError(
            f"reading {path} into PyTorch needs the package onnx: pip install onnx"
        ) from error
    try:
        model = onnx.load(path)
    # protobuf's DecodeError derives from Exception alone; importing it would bind us to protobuf.
    except Exception as error:
        raise ArtifactError(
            f"{path}: not a readable ONNX file, or cut short: {first_line(error)}"
        ) from error
    if not model.graph.node:
        raise ArtifactError(f"{path}: not an ONNX model; it has no graph")
    return model


def _read_arch(text: str, path: Path) -> tuple[str, dict[str, Any]]:
    try:
        values = json.loads(text)
        return values["name"], dict(values["args"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: the metadata {ARCH_KEY!r} is damaged: {error}") from error


def _fill(module: nn.Module, model: ModelProto, path: Path) -> None:
    stored = _initializers(model)
    check_finite(stored, path)
    with torch.no_grad():
        for name, parameter in module.state_dict().items():
            value = stored.get(name)
            if value is None and name.endswith(".bias"):
                value = stored.get(name.removesuffix(".bias") + _ADDED_BIAS)
                # The exporter drops a bias that is all zeros.
                value = torch.zeros_like(parameter) if value is None else value
            if value is None or value.shape != parameter.shape:
                raise ArtifactError(
                    f"{path}: the initializer {name!r} of shape {tuple(parameter.shape)} is "
                    f"missing; the file was changed after export, export it again"
                )
            parameter.copy_(value)


def _initializers(model: ModelProto) -> Mapping[str, Tensor]:
    from onnx import numpy_helper

    return {
        entry.name: torch.from_numpy(numpy_helper.to_array(entry).copy())
        for entry in model.graph.initializer
    }
