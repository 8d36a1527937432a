"""Every kind of operation at a small shape, with the shapes of its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.program import graph
from engine.program.graph import Activation, Operation
from kernels.geometry import Geometry
from tests.cases.small_programs import weights

Shapes = tuple[tuple[int, ...], ...]


def case(make: type[Operation], *shapes: tuple[int, ...], outputs: int = 1, **fields: Any) -> Any:
    inputs = tuple(f"x{number}" for number in range(len(shapes)))
    names = tuple(f"y{number}" for number in range(outputs))
    operation = make(name="op", inputs=inputs, outputs=names, **fields)
    label = "-".join(str(part) for part in fields.values() if isinstance(part, str))
    return pytest.param(operation, shapes, id="-".join(filter(None, (make.kind, label))))


def cell(kind: str, **fields: Any) -> dict[str, Any]:
    gates = {"lstm": 4, "gru": 3}[kind] * 6
    return {
        "cell": kind,
        "weight": weights(1, 5, gates),
        "recurrent": weights(2, 6, gates),
        "bias": weights(3, gates),
        "recurrent_bias": weights(4, gates),
        **fields,
    }


CASES = [
    case(graph.Elementwise, (3, 5), activation=Activation("clip", -0.5, np.inf)),
    case(graph.Affine, (3, 5), scale=weights(1, 5), activation=Activation("gelu")),
    case(graph.PRelu, (3, 5), slope=weights(1, 5)),
    case(graph.Add, (3, 5), (3, 5), activation=Activation("relu")),
    case(graph.Binary, (3, 1), (1, 5), function="max"),
    case(graph.MatMul, (2, 3, 5), (2, 5, 4)),
    case(graph.Softmax, (3, 7)),
    case(graph.Reduce, (3, 5, 2), function="mean", axes=(0, 1)),
    case(graph.Reduce, (3, 5, 2), function="sum", axes=(0, 2)),
    case(graph.Pool, (5, 6, 3), function="mean", geometry=Geometry.forward((5, 6), (3, 3), 2, 1)),
    case(graph.Concat, (3, 2), (3, 5)),
    case(graph.Permute, (2, 3, 4), axes=(-1, 0, 1)),
    case(graph.Slice, (6, 4), begin=(4, 1), sizes=(2, 3), step=(-2, 1)),
    case(graph.Pad, (3, 4), before=(1, 2), after=(2, 0), mode="reflect"),
    case(
        graph.Pad, (2, 1, 2, 1, 3), before=(1, 0, 0, 0, 1), after=(0, 1, 0, 0, 2), mode="constant"
    ),
    case(graph.Pad, (3, 1, 2, 1, 1), before=(2, 0, 1, 0, 0), after=(1, 0, 1, 0, 0), mode="reflect"),
    case(graph.Upsample, (2, 3, 4), scales=(2, 3)),
    case(graph.Resample, (3, 4, 2), matrices=(weights(1, 5, 3), None)),
    case(graph.Resample, (3, 4, 2), matrices=(weights(1, 5, 3), weights(2, 2, 4))),
    case(graph.InstanceNorm, (6, 4), scale=weights(1, 4), shift=weights(2, 4), groups=2),
    case(graph.LayerNorm, (3, 6), scale=weights(1, 6), shift=weights(2, 6)),
    case(graph.Linear, (3, 5), weight=weights(1, 5, 4), shift=weights(2, 4)),
    case(
        graph.Convolution,
        (6, 4),
        geometry=Geometry.forward((6,), (3,), 2, 1),
        weight=weights(1, 3, 2, 6),
        groups=2,
    ),
    case(graph.Recurrent, (3, 5), outputs=3, **cell("lstm", reverse=True)),
    case(graph.Recurrent, (3, 5), (6,), (6,), outputs=3, **cell("lstm")),
    case(graph.Recurrent, (3, 5), outputs=2, **cell("gru")),
    case(graph.Recurrent, (2, 5), (6,), outputs=2, **cell("gru", linear_before_reset=False)),
]
