"""ONNX file -> TensorRT plan in memory, by TensorRT on a GPU or TensorRT-RTX on any machine.

The builder says what went wrong by giving None or False; the reasons lie in the logger.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.backends._cuda import no_gpu_reason
from engine.backends._tensorrt import collecting_logger, errors, flavours, import_flavour
from engine.core.errors import BackendUnavailableError, ExportError, OptionError
from export.plan_options import PORTABLE, BatchProfile, BuildOptions

_MIB = 1 << 20
_ENTERPRISE = "tensorrt"


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a plan; -1 stands for the free batch."""

    name: str
    mode: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A serialised engine and what must be known to load it."""

    data: bytes
    builder: str
    builder_version: str
    targets: tuple[str, ...]
    precision: str
    tensors: tuple[Tensor, ...]


def choose_builder() -> str:
    """TensorRT where it is installed and there is a GPU, else TensorRT-RTX.

    Raises BackendUnavailableError if neither can build here.
    """
    installed = flavours()
    no_gpu = no_gpu_reason()
    if _ENTERPRISE in installed and no_gpu is None:
        return _ENTERPRISE
    if "tensorrt-rtx" in installed:
        return "tensorrt-rtx"
    if _ENTERPRISE in installed:
        raise BackendUnavailableError(
            f"TensorRT builds plans on a GPU only, and {no_gpu}; TensorRT-RTX builds anywhere: "
            "pip install 'generator-engine[rtx]'"
        )
    raise BackendUnavailableError(
        "no TensorRT is installed; pip install 'generator-engine[rtx]' (builds without a GPU) "
        "or 'generator-engine[cuda]'"
    )


def build_plan(model: Path, options: BuildOptions, builder: str | None = None) -> Plan:
    """Parse an ONNX file and build it. Raises ExportError with what the builder said."""
    flavour = builder or choose_builder()
    trt = import_flavour(flavour)
    logger = collecting_logger(flavour)
    logger.take()
    with _quiet_process():
        try:
            maker = trt.Builder(logger)
        # The binding's way of saying that the native factory gave null.
        except TypeError as error:
            raise BackendUnavailableError(f"{flavour} does not start: {errors(logger)}") from error
        flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = maker.create_network(flags)
        # Weights are held by reference: the parser must outlive the build.
        parser = trt.OnnxParser(network, logger)
        if not parser.parse_from_file(str(model)):
            raise ExportError(f"{model}: {flavour} cannot read this graph: {_parse_errors(parser)}")
        config = maker.create_builder_config()
        _configure(trt, config, options, flavour)
        _add_profile(maker, config, network, options.batch, model)
        serialised = maker.build_serialized_network(network, config)
    if serialised is None:
        raise ExportError(f"{model}: {flavour} cannot build a plan: {errors(logger)}")
    return Plan(
        data=bytes(serialised),
        builder=flavour,
        builder_version=trt.__version__,
        targets=options.targets or ((PORTABLE,) if flavour != _ENTERPRISE else ("this GPU",)),
        precision=_precision(trt, network),
        tensors=_tensors(network),
    )


def _configure(trt: Any, config: Any, options: BuildOptions, flavour: str) -> None:
    # TF32 keeps 10 bits of the mantissa: not the fp32 that parity was checked in.
    config.clear_flag(trt.BuilderFlag.TF32)
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB)
    named = [target for target in options.targets if target != PORTABLE]
    if flavour == _ENTERPRISE:
        if named:
            raise OptionError(
                f"TensorRT builds for the GPU at hand, not for {', '.join(named)}; leave --target "
                f"out, or give --target {PORTABLE}"
            )
        if options.targets:
            config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
        return
    known = {
        name.lower(): member
        for name, member in trt.ComputeCapability.__members__.items()
        if name.startswith("SM")
    }
    for target in named:
        if target not in known:
            raise OptionError(
                f"TensorRT-RTX {trt.__version__} does not build for {target}; known are "
                f"{', '.join(known)} and {PORTABLE}"
            )
    config.num_compute_capabilities = len(named)
    for index, target in enumerate(named):
        config.set_compute_capability(known[target], index)


def _add_profile(maker: Any, config: Any, network: Any, batch: BatchProfile, model: Path) -> None:
    profile = maker.create_optimization_profile()
    dynamic = False
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = tuple(tensor.shape)
        if -1 in shape[1:]:
            raise ExportError(
                f"{model}: input {tensor.name!r} has the open shape {shape}; only the batch may "
                "be free"
            )
        if shape[0] == -1:
            dynamic = True
            sizes = (batch.low, batch.best, batch.high)
            profile.set_shape(tensor.name, *((size, *shape[1:]) for size in sizes))
    if dynamic and config.add_optimization_profile(profile) < 0:
        raise ExportError(f"{model}: the batch profile {batch} was refused")


def _parse_errors(parser: Any) -> str:
    lines = []
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        where = (
            f"node {error.node_name()!r} ({error.node_operator()}): " if error.node_name() else ""
        )
        lines.append(f"{where}{error.desc()}")
    return "; ".join(lines) or "it gave no reason"


def _precision(trt: Any, network: Any) -> str:
    """What the layers compute in; weights that are stored in half and cast first do not count."""
    half = (trt.DataType.HALF, trt.DataType.BF16)
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        computed = layer.type != trt.LayerType.CONSTANT and layer.num_outputs
        if computed and layer.get_output(0).dtype in half:
            return "mixed"
    return "fp32"


def _tensors(network: Any) -> tuple[Tensor, ...]:
    inputs = [("input", network.get_input(i)) for i in range(network.num_inputs)]
    outputs = [("output", network.get_output(i)) for i in range(network.num_outputs)]
    return tuple(
        Tensor(tensor.name, mode, _dtype(tensor.dtype.name), tuple(tensor.shape))
        for mode, tensor in inputs + outputs
    )


def _dtype(name: str) -> str:
    return {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16"}.get(name, name.lower())


@contextlib.contextmanager
def _quiet_process() -> Iterator[None]:
    """Swallow what the native library writes past its logger, straight to the process's stderr."""
    saved = os.dup(2)
    silent = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silent, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(silent)
