"""ONNX file -> TensorRT plan in memory, by TensorRT on a GPU or TensorRT-RTX on any machine.

The builder says what went wrong by giving None or False; the reasons lie in the logger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.backends._plan_sidecar import PlanTensor, dtype_name
from engine.backends._quiet import quiet_stderr
from engine.backends._tensorrt import collecting_logger, errors, import_flavour
from engine.core.errors import BackendUnavailableError, ExportError
from export import builders
from export.builders import Advance
from export.command import require
from export.limits import (
    refuse_bf16_deconvolutions,
    refuse_float32_on_turing,
    without_strided_dilation,
)
from export.plan_options import BatchProfile, BuildOptions

_TURING = "sm75"


@dataclass(frozen=True, slots=True)
class Plan:
    """A serialised engine, what must be known to load it, and what its builder said."""

    data: bytes
    builder: str
    builder_version: str
    targets: tuple[str, ...]
    precision: str
    tensors: tuple[PlanTensor, ...]
    log: str = ""


def build_plan(
    model: Path,
    options: BuildOptions,
    builder: str | None = None,
    advance: Advance | None = None,
) -> Plan:
    """Parse an ONNX file and build it. Raises ExportError with what the builder said.

    advance: told of the builder's progress, from its threads.
    """
    flavour = builder or builders.choose_builder()
    builders.check(options, flavour)
    data, changed = _readable(model, flavour, options.targets)
    trt = import_flavour(flavour)
    logger = collecting_logger(flavour)
    logger.take()
    with quiet_stderr(), logger.everything():
        try:
            maker = trt.Builder(logger)
        # The binding's way of saying that the native factory gave null.
        except TypeError as error:
            raise BackendUnavailableError(f"{flavour} does not start: {errors(logger)}") from error
        flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = maker.create_network(flags)
        # Weights are held by reference: the parser and the bytes must outlive the build.
        parser = trt.OnnxParser(network, logger)
        if not parser.parse(data, path=str(model)):
            raise ExportError(f"{model}: {flavour} cannot read this graph: {_parse_errors(parser)}")
        config = maker.create_builder_config()
        builders.configure(trt, config, options, flavour)
        if options.timing_cache is not None:
            builders.load_timing_cache(config, options.timing_cache)
        if advance is not None:
            monitor = builders.progress_monitor(trt, advance)
            config.progress_monitor = monitor
        _add_profile(maker, config, network, options.batch, model)
        serialised = maker.build_serialized_network(network, config)
        if serialised is None:
            raise ExportError(f"{model}: {flavour} cannot build a plan: {errors(logger)}")
        if options.timing_cache is not None:
            builders.save_timing_cache(config, options.timing_cache)
    log = [f"kernel of {name} spread: stride and dilation above one" for name in changed]
    return Plan(
        data=bytes(serialised),
        builder=flavour,
        builder_version=trt.__version__,
        targets=builders.built_for(options, flavour),
        precision=_precision(trt, network),
        tensors=_tensors(network),
        log="".join(f"{line}\n" for line in [*log, *(text for _, text in logger.take())]),
    )


def _readable(model: Path, flavour: str, targets: Sequence[str]) -> tuple[bytes, tuple[str, ...]]:
    """The graph as TensorRT can build it, and the nodes that were changed for that."""
    require("onnx", extra="onnx")
    import onnx

    try:
        proto = onnx.load(model)
    # protobuf's DecodeError derives from Exception alone; importing it would bind us to protobuf.
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ExportError(
            f"{model}: not a readable ONNX file: {reason[0] if reason else type(error).__name__}"
        ) from error
    if flavour == builders.RTX:
        refuse_bf16_deconvolutions(proto)
        if _TURING in targets:
            refuse_float32_on_turing(proto)
    changed = without_strided_dilation(proto)
    return (proto.SerializeToString() if changed else model.read_bytes()), changed


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


def _tensors(network: Any) -> tuple[PlanTensor, ...]:
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    return tuple(
        PlanTensor(tensor.name, mode, dtype_name(tensor.dtype.name), tuple(tensor.shape))
        for mode, tensors in (("input", inputs), ("output", outputs))
        for tensor in tensors
    )
