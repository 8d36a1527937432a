"""ONNX file or TensorRT plan -> model repository of NVIDIA's Triton Inference Server.

    python -m export.triton_server dcgan.onnx -o model_repository/

    model_repository/dcgan/config.pbtxt      what the server is told: tensors, batching, instances
    model_repository/dcgan/1/model.onnx      or model.plan

Written after the server's documents "Model Repository" and "Model Configuration". A model with an
encoder becomes two: NAME and NAME_encoder. The spec lies in the parameter `generator_spec`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from engine.backends import _plan_sidecar
from engine.backends._spec import read_spec
from engine.core.artifacts import Artifact, encoder_path, open_artifact
from engine.core.errors import ArtifactError, OptionError, OutputError
from engine.core.files import write_text
from engine.core.spec import GeneratorSpec
from export.command import require, user_errors, wrong_kind

_FREE = "export it with a free one, which the server puts together from requests"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TYPES = {
    "tensor(float)": "TYPE_FP32",
    "tensor(float16)": "TYPE_FP16",
    "tensor(double)": "TYPE_FP64",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(int64)": "TYPE_INT64",
    "tensor(int32)": "TYPE_INT32",
    "float32": "TYPE_FP32",
    "float16": "TYPE_FP16",
    "bfloat16": "TYPE_BF16",
    "uint8": "TYPE_UINT8",
    "int64": "TYPE_INT64",
    "int32": "TYPE_INT32",
}


@dataclass(frozen=True, slots=True)
class Serving:
    """How the server shall run a model.

    max_batch: largest batch it puts together; delay_us: how long it waits for more requests;
    instances: copies on each device; device: auto, gpu or cpu.
    """

    max_batch: int = 256
    delay_us: int = 500
    instances: int = 1
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: its type in the server's words, its shape without the batch."""

    name: str
    kind: str
    shape: tuple[int, ...]


def export_repository(
    artifact: Artifact, out: str | Path, name: str | None = None, serving: Serving | None = None
) -> list[Path]:
    """Write the models of an artifact into a repository; gives their folders.

    Raises ArtifactError for files that the server does not run, OptionError for names and batches
    that do not fit, OutputError for models that are there already.
    """
    out, serving = Path(out), serving or Serving()
    spec = read_spec(artifact)
    name = artifact.path.stem if name is None else name
    if not _NAME.fullmatch(name):
        raise OptionError(f"name {name!r}: a model is called by letters, digits, _ . and -")
    sources = {name: artifact.path}
    if "encoder" in spec.entry_points and encoder_path(artifact.path).is_file():
        sources[f"{name}_encoder"] = encoder_path(artifact.path)
    read = _read_plan if artifact.kind == "plan" else _read_onnx
    models = {model: (path, *read(path, serving)) for model, path in sources.items()}
    for model in models:
        if (out / model).exists():
            raise OutputError(
                f"{out / model} is there already; give another --name, or remove it first"
            )
    folders = []
    for model, (path, inputs, outputs, most) in models.items():
        text = config(model, artifact.kind, spec, inputs, outputs, most, serving)
        folders.append(_write(out / model, path, text))
    return folders


def config(
    name: str,
    kind: str,
    spec: GeneratorSpec,
    inputs: list[Tensor],
    outputs: list[Tensor],
    max_batch: int,
    serving: Serving,
) -> str:
    """The text of config.pbtxt, in protobuf's text format."""
    engine = 'platform: "tensorrt_plan"' if kind == "plan" else 'backend: "onnxruntime"'
    device = {"auto": "KIND_AUTO", "gpu": "KIND_GPU", "cpu": "KIND_CPU"}[serving.device]
    return "\n".join(
        [
            f"name: {_quoted(name)}",
            engine,
            f"max_batch_size: {max_batch}",
            *(f"input [ {_tensor(tensor)} ]" for tensor in inputs),
            *(f"output [ {_tensor(tensor)} ]" for tensor in outputs),
            f"dynamic_batching {{ max_queue_delay_microseconds: {serving.delay_us} }}",
            f"instance_group [ {{ kind: {device} count: {serving.instances} }} ]",
            f'parameters {{ key: "generator_spec" value {{ string_value: '
            f"{_quoted(spec.to_json())} }} }}",
            "",
        ]
    )


def _read_onnx(path: Path, serving: Serving) -> tuple[list[Tensor], list[Tensor], int]:
    require("onnxruntime", extra="onnx")
    from engine.backends._onnx_session import open_session

    session = open_session(path)
    sides = []
    for nodes in (session.get_inputs(), session.get_outputs()):
        if any(not node.shape or isinstance(node.shape[0], int) for node in nodes):
            raise ArtifactError(f"{path}: exported for a fixed batch; {_FREE}")
        sides.append([_checked(path, node.name, node.type, node.shape[1:]) for node in nodes])
    return sides[0], sides[1], serving.max_batch


def _read_plan(path: Path, serving: Serving) -> tuple[list[Tensor], list[Tensor], int]:
    found = _plan_sidecar.read(path)
    if found is None:
        raise ArtifactError(f"{path}: no sidecar beside it says what its tensors are")
    sidecar, _ = found
    if sidecar.builder != "tensorrt":
        raise ArtifactError(
            f"{path}: built by {sidecar.builder}; the server runs plans of TensorRT itself, "
            "of exactly its own version and GPU: build it there, or serve the ONNX file"
        )
    if any(tensor.shape[:1] != (-1,) for tensor in sidecar.tensors):
        raise ArtifactError(f"{path}: built for a fixed batch; {_FREE}")
    sides: dict[str, list[Tensor]] = {"input": [], "output": []}
    for tensor in sidecar.tensors:
        sides[tensor.mode].append(_checked(path, tensor.name, tensor.dtype, tensor.shape[1:]))
    return sides["input"], sides["output"], min(sidecar.batch.max, serving.max_batch)


def _checked(path: Path, name: str, kind: str, shape: Any) -> Tensor:
    if kind not in _TYPES:
        raise ArtifactError(f"{path}: {name!r} has the type {kind}, which the server has not")
    if any(not isinstance(size, int) or size < 1 for size in shape):
        raise ArtifactError(f"{path}: {name!r} has the open shape {list(shape)}")
    return Tensor(name, _TYPES[kind], tuple(shape))


def _tensor(tensor: Tensor) -> str:
    # A shape of the batch alone, as labels have, is one of 1 that is reshaped away.
    dims = ", ".join(map(str, tensor.shape or (1,)))
    reshape = "" if tensor.shape else " reshape { shape: [ ] }"
    return f"{{ name: {_quoted(tensor.name)} data_type: {tensor.kind} dims: [ {dims} ]{reshape} }}"


def _quoted(text: str) -> str:
    """A string of protobuf's text format: bytes beyond ASCII as octal escapes."""
    plain = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n"}
    return (
        '"'
        + "".join(
            plain.get(byte, chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}")
            for byte in text.encode()
        )
        + '"'
    )


def _write(folder: Path, model: Path, text: str) -> Path:
    """The model's folder, complete when it appears under its name."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
            whole = Path(made) / folder.name
            (whole / "1").mkdir(parents=True)
            suffix = ".onnx" if model.suffix == ".onnx" else ".plan"
            shutil.copyfile(model, whole / "1" / f"model{suffix}")
            write_text(whole / "config.pbtxt", text)
            whole.rename(folder)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


@click.command()
@click.argument("model", metavar="MODEL.onnx|MODEL.plan", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The repository.")
@click.option("--name", help="default: that of the file")
@click.option("--max-batch", type=click.IntRange(1), default=256, show_default=True)
@click.option(
    "--delay",
    metavar="US",
    type=click.IntRange(0),
    default=500,
    show_default=True,
    help="Microseconds to wait for more requests.",
)
@click.option("--instances", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--device", type=click.Choice(["auto", "gpu", "cpu"]), default="auto", show_default=True
)
@user_errors
def main(
    model: Path,
    out: Path,
    name: str | None,
    max_batch: int,
    delay: int,
    instances: int,
    device: str,
) -> None:
    """Make a model repository for the Triton Inference Server."""
    artifact = open_artifact(model)
    if artifact.kind not in ("onnx", "plan"):
        raise wrong_kind(artifact, "the server runs ONNX files and plans; export it to one")
    serving = Serving(max_batch, delay, instances, device)
    for folder in export_repository(artifact, out, name, serving):
        click.echo(f"wrote     {folder}/config.pbtxt, with the model in {folder}/1")


if __name__ == "__main__":
    main()
