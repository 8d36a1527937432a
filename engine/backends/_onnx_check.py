"""Does a graph take and give what its spec says? Asked when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.backends._infer_spec import FLOATS
from engine.backends._onnx_session import DTYPES, told_precision
from engine.core.errors import ArtifactError
from engine.core.spec import SPEC_KEY, GeneratorSpec

if TYPE_CHECKING:
    import onnxruntime as ort

_PRECISIONS = {"tensor(float)": "fp32", "tensor(float16)": "fp16", "tensor(double)": "fp64"}
_TOLD = ("fp16", "bf16", "mixed", "int8")
UINT8 = "tensor(uint8)"


def check_decoder(session: ort.InferenceSession, spec: GeneratorSpec, path: Path) -> None:
    """Raise ArtifactError where names, types or sample shapes of graph and spec differ."""
    wanted = {item.name: item.shape for item in (spec.latent, *spec.noise)}
    if spec.condition is not None:
        wanted[spec.condition.name] = spec.condition.shape
    given = {node.name: node for node in session.get_inputs()}
    if set(given) != set(wanted):
        raise ArtifactError(
            f"{path}: the graph takes {', '.join(given)}, its spec says {', '.join(wanted)}; "
            "export it again"
        )
    for name, shape in wanted.items():
        if given[name].type not in DTYPES:
            raise ArtifactError(f"{path}: input {name!r} has the type {given[name].type}")
        _check_shape(path, given[name], shape)
    outputs = {node.name: node for node in session.get_outputs()}
    if spec.output.name not in outputs:
        raise ArtifactError(
            f"{path}: the graph gives {', '.join(outputs)}, its spec says {spec.output.name}; "
            "export it again"
        )
    output = outputs[spec.output.name]
    # Bytes of a stranger's graph may mean anything.
    ours = SPEC_KEY in session.get_modelmeta().custom_metadata_map
    if output.type == UINT8 and spec.modality == "image" and ours:
        channels, *sizes = spec.output.shape
        _check_shape(path, output, (*sizes, channels))
        return
    if output.type not in FLOATS:
        raise ArtifactError(
            f"{path}: output {output.name!r} has the type {output.type}; export the model with "
            "floating-point output in its own range, or with --output uint8"
        )
    _check_shape(path, output, spec.output.shape)


def makes_images(session: ort.InferenceSession, spec: GeneratorSpec) -> bool:
    """Whether the decoder gives uint8 images [batch, H, W, C] instead of floats."""
    kinds = {node.name: node.type for node in session.get_outputs()}
    return kinds.get(spec.output.name) == UINT8


def graph_precision(session: ort.InferenceSession, spec: GeneratorSpec) -> str:
    """What most of the graph computes in, as its export tells, or as it gives its samples."""
    told = told_precision(session)
    if told in _TOLD:
        return told
    kinds = {node.name: node.type for node in session.get_outputs()}
    return _PRECISIONS.get(kinds.get(spec.output.name, ""), "fp32")


def _check_shape(path: Path, node: Any, wanted: tuple[int, ...]) -> None:
    sample = node.shape if len(node.shape) == len(wanted) else node.shape[1:]
    same = len(sample) == len(wanted) and all(
        size == want for size, want in zip(sample, wanted, strict=True) if isinstance(size, int)
    )
    if not same:
        raise ArtifactError(
            f"{path}: {node.name!r} has the shape {node.shape}, its spec says {list(wanted)} a "
            "sample; export it again"
        )
