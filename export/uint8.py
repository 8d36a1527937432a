"""The last step from a generator's own range to images, in the graph: uint8 [batch, H, W, C].

The same arithmetic as `engine.images.to_uint8`. The Cast comes last: TensorRT has uint8 at its
borders alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.core.errors import OptionError
from engine.core.spec import GeneratorSpec

if TYPE_CHECKING:
    from onnx import ModelProto


def append_uint8(model: ModelProto, spec: GeneratorSpec) -> None:
    """Turn the float output of a decoder into images of the same name. Raises OptionError."""
    from onnx import TensorProto, helper

    if spec.modality != "image":
        raise OptionError(
            f"--output uint8 makes images; {spec.name!r} makes {spec.modality}, leave it out"
        )
    graph, name = model.graph, spec.output.name
    values = f"{name}.float32"
    for node in graph.node:
        for place, made in enumerate(node.output):
            if made == name:
                node.output[place] = values
        for place, read in enumerate(node.input):
            if read == name:
                node.input[place] = values
    low, high = spec.output.range
    scale = np.float32(255.0 / (high - low))
    shift = np.float32(-low) * scale
    numbers = {"scale": float(scale), "shift": float(shift), "least": 0.0, "most": 255.0}
    graph.initializer.extend(
        helper.make_tensor(f"uint8.{key}", TensorProto.FLOAT, [], [value])
        for key, value in numbers.items()
    )
    steps: tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...] = (
        ("Mul", ("uint8.scale",), {}),
        ("Add", ("uint8.shift",), {}),
        ("Round", (), {}),
        ("Clip", ("uint8.least", "uint8.most"), {}),
        ("Transpose", (), {"perm": [0, 2, 3, 1]}),
        ("Cast", (), {"to": TensorProto.UINT8}),
    )
    for kind, constants, attributes in steps:
        made = name if kind == "Cast" else f"uint8.{kind.lower()}"
        graph.node.append(
            helper.make_node(kind, [values, *constants], [made], f"uint8.{kind}", **attributes)
        )
        values = made
    channels, height, width = spec.output.shape
    batch = graph.output[0].type.tensor_type.shape.dim[0]
    sizes = [batch.dim_param or batch.dim_value, height, width, channels]
    graph.output[0].CopyFrom(helper.make_tensor_value_info(name, TensorProto.UINT8, sizes))
