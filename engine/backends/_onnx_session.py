"""Opening ONNX files with onnxruntime, and the spec in their metadata."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.backends._infer_spec import FLOATS, infer_spec
from engine.core.artifacts import Artifact
from engine.core.errors import ArtifactError
from engine.core.options import refuse_options
from engine.core.spec import PRECISION_KEY, SPEC_KEY, GeneratorSpec

if TYPE_CHECKING:
    import onnxruntime as ort
    from numpy.typing import NDArray

# Types of graph inputs that samples can be turned into.
DTYPES: dict[str, type[np.number[Any]]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def open_session(
    path: Path, threads: int | None = None, optimised: bool = True
) -> ort.InferenceSession:
    """A session on the CPU. Raises ArtifactError if onnxruntime cannot read the file.

    optimised: off where only names and shapes are wanted of it.
    """
    import onnxruntime as ort

    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    if threads is not None:
        options.intra_op_num_threads = threads
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(
            path, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
        _check_text(session)
    # onnxruntime's exceptions share no base class of its own.
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        # What a graph in bfloat16 ends in: convolutions in it came with opset 22.
        missing = "NOT_IMPLEMENTED" in reason
        remedy = "; on the CPU export it in fp32, fp16 or auto, or as .gen" if missing else ""
        raise ArtifactError(
            f"{path}: onnxruntime cannot open this ONNX file: {reason}{remedy}"
        ) from error
    return session


def _check_text(session: ort.InferenceSession) -> None:
    """Damaged text raises UnicodeDecodeError where it is asked for; ask once, here."""
    _ = session.get_modelmeta().custom_metadata_map
    for node in (*session.get_inputs(), *session.get_outputs()):
        _ = node.name, node.shape


def session_spec(session: ort.InferenceSession, artifact: Artifact) -> GeneratorSpec:
    """The spec in the metadata, or one inferred from the tensors, with the user's completions."""
    metadata = session.get_modelmeta().custom_metadata_map
    if metadata.get("entry_point", "decoder") != "decoder":
        decoder = artifact.path.name.replace(".encoder", "")
        raise ArtifactError(
            f"{artifact.path}: this is the {metadata['entry_point']} of a generator; open {decoder}"
        )
    if SPEC_KEY in metadata:
        refuse_options(artifact.options, artifact.path, "the file describes itself")
        return GeneratorSpec.from_json(metadata[SPEC_KEY], artifact.path)
    inputs = [(node.name, node.type, node.shape) for node in session.get_inputs()]
    outputs = [(node.name, node.type, node.shape) for node in session.get_outputs()]
    first = outputs[0]
    if not all(isinstance(size, int) for size in first[2][1:]):
        outputs[0] = (first[0], first[1], _measured_shape(session, artifact))
    return infer_spec(artifact, inputs, outputs)


def _measured_shape(session: ort.InferenceSession, artifact: Artifact) -> list[Any]:
    """Shape of the first output for one batch of zeros; the declared one if that does not run."""
    feed = {}
    given = iter(artifact.options.input_shapes)
    for node in session.get_inputs():
        sample = next(given, sample_shape(node)) if node.type in FLOATS else node.shape[1:]
        if node.type not in DTYPES or not all(isinstance(size, int) for size in sample):
            return list(session.get_outputs()[0].shape)
        batch = node.shape[0] if node.shape and isinstance(node.shape[0], int) else 1
        zeros = np.zeros((batch, *sample), DTYPES[node.type])
        feed[node.name] = as_taken(zeros, node)
    name = session.get_outputs()[0].name
    try:
        return list(session.run([name], feed)[0].shape)
    # onnxruntime's errors have no base class of their own.
    except Exception as error:
        shapes = ", ".join(f"{key} {list(value.shape)}" for key, value in feed.items())
        raise ArtifactError(
            f"{artifact.path}: does not run on {shapes}: {str(error).strip().splitlines()[0]}; "
            "check --input-shape"
        ) from error


def told_precision(session: ort.InferenceSession) -> str | None:
    """What our export made it in: "fp16-weights", "fp16", "mixed", ...; None of other files."""
    told: str | None = session.get_modelmeta().custom_metadata_map.get(PRECISION_KEY)
    return told


def sample_shape(node: ort.NodeArg) -> list[Any]:
    """The shape of an input without its batch; that of a vector, which has none, as it is."""
    alone = len(node.shape) == 1 and isinstance(node.shape[0], int)
    return list(node.shape if alone else node.shape[1:])


def as_taken(array: NDArray[Any], node: ort.NodeArg) -> NDArray[Any]:
    """An array [1, size] as a vector, where a graph for one sample takes one; else as it is."""
    alone: NDArray[Any] = array[0] if array.ndim == len(node.shape) + 1 == 2 else array
    return alone


def fixed_batch(session: ort.InferenceSession) -> int | None:
    """The batch size that the graph insists on, or None if it is free."""
    size = session.get_inputs()[0].shape[0]
    return size if isinstance(size, int) else None
