"""Tensors and plain values out of any checkpoint file, without executing what a pickle holds."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.core.errors import ArtifactError
from engine.core.npz import read_npz
from engine.core.zips import check_member, open_zip
from engine.models.readable import refuse_tangled

# What Chainer calls the tensors of a layer; their shapes are PyTorch's.
_CHAINER = {
    "W": "weight",
    "b": "bias",
    "gamma": "weight",
    "beta": "bias",
    "avg_mean": "running_mean",
    "avg_var": "running_var",
    "N": "num_batches_tracked",
}
# Named in torch's refusal: "unsupported GLOBAL posix.system", "GLOBAL mine.Net was not an allowed".
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def read_values(path: str | Path) -> Any:
    """Tensors and plain values of a checkpoint file, on the CPU; code in a pickle is refused.

    Takes what `torch.save` wrote (zip or legacy), `.safetensors` and `.npz`. Beside tensors,
    numbers and text it lets through what training scripts put beside weights and what can run no
    code: numpy scalars and argparse namespaces. Raises ArtifactError for a missing, truncated or
    foreign file.
    """
    path = Path(path)
    if path.is_dir():
        raise ArtifactError(f"{path}: a folder; give the checkpoint file in it")
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix == ".npz":
        return _read_npz(path)
    zipped = _begins(path) == b"PK"
    if zipped:
        _check_archive(path)
    try:
        # torch warns about other pickle protocols before it refuses them.
        with warnings.catch_warnings(), torch.serialization.safe_globals(_inert_types()):
            warnings.simplefilter("ignore")
            # Mapped, a tensor cannot reach out of the file; torch believes sizes otherwise.
            values = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        raise ArtifactError(f"{path}: {_refusal(path, str(error))}") from error
    # Damaged bytes make torch's reader stumble over nearly anything.
    except Exception as error:
        raise ArtifactError(f"{path}: {_damage(path, error)}") from error
    refuse_tangled(values, path)
    return values


def _check_archive(path: Path) -> None:
    """Compare the checksums, which torch does not, and refuse what cannot be mapped."""
    try:
        with open_zip(path) as (archive, members):
            # All are zero where torch.serialization.set_crc32_options(False) was said.
            summed = any(member.CRC for member in members)
            for member in members:
                _check_stored(member)
                if summed:
                    check_member(archive, member)
    except ArtifactError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise ArtifactError(f"{path}: a damaged checkpoint, or cut short: {reason}") from error


def _check_stored(member: zipfile.ZipInfo) -> None:
    # The source text of TorchScript is; torch says then what the file is.
    if member.compress_type != zipfile.ZIP_STORED and "/code/" not in member.filename:
        raise ArtifactError(f"{member.filename!r} is compressed, which torch.save does not do")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"{path}: not a readable safetensors file: {_line(error)}") from error


def _read_npz(path: Path) -> dict[str, Tensor]:
    """Arrays of numbers by name; Chainer's `layer/W` becomes `layer.weight`."""
    tensors = {
        name: torch.from_numpy(array)
        for name, array in read_npz(path).items()
        if array.dtype.kind in "bif" and array.dtype.itemsize <= 8
    }
    leaves = [name.rpartition("/") for name in tensors]
    if not all(layer and leaf in _CHAINER for layer, _, leaf in leaves):
        return tensors
    return {
        f"{layer.replace('/', '.')}.{_CHAINER[leaf]}": tensor
        for (layer, _, leaf), tensor in zip(leaves, tensors.values(), strict=True)
    }


def _inert_types() -> list[Any]:
    """What may be restored beside tensors: these hold data and run nothing."""
    scalar = type(np.float64(0)).__reduce__(np.float64(0))[0]
    dtypes = [type(np.dtype(name)) for name in ("bool", "int32", "int64", "float32", "float64")]
    return [Namespace, np.dtype, scalar, (scalar, "numpy.core.multiarray.scalar"), *dtypes]


def _refusal(path: Path, reason: str) -> str:
    found = _GLOBAL.search(reason)
    if found or "Unsupported class" in reason:
        named = f" ({found[1]})" if found else ""
        return (
            f"holds Python objects{named} that only executing the pickle could restore; that is "
            "refused. Save the weights alone: torch.save(model.state_dict(), path)"
        )
    if _begins(path) not in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return "not a PyTorch checkpoint"
    return (
        "a pickle that torch.save did not write, or damaged; it is not executed. Save the weights "
        "alone: torch.save(model.state_dict(), path)"
    )


def _damage(path: Path, error: Exception) -> str:
    if "TorchScript" in str(error):
        return (
            "a TorchScript archive, which holds code; load it with torch.jit.load where it came "
            "from and save its weights alone: torch.save(module.state_dict(), path)"
        )
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    if _begins(path) == b"PK" or isinstance(error, (EOFError, zipfile.BadZipFile)):
        return f"a damaged checkpoint, or cut short: {_line(error)}"
    return "not a PyTorch checkpoint"


def _begins(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(2)


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
