"""What stands beside a plan, NAME.plan.json, and whether plan and machine are as it says.

A plan itself tells neither what its numbers mean nor what built it. Everything here is decided
without TensorRT and without a GPU; `export.tensorrt` writes the same record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.artifacts import SourceFile, read_sidecar, sidecar_path
from engine.core.errors import ArtifactError, BackendUnavailableError, OptionError
from engine.core.files import sha256
from engine.core.records import ArrayTable, decode_record, encode_record
from engine.core.spec import GeneratorSpec

SIDECAR_FORMAT = "generator-plan"
SIDECAR_VERSION = 1
PORTABLE = "portable"
# Both libraries call Ampere the oldest generation that portable plans run on.
_OLDEST_PORTABLE = 80
_EXTRAS = {"tensorrt": "cuda", "tensorrt-rtx": "rtx"}
# TensorRT's names that are not simply those of numpy and torch in capitals.
_DTYPES = {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16"}
_AGAIN = "build the plan again: python -m export.tensorrt MODEL"


@dataclass(frozen=True, slots=True)
class PlanTensor:
    """An input or output of a plan; -1 stands for the free batch."""

    name: str
    mode: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def alone(self) -> bool:
        """Whether it is a vector of a plan for one sample, which has no batch."""
        return len(self.shape) == 1 and self.shape[0] != -1 and "float" in self.dtype


@dataclass(frozen=True, slots=True)
class Profile:
    """Smallest, best and largest batch of a plan, in the words of TensorRT."""

    min: int
    opt: int
    max: int

    def __str__(self) -> str:
        return f"{self.min}:{self.opt}:{self.max}"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One plan: what it means (the spec stands beside this record), what built it, for what."""

    entry_point: str
    sha256: str
    builder: str
    builder_version: str
    targets: tuple[str, ...]
    precision: str
    batch: Profile
    tensors: tuple[PlanTensor, ...]
    source: SourceFile | None = None
    weights: str = "fixed"
    format: str = SIDECAR_FORMAT
    version: int = SIDECAR_VERSION

    def __post_init__(self) -> None:
        if self.builder not in _EXTRAS:
            raise ArtifactError(f"builder {self.builder!r} is none of {', '.join(_EXTRAS)}")
        if any(tensor.mode not in ("input", "output") for tensor in self.tensors):
            raise ArtifactError("a tensor is neither input nor output")
        if self.entry_point not in ("decoder", "encoder"):
            raise ArtifactError(f"entry point {self.entry_point!r} is neither decoder nor encoder")


def as_values(sidecar: Sidecar, spec: GeneratorSpec) -> dict[str, Any]:
    """What is written as JSON: the record, and the spec under a key of its own."""
    return {**encode_record(sidecar, ArrayTable()), "spec": spec.to_dict()}


def read(plan: Path) -> tuple[Sidecar, GeneratorSpec] | None:
    """The sidecar of a plan and the spec in it, None if there is none.

    Raises ArtifactError where it is damaged, of a newer version, or of another plan.
    """
    values = read_sidecar(plan)
    if values is None:
        return None
    path = sidecar_path(plan)
    found = values.get("format"), values.get("version")
    if found != (SIDECAR_FORMAT, SIDECAR_VERSION):
        raise ArtifactError(
            f"{path}: no {SIDECAR_FORMAT} of version {SIDECAR_VERSION} (it says {found[0]!r}, "
            f"{found[1]!r}); {_AGAIN}, or update the package that is older"
        )
    spec = GeneratorSpec.from_dict(values.pop("spec"), path)
    try:
        sidecar: Sidecar = decode_record(values, Sidecar, ())
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}; {_AGAIN}") from error
    if sidecar.sha256 != sha256(plan):
        raise ArtifactError(
            f"{plan}: the sidecar beside it belongs to another plan, or the plan is damaged; "
            f"{_AGAIN}"
        )
    return sidecar, spec


def check_entry_point(sidecar: Sidecar, plan: Path, wanted: str) -> None:
    """Raise ArtifactError for the encoder where the decoder belongs, and the reverse."""
    if sidecar.entry_point == wanted:
        return
    remedy = _AGAIN
    if wanted == "decoder":
        remedy = f"open {plan.name.replace('.encoder', '')}"
    raise ArtifactError(f"{plan}: this is the {sidecar.entry_point} of a generator; {remedy}")


def check_builder(sidecar: Sidecar, plan: Path, installed: Sequence[str]) -> None:
    """Raise BackendUnavailableError where the library that built a plan is not installed."""
    if sidecar.builder not in installed:
        raise BackendUnavailableError(
            f"{plan}: built by {sidecar.builder}, installed is {', '.join(installed) or 'neither'};"
            f" pip install 'generator-engine[{_EXTRAS[sidecar.builder]}]'"
        )


def check_version(sidecar: Sidecar, plan: Path, version: str) -> None:
    """Raise ArtifactError unless this is the version that built the plan.

    Plans of both libraries run on the release that built them and on no other (TensorRT and
    TensorRT-RTX: Engine Compatibility); the exporter does not ask for version-compatible ones.
    """
    if sidecar.builder_version != version:
        raise ArtifactError(
            f"{plan}: built by {sidecar.builder} {sidecar.builder_version}, installed is "
            f"{version}; plans run on the version that built them alone: {_AGAIN}, or install that "
            "version"
        )


def check_targets(sidecar: Sidecar, plan: Path, capability: int) -> None:
    """Raise ArtifactError for a plan that was not built for GPUs of this capability (89 for 8.9).

    Plans of TensorRT run on the generation that they were built on. TensorRT-RTX itself tells what
    else a plan for named generations runs on; older ones are none of them.
    """
    targets, here = sidecar.targets, f"sm{capability}"
    numbers = [int(name[2:]) for name in targets if re.fullmatch("sm[0-9]{2,3}", name)]
    fits = True
    if PORTABLE in targets:
        fits = capability >= _OLDEST_PORTABLE
    elif numbers and sidecar.builder == "tensorrt":
        fits = capability in numbers
    elif numbers:
        fits = capability >= min(numbers)
    if not fits:
        raise ArtifactError(
            f"{plan}: built for {', '.join(targets)}, this GPU is {here}; build it with "
            f"--target {here}"
            + ("" if sidecar.builder == "tensorrt-rtx" else " by TensorRT-RTX, or on this machine")
        )


def check_tensors(
    sidecar: Sidecar, plan: Path, tensors: Sequence[PlanTensor], profile: Profile
) -> None:
    """Raise ArtifactError where the loaded engine is not as declared: tensors, batch profile."""
    declared = {tensor.name: tensor for tensor in sidecar.tensors}
    found = {tensor.name: tensor for tensor in tensors}
    for name in {**declared, **found}:
        if declared.get(name) != found.get(name):
            raise ArtifactError(
                f"{plan}: the sidecar says {_told(declared, name)}, the plan has "
                f"{_told(found, name)}; {_AGAIN}"
            )
    if sidecar.batch != profile:
        raise ArtifactError(
            f"{plan}: the sidecar says batches of {sidecar.batch}, the plan takes {profile}; "
            f"{_AGAIN}"
        )


def bucket(asked: int | None, profile: Profile, plan: Path) -> int:
    """The one batch size that an engine runs: what was asked for, or the plan's best.

    There is one bucket, and not smaller ones for short requests: a plan may take other kernels for
    another batch size, and a sample would no longer be the same bits whatever n and start are. Who
    wants few samples fast opens the engine with a small batch_size. Raises OptionError.
    """
    if asked is not None and not profile.min <= asked <= profile.max:
        raise OptionError(
            f"batch_size={asked} is outside {plan.name}'s profile of {profile.min} to "
            f"{profile.max}; build it with another --batch MIN:OPT:MAX"
        )
    return profile.opt if asked is None else asked


def dtype_name(name: str) -> str:
    """'float32' for TensorRT's FLOAT, and so on: as torch calls it where it has the type."""
    return _DTYPES.get(name, name.lower())


def _told(tensors: Mapping[str, PlanTensor], name: str) -> str:
    tensor = tensors.get(name)
    if tensor is None:
        return f"no {name!r}"
    return f"{tensor.mode} {name!r} {tensor.dtype} {list(tensor.shape)}"
