"""Opening ONNX files with onnxruntime, and reading a spec off them, ours or a stranger's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.artifacts import Artifact
from engine.core.errors import ArtifactError
from engine.core.spec import SPEC_KEY, Condition, GeneratorSpec, Noise, Output, image_channels

if TYPE_CHECKING:
    import onnxruntime as ort

_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_INTEGERS = ("tensor(int64)", "tensor(int32)")


def open_session(
    path: Path, providers: list[Any] | None = None, threads: int | None = None
) -> ort.InferenceSession:
    """A session on one file. Raises ArtifactError if onnxruntime cannot read it."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    if providers:
        # A provider that fails must raise, not run on the CPU in silence.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        return ort.InferenceSession(path, options, providers=providers or ["CPUExecutionProvider"])
    # onnxruntime's exceptions share no base class of its own.
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise ArtifactError(f"{path}: onnxruntime cannot open this ONNX file: {reason}") from error


def session_spec(session: ort.InferenceSession, artifact: Artifact) -> GeneratorSpec:
    """The spec in the metadata, or one inferred from the tensors, with the user's completions."""
    metadata = session.get_modelmeta().custom_metadata_map
    if metadata.get("entry_point", "decoder") != "decoder":
        decoder = artifact.path.name.replace(".encoder", "")
        raise ArtifactError(
            f"{artifact.path}: this is the {metadata['entry_point']} of a generator; open {decoder}"
        )
    if SPEC_KEY in metadata:
        return GeneratorSpec.from_json(metadata[SPEC_KEY])
    return infer_spec(
        artifact,
        [(node.name, node.type, node.shape) for node in session.get_inputs()],
        [(node.name, node.type, node.shape) for node in session.get_outputs()],
    )


Tensor = tuple[str, str, list[Any]]


def infer_spec(artifact: Artifact, inputs: list[Tensor], outputs: list[Tensor]) -> GeneratorSpec:
    """A spec from a graph's inputs and outputs (name, type, shape with the batch first).

    One float input is the latent, an integer input the class; the first output must be an image,
    [B, C, H, W], or sound, [B, C, T]. Raises ArtifactError for anything else.
    """
    path, options = artifact.path, artifact.options
    floats = [tensor for tensor in inputs if tensor[1] in _FLOATS]
    integers = [tensor for tensor in inputs if tensor[1] in _INTEGERS]
    if len(floats) != 1 or len(integers) > 1 or len(inputs) != len(floats) + len(integers):
        raise ArtifactError(
            f"{path}: no generator: one float input (and at most one integer input, the class) "
            f"is expected, it has {_listed(inputs)}"
        )
    latent_name, _, latent_shape = floats[0]
    output_name, _, output_shape = outputs[0]
    latent = _sample_shape(path, "input", latent_name, latent_shape, options.input_shape)
    shape = _sample_shape(path, "output", output_name, output_shape, None)
    if math.prod(latent) > 16 * math.prod(shape):
        raise ArtifactError(
            f"{path}: no generator: it turns {list(latent)} into {list(shape)}, which is far less"
        )
    if len(shape) == 3 and image_channels(shape[0]):
        output = Output(
            shape, "CHW", options.output_range or (-1.0, 1.0), image_channels(shape[0]), output_name
        )
        modality = "image"
    elif len(shape) == 2:
        output = Output(shape, "CT", options.output_range or (-1.0, 1.0), "", output_name)
        modality = "audio"
    else:
        raise ArtifactError(
            f"{path}: no generator of images or sound: output {output_name!r} has the shape "
            f"{output_shape}; images are [batch, 1, 3 or 4, height, width]"
        )
    condition = None
    if integers:
        if options.classes is None:
            raise ArtifactError(
                f"{path}: input {integers[0][0]!r} asks for a class; say how many there are: "
                "classes=N (--classes N)"
            )
        names = tuple(str(index) for index in range(options.classes))
        condition = Condition(names=names, name=integers[0][0])
    return GeneratorSpec(
        name=path.stem,
        family="onnx",
        latent=Noise(latent, name=latent_name),
        output=output,
        modality="image" if modality == "image" else "audio",
        condition=condition,
        inferred=True,
    )


def fixed_batch(session: ort.InferenceSession) -> int | None:
    """The batch size that the graph insists on, or None if it is free."""
    size = session.get_inputs()[0].shape[0]
    return size if isinstance(size, int) else None


def _sample_shape(
    path: Path, what: str, name: str, shape: list[Any], given: tuple[int, ...] | None
) -> tuple[int, ...]:
    if given is not None:
        return given
    sample = shape[1:]
    if not sample or any(not isinstance(size, int) or size < 1 for size in sample):
        remedy = (
            " say it with input_shape (--input-shape)"
            if what == "input"
            else (" export it with fixed output sizes")
        )
        raise ArtifactError(f"{path}: {what} {name!r} has the open shape {shape};{remedy}")
    return tuple(sample)


def _listed(tensors: list[Tensor]) -> str:
    return ", ".join(f"{name} {kind} {shape}" for name, kind, shape in tensors) or "none"
