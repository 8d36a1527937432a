"""A small good file of every format, what opens it, and what a checksum promises about it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import make_checkpoint
from tests.host.fuzz import sealed


@dataclass(frozen=True)
class Format:
    """A kind of file.

    suffix: of the file that is damaged. make: writes a good one, and what belongs beside it.
    openers: how the worker reads it (`openers.OPENERS`). hashed: damage of any byte is found.
    inside: damage with checksums made right again.
    """

    suffix: str
    make: Callable[[Path], None]
    openers: tuple[str, ...]
    hashed: bool = False
    inside: Callable[[bytes, random.Random], bytes] | None = None


def _checkpoint(path: Path) -> None:
    make_checkpoint("dcgan", path)


def _legacy(path: Path) -> None:
    import torch

    values = torch.load(make_checkpoint("dcgan", path), weights_only=True)
    torch.save(values, path, _use_new_zipfile_serialization=False)


def _safetensors(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    values = torch.load(make_checkpoint("dcgan", path.with_suffix(".pt")), weights_only=True)
    save_file(values["generator"], path)


def _program(path: Path) -> None:
    from engine.models.load import load_generator
    from export.program import export_program

    export_program(load_generator(make_checkpoint("gan-mlp", path.with_suffix(".pt"))), path)


def _strangers_program(path: Path) -> None:
    import torch

    from engine.models.load import load_generator

    loaded = load_generator(make_checkpoint("gan-mlp", path.with_suffix(".pt")))
    decoder, z = loaded.entry_points["decoder"], torch.zeros(2, *loaded.spec.latent.shape)
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(decoder, (z,), dynamic_shapes=shapes), path)


def _onnx(path: Path) -> None:
    from engine.models.load import load_generator
    from export.convert import export_onnx

    export_onnx(load_generator(make_checkpoint("dcgan", path.with_suffix(".pt"))), path)


def _gen(path: Path) -> None:
    from engine.program import gen
    from tests.cases.small_programs import dcgan

    gen.write(path, dcgan())


def _kernels(path: Path) -> None:
    from kernels.binaries.container import Entry, pack

    record = {"kernel": "k", "parameters": ["pointer"]}
    entries = [Entry(name * 64, 90, record, b"\x7fELF" * 99, b"// ptx") for name in "ab"]
    path.write_bytes(pack(entries, {"sources": "s"}))


def _plan(path: Path) -> None:
    from engine.backends._plan_sidecar import PlanTensor, Profile, Sidecar, as_values
    from engine.core.artifacts import sidecar_path
    from engine.core.files import sha256
    from tests.cases.small_programs import dcgan

    path.write_bytes(random.Random(0).randbytes(5000))
    tensors = (
        PlanTensor("z", "input", "float32", (-1, 16)),
        PlanTensor("images", "output", "float32", (-1, 1, 32, 32)),
    )
    sidecar = Sidecar(
        "decoder",
        sha256(path),
        "tensorrt-rtx",
        "1.7",
        ("sm89",),
        "fp32",
        Profile(1, 8, 32),
        tensors,
    )
    values = as_values(sidecar, dcgan().spec)
    sidecar_path(path).write_text(json.dumps(values, indent=2))


def _bundle(path: Path) -> None:
    from engine.core.artifacts import SourceFile
    from export.bundle_file import made, write_bundle
    from tests.cases.small_programs import dcgan

    whole = path.with_name("model.gen")
    _gen(whole)
    part = made([whole], kind="gen", precision="fp32")
    write_bundle(path, dcgan().spec, SourceFile("x", "0" * 64), {}, [part])


def _sidecar(path: Path) -> None:
    _plan(path.with_suffix(""))


def _spec_file(path: Path) -> None:
    path.write_text(json.dumps(_spec(), indent=1))


def _spec() -> object:
    from tests.cases.small_programs import dcgan

    return dcgan().spec.to_dict()


def _latents(path: Path) -> None:
    import numpy as np

    np.save(path, np.random.default_rng(0).standard_normal((40, 16), np.float32))
    _gen(path.with_name("model.gen"))


def _archive(path: Path) -> None:
    import numpy as np

    np.savez_compressed(path, W=np.arange(600, dtype=np.float32), b=np.ones((3, 4)))


FORMATS: Mapping[str, Format] = {
    "pt": Format(".pt", _checkpoint, ("eager", "null", "info"), hashed=True, inside=sealed.zipped),
    "tar": Format(".tar", _checkpoint, ("eager",), hashed=True, inside=sealed.zipped),
    "legacy": Format(".pth", _legacy, ("eager",)),
    "safetensors": Format(".safetensors", _safetensors, ("eager", "info")),
    "pt2": Format(".pt2", _program, ("eager",), hashed=True, inside=sealed.zipped),
    "strangers-pt2": Format(".pt2", _strangers_program, ("eager", "info"), inside=sealed.zipped),
    "onnx": Format(".onnx", _onnx, ("onnxruntime", "eager", "native", "info")),
    "gen": Format(
        ".gen", _gen, ("native", "torch", "numpy", "null", "info"), hashed=True, inside=sealed.gen
    ),
    "bundle": Format(".bundle", _bundle, ("native", "null", "info"), hashed=True),
    "kernels": Format(".kernels", _kernels, ("kernels",), hashed=True, inside=sealed.kernels),
    "plan": Format(".plan", _plan, ("plan",), hashed=True),
    "sidecar": Format(".plan.json", _sidecar, ("sidecar", "null-plan")),
    "spec": Format(".json", _spec_file, ("null", "info")),
    "latents": Format(".npy", _latents, ("latents",)),
    "npz": Format(".npz", _archive, ("npz",), inside=sealed.zipped),
}
