"""One entry point of a generator as an ONNX graph, by torch.export and torch's own exporter.

decoder: z float32 [batch, *latent] (, labels int64 [batch]) -> images (audio, output) [batch, ...]
encoder: images float32 [batch, C, H, W] (, labels int64 [batch]) -> mean, logvar [batch, latent]
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from engine.core.errors import ExportError, OptionError
from engine.core.spec import PRECISION_KEY, SPEC_KEY, GeneratorSpec
from engine.core.version import __version__
from engine.models.chain import NAME as CHAIN
from engine.models.infer import first_line, probe
from engine.models.loaded import LoadedGenerator
from engine.models.onnx_file import ARCH_KEY, ENTRY_POINT_KEY
from engine.models.registry import names
from export.choices import DEFAULT_OPSET, OPSETS
from export.per_sample import PerSample
from export.quiet import quiet

if TYPE_CHECKING:
    from onnx import ModelProto

    from export.precision import Lowered

_TRACED_BATCH = 2
_BATCH = "batch"


def to_onnx(
    module: nn.Module, spec: GeneratorSpec, entry_point: str, opset: int = DEFAULT_OPSET
) -> ModelProto:
    """The graph of a module that is ready for inference, with a free batch.

    Raises ExportError for a network that torch.export or ONNX cannot express, OptionError for an
    opset that the exporter does not reach.
    """
    if opset not in OPSETS:
        raise OptionError(
            f"opset {opset} is out of range; give {OPSETS.start} to {OPSETS.stop - 1}"
        )
    inputs = example_inputs(spec, entry_point, _TRACED_BATCH)
    batch = torch.export.Dim(_BATCH)
    try:
        with quiet(), torch.no_grad(), PerSample():
            program = torch.onnx.export(
                module,
                inputs,
                dynamo=True,
                input_names=input_names(spec, entry_point),
                output_names=output_names(spec, entry_point),
                dynamic_shapes=dynamic_shapes(module, [{0: batch} for _ in inputs]),
                opset_version=opset,
                verbose=False,
            )
    # The exporter wraps whatever went wrong in errors of its own, a page long.
    except Exception as error:
        raise ExportError(
            f"{spec.name}: the {entry_point} cannot be expressed in ONNX opset {opset}: "
            f"{_reason(error)}"
        ) from error
    if program is None:
        raise ExportError(f"{spec.name}: torch.onnx.export gave no graph for the {entry_point}")
    model = program.model_proto
    given = next(entry.version for entry in model.opset_import if not entry.domain)
    if given != opset:
        # The exporter falls back to an opset of its own where the conversion fails.
        raise OptionError(
            f"{spec.name} cannot be converted to opset {opset}, which lacks what the network "
            f"needs; torch {torch.__version__} gives {given}: give that, or {DEFAULT_OPSET}"
        )
    strip(model)
    return model


def example_inputs(
    spec: GeneratorSpec, entry_point: str, count: int, start: int = 0
) -> tuple[Tensor, ...]:
    """Inputs of samples start .. start + count of an entry point, the same in every process."""
    noise = spec.noise if entry_point == "decoder" else ()
    inputs = probe(spec.latent, len(spec.classes), count, start, noise)
    if entry_point == "decoder":
        return inputs
    low, high = spec.output.range
    size = (count, *spec.output.shape)
    images = torch.rand(size, generator=torch.Generator().manual_seed(start)) * (high - low) + low
    return (images, *inputs[1:])


def dynamic_shapes(module: nn.Module, shapes: list[dict[int, Any]]) -> tuple[Any, ...]:
    """As forward takes its inputs: `*rest` is one argument, a tuple."""
    named = [
        parameter
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.kind is not parameter.VAR_POSITIONAL
    ]
    rest = shapes[len(named) :]
    return (*shapes[: len(named)], tuple(rest)) if rest else tuple(shapes)


def input_names(spec: GeneratorSpec, entry_point: str) -> list[str]:
    """Names of the graph's inputs."""
    first = spec.latent.name if entry_point == "decoder" else "images"
    names = [first] + ([spec.condition.name] if spec.condition else [])
    return names + [item.name for item in spec.noise if entry_point == "decoder"]


def output_names(spec: GeneratorSpec, entry_point: str) -> list[str]:
    """Names of the graph's outputs."""
    if entry_point == "encoder":
        return ["mean", "logvar"]
    return [spec.output.name, *(item.name for item in spec.further)]


def strip(model: ModelProto) -> None:
    """Remove what the exporter notes about the machine: stack traces, paths, doc strings."""
    _strip_messages(model)
    del model.metadata_props[:]


def describe(
    model: ModelProto,
    loaded: LoadedGenerator,
    entry_point: str,
    precision: str,
    lowered: Lowered | None = None,
    *,
    images: bool = False,
) -> None:
    """Write into the model's metadata what it is, how it is built, and what was measured."""
    model.producer_name = "generator-engine"
    model.producer_version = __version__
    model.graph.name = entry_point
    spec = loaded.spec.replace(precisions=() if lowered is None else lowered.layers)
    entries = {
        SPEC_KEY: spec.to_json(),
        ENTRY_POINT_KEY: entry_point,
        PRECISION_KEY: precision if lowered is None else lowered.precision,
    }
    # PyTorch can rebuild a network of float32 numbers alone.
    plain = lowered is None and not images
    if plain and (loaded.arch == CHAIN or loaded.arch in names()):
        entries[ARCH_KEY] = arch_json(loaded.arch, loaded.arch_args)
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)


def arch_json(arch: str, arguments: Mapping[str, Any]) -> str:
    """How `engine.models` builds the network again."""
    return json.dumps({"name": arch, "args": dict(arguments)})


def _strip_messages(message: Any) -> None:
    """Clear doc strings and metadata of a protobuf message and of all below it."""
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None and field.name != "raw_data":
            # A repeated field iterates over its messages, a single one is the message.
            for part in value if hasattr(value, "__len__") else (value,):
                _strip_messages(part)


def _reason(error: BaseException) -> str:
    """The innermost cause: the exporter's outer layers only say that it failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)
