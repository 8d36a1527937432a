"""From the steps of a chain to layer records, with the geometry and the activations filled in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.core.errors import ArtifactError, OptionError
from engine.core.recognition.gaps import Step
from engine.core.recognition.geometry import Geometry, Sized, final_side, layouts
from engine.core.recognition.parts import Array, Part
from engine.core.recognition.wiring import Node, start_side

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Style:
    """What no tensor tells about a chain."""

    hidden_activation: str
    output_activation: str
    batch_norm_eps: float | Sequence[float] = 1e-5
    slope: float = 0.2
    upsample_mode: str = "nearest"

    def eps(self, index: int) -> float:
        """Of the index-th batch norm; the last value of a list serves all that follow."""
        if isinstance(self.batch_norm_eps, Sequence):
            return self.batch_norm_eps[min(index, len(self.batch_norm_eps) - 1)]
        return self.batch_norm_eps


@dataclass(frozen=True, slots=True)
class Chain:
    """Layer records, the weights by `layers.N.leaf`, their source keys, the shape of a sample."""

    records: tuple[Record, ...]
    weights: dict[str, Array]
    sources: dict[str, str]
    output: tuple[int, ...]


def spatial(steps: Sequence[Step]) -> list[Step]:
    """The steps that are convolutions."""
    return [step for step in steps if isinstance(step.layer, Node) and step.layer.spatial]


def geometries(steps: Sequence[Step]) -> list[tuple[Geometry, ...]]:
    """Possible geometries of the convolutions of a chain, the most usual first."""
    convolutions = spatial(steps)
    return layouts(start_side(_nodes(steps)), _sized(convolutions)) if convolutions else [()]


def build_chain(
    steps: Sequence[Step],
    style: Style,
    geometry: Sequence[Geometry],
    output: tuple[int, ...] | None = None,
) -> Chain:
    """The records of a decoder. output is the sample's shape where the last layer is linear."""
    emitted = list(emit(steps, style, geometry))
    last = next(step.layer for step in reversed(steps) if isinstance(step.layer, Node))
    emitted.append((activation(style.output_activation, style), None))
    if last.spatial:
        convolutions = spatial(steps)
        end = final_side(start_side(_nodes(steps)), _sized(convolutions), geometry)
        output = (last.outputs, *(end,) * last.dims)
    elif output is not None:
        if math.prod(output) != last.outputs:
            raise ArtifactError(
                f"output_shape {list(output)} does not hold the network's {last.outputs} values"
            )
        emitted.append(({"op": "reshape", "shape": list(output)}, None))
    else:
        output = (last.outputs,)
    records = tuple(record for record, _ in emitted)
    return Chain(records, *named_weights(emitted), output)


def named_weights(
    emitted: Sequence[tuple[Record, Part | None]],
) -> tuple[dict[str, Array], dict[str, str]]:
    """The weights of emitted records as `layers.N.leaf`, and the keys that they come from."""
    weights, sources = {}, {}
    for index, (_, part) in enumerate(emitted):
        if part is not None:
            for leaf, tensor in part.tensors.items():
                weights[f"layers.{index}.{leaf}"] = tensor
                sources[f"layers.{index}.{leaf}"] = part.sources[leaf]
    return weights, sources


def layer_record(node: Node, geometry: Geometry | None = None) -> Record:
    """The record of a linear layer or of a convolution."""
    record: Record = {
        "op": "linear",
        "inputs": node.inputs,
        "outputs": node.outputs,
        "bias": node.part.bias,
    }
    if geometry is None:
        return record
    record |= {
        "op": "conv_transpose" if node.transposed else "conv",
        "dims": node.dims,
        "kernel": node.kernel[0],
        "stride": geometry.stride,
        "padding": geometry.padding,
    }
    if node.transposed:
        record["output_padding"] = geometry.output_padding
    return record


def activation(name: str, style: Style) -> Record:
    """The record of an activation."""
    return {"op": name, "slope": style.slope} if name == "leaky_relu" else {"op": name}


def norm_record(part: Part, dims: int, eps: float) -> Record:
    """The record of a batch norm."""
    return {
        "op": "batch_norm",
        "features": part.features,
        "dims": dims,
        "eps": eps,
        "affine": "weight" in part.tensors,
    }


def emit(
    steps: Sequence[Step], style: Style, geometry: Sequence[Geometry]
) -> Iterator[tuple[Record, Part | None]]:
    """The records of a chain, each with the part that its weights come from."""
    items, norms = iter(geometry), itertools.count()
    first = next(step.layer for step in steps if isinstance(step.layer, Node))
    dims = 0
    if first.spatial:
        dims = first.dims
        yield {"op": "reshape", "shape": [first.inputs, *(1,) * dims]}, None
    start = start_side(_nodes(steps))
    for index, step in enumerate(steps):
        if step.activation:
            yield activation(style.hidden_activation, style), None
        if step.reshape:
            node = next(s.layer for s in steps[index:] if isinstance(s.layer, Node))
            dims = node.dims
            yield {"op": "reshape", "shape": [node.inputs, *(start,) * dims]}, None
        if step.upsample:
            yield _upsample(step, style.upsample_mode), None
        if isinstance(step.layer, Node):
            if dims and not step.layer.spatial:
                yield {"op": "flatten"}, None
                dims = 0
            item = next(items) if step.layer.spatial else None
            yield layer_record(step.layer, item), step.layer.part
        elif step.layer.kind == "norm":
            yield norm_record(step.layer, dims, style.eps(next(norms))), step.layer
        else:
            yield {"op": "prelu", "features": len(step.layer.weight)}, step.layer


def _upsample(step: Step, mode: str) -> Record:
    record: Record = {"op": "upsample", "scale": 2}
    if mode == "nearest":
        return record
    if isinstance(step.layer, Node) and step.layer.dims != 2:
        raise OptionError(
            f"upsample_mode={mode!r} needs maps of 2 dimensions, {step.layer.part.name!r} takes "
            f"{step.layer.dims}; leave it at nearest"
        )
    return {**record, "mode": mode}


def _nodes(steps: Sequence[Step]) -> list[Node]:
    return [step.layer for step in steps if isinstance(step.layer, Node)]


def _sized(steps: Sequence[Step]) -> list[Sized]:
    sized = []
    for step in steps:
        node = step.layer
        if not isinstance(node, Node):
            continue
        if len(set(node.kernel)) != 1:
            raise ArtifactError(
                f"the layer {node.part.name!r} has the kernel {list(node.kernel)}; only square "
                "kernels are recognised"
            )
        sized.append(Sized(node.kernel[0], node.transposed, 2 if step.upsample else 1))
    return sized
