"""Layers of an ONNX graph: every value between its nodes becomes an output of a copy."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.backends._onnx_session import DTYPES, as_taken, fixed_batch, open_session
from engine.core.errors import ArtifactError
from engine.core.spec import GeneratorSpec
from engine.layerwise.feeds import feed
from engine.layerwise.layers import Group, Layer, Reading, Samples, Step, grouped, is_read, stem
from engine.models.infer import first_line
from engine.models.onnx_file import read_onnx
from export.mixed import PRODUCTS

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

# Nodes that hand on a weight as it is, in another type.
_SAME = ("Cast", "DequantizeLinear", "QuantizeLinear", "Identity", "Transpose", "Reshape")
_RECURRENT = ("LSTM", "GRU", "RNN")
_STATES = 4
# Of the steps to uint8 that `export.uint8` appends.
_UINT8 = "uint8."


class OnnxLayers:
    """One file, opened with all its values as outputs."""

    def __init__(self, path: Path, spec: GeneratorSpec, entry_point: str, device: str) -> None:
        from onnx import ModelProto

        self._path, self._spec, self._entry_point = path, spec, entry_point
        model = read_onnx(path)
        names = _names(model)
        watched = ModelProto()
        watched.CopyFrom(model)
        self._outputs = _watch(watched, names)
        self._groups = _groups(model)
        self._names = names
        self._session = _open(watched, path, device)
        self.most = fixed_batch(self._session)

    def read(self, samples: Samples) -> list[Layer]:
        """Raises ArtifactError if onnxruntime cannot run the graph with these outputs."""
        count = len(samples.numbers)
        inputs = feed(self._spec, self._entry_point, samples)
        fed = {
            node.name: as_taken(
                _filled(inputs[node.name], self.most).astype(DTYPES[node.type]), node
            )
            for node in self._session.get_inputs()
        }
        try:
            made = self._session.run(list(self._outputs.values()), fed)
        # onnxruntime's exceptions share no base class of its own.
        except Exception as error:
            raise ArtifactError(
                f"{self._path}: its layers cannot be read: {first_line(error)}"
            ) from error
        # A whole batch of a graph that takes no other is read whole, and cut in the end.
        arrays = dict(zip(self._outputs, made, strict=True))
        layers = [self._layer(group, arrays, self.most or count) for group in self._groups]
        return [layer.part(count) for layer in layers]

    def _layer(self, group: Group, arrays: dict[str, Any], count: int) -> Layer:
        step = group.product
        if step is not None and step.operator in _RECURRENT:
            states, *last = map(str, step.makes)
            if states in arrays and arrays[states].ndim == _STATES:
                arrays[states] = _batch_first(arrays[states])
            for name in last:
                arrays.pop(name, None)
        readings = tuple(
            Reading(self._names[key], arrays[key])
            for key in map(str, group.makes)
            if is_read(arrays.get(key), count)
        )
        if step is None:
            return Layer("inputs", "", "", readings)
        return Layer(step.weight or step.name, step.operator, step.weight, readings)


def _groups(model: ModelProto) -> list[Group]:
    graph = model.graph
    stored = {item.name for item in graph.initializer}
    origin = {name: name for name in stored}
    steps = []
    for node in graph.node:
        reads = tuple(name for name in node.input if name)
        if node.op_type in _SAME and reads and reads[0] in origin:
            origin |= dict.fromkeys(node.output, origin[reads[0]])
        weight = next(filter(None, (stem(origin.get(name, "")) for name in reads)), "")
        product = node.op_type in PRODUCTS
        made = tuple(node.output)
        steps.append(Step(_name(node), node.op_type, product, reads, made, weight * product))
    given = [value.name for value in graph.input if value.name not in stored]
    return grouped(steps, given)


def _name(node: NodeProto) -> str:
    return node.name or next(iter(node.output), node.op_type)


def _names(model: ModelProto) -> dict[str, str]:
    """The values that are worth reading: each by the name that it has in a float32 graph.

    What is quantised is read after it was, since rounding may also do the work of an activation.
    """
    graph = model.graph
    outputs = {value.name for value in graph.output}
    readers = {node.input[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    names: dict[str, str] = {}
    for node in graph.node:
        if node.name.startswith(_UINT8) or node.op_type == "DequantizeLinear":
            continue
        if node.op_type == "Cast" and not outputs & set(node.output):
            continue
        if node.op_type == "QuantizeLinear":
            reader = readers.get(node.output[0])
            plain = node.input[0]
            if reader is not None:
                (made,) = reader.output
                names[made] = made if made in outputs else names.pop(plain, plain)
            continue
        names |= {name: name for name in node.output if name}
    for name in outputs:
        # A decoder of uint8 images has its floats under this name.
        if f"{name}.float32" in names:
            names[f"{name}.float32"] = name
            names.pop(name, None)
    return names


def _watch(model: ModelProto, names: dict[str, str]) -> dict[str, str]:
    """Make the floating-point values outputs; of each, the name of the output that has it."""
    from onnx import TensorProto, helper

    graph = model.graph
    kinds = _kinds(model)
    given = {value.name for value in graph.output}
    outputs: dict[str, str] = {}
    for name in names:
        kind = kinds.get(name)
        if kind == TensorProto.BFLOAT16:
            # numpy has no such type.
            outputs[name] = f"{name}.read"
            graph.node.append(
                helper.make_node("Cast", [name], [outputs[name]], to=TensorProto.FLOAT)
            )
            kind = TensorProto.FLOAT
        elif kind in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
            outputs[name] = name
        else:
            continue
        if outputs[name] not in given:
            graph.output.append(helper.make_tensor_value_info(outputs[name], kind, None))
    return outputs


def _kinds(model: ModelProto) -> dict[str, int]:
    from onnx import shape_inference

    graph: GraphProto = shape_inference.infer_shapes(model).graph
    return {
        value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)
    }


def _open(model: ModelProto, path: Path, device: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="generator-engine-") as folder:
        copy = Path(folder) / path.name
        try:
            copy.write_bytes(model.SerializeToString())
        # Of more than 2 GiB.
        except ValueError as error:
            raise ArtifactError(f"{path}: too large for its layers to be read") from error
        if device == "cpu":
            return open_session(copy)
        from engine.backends._onnx_providers import cuda_options, open_on_gpu

        # Every layer is an output, which a graph of CUDA's would have to copy each time.
        options = [("CUDAExecutionProvider", cuda_options(None, graph=False))]
        session, _ = open_on_gpu(copy, lambda _: options, None, lambda session, _: session)
        return session


def _batch_first(states: Any) -> Any:
    """[time, directions, n, hidden] -> [n, time, directions * hidden]."""
    moved = states.transpose(2, 0, 1, 3)
    return moved.reshape(*moved.shape[:2], -1)


def _filled(array: Any, size: int | None) -> Any:
    """A whole batch of a graph that takes no other, its rows repeated."""
    return array if size is None else np.resize(array, (size, *array.shape[1:]))
