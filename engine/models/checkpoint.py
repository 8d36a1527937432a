"""Checkpoints of ours: what training writes and everything else reads.

The format is a `torch.save` of plain values and tensors:

    format "generator", version 1, spec (JSON), arch, arch_args,
    generator       state dict that training goes on with
    generator_ema   its moving average, what is sampled and exported (absent without EMA)
    training        whatever the recipe needs to resume (discriminator, optimisers, step, ...)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.core.errors import ArtifactError
from engine.core.files import atomic_path
from engine.core.spec import GeneratorSpec

FORMAT = "generator"
VERSION = 1

StateDict = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of ours, in memory."""

    spec: GeneratorSpec
    arch: str
    arch_args: Mapping[str, Any]
    generator: StateDict
    generator_ema: StateDict | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> StateDict:
        """The state dict to sample: the moving average where there is one."""
        return self.generator if self.generator_ema is None else self.generator_ema

    def save(self, path: str | Path) -> None:
        """Write in one step; an existing file stays whole if this fails. Raises OutputError."""
        values = {
            "format": FORMAT,
            "version": VERSION,
            "spec": self.spec.to_json(),
            "arch": self.arch,
            "arch_args": dict(self.arch_args),
            "generator": self.generator,
            "training": dict(self.training),
        }
        if self.generator_ema is not None:
            values["generator_ema"] = self.generator_ema
        with atomic_path(path) as temporary:
            torch.save(values, temporary)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], path: str | Path) -> Checkpoint:
        """Read what `save` wrote. Raises ArtifactError."""
        if values.get("version") != VERSION:
            raise ArtifactError(
                f"{path}: checkpoint version {values.get('version')!r}, this package reads "
                f"{VERSION}; update the package that is older"
            )
        try:
            spec, generator = _text(values, "spec", path), _state(values, "generator", path)
            arch, arch_args = _text(values, "arch", path), _mapping(values, "arch_args", path)
        except KeyError as error:
            raise ArtifactError(f"{path}: the checkpoint lacks {error}") from error
        has_average = values.get("generator_ema") is not None
        return cls(
            spec=GeneratorSpec.from_json(spec, f"{path}: 'spec'"),
            arch=arch,
            arch_args=arch_args,
            generator=generator,
            generator_ema=_state(values, "generator_ema", path) if has_average else None,
            training=_mapping(values, "training", path) if "training" in values else {},
        )


def is_own(values: Any) -> bool:
    """Whether loaded values are a checkpoint of ours."""
    return isinstance(values, Mapping) and values.get("format") == FORMAT


def _text(values: Mapping[str, Any], key: str, path: str | Path) -> str:
    if not isinstance(values[key], str):
        raise _damaged(path, key, values[key], "text")
    return str(values[key])


def _mapping(values: Mapping[str, Any], key: str, path: str | Path) -> Any:
    found = values[key]
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise _damaged(path, key, found, "names with values")
    return found


def _state(values: Mapping[str, Any], key: str, path: str | Path) -> StateDict:
    state: StateDict = _mapping(values, key, path)
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise _damaged(path, f"{key}.{name}", value, "a tensor")
    return state


def _damaged(path: str | Path, key: str, value: Any, wanted: str) -> ArtifactError:
    return ArtifactError(
        f"{path}: the checkpoint's {key!r} holds {type(value).__name__}, not {wanted}; the file is "
        "damaged, write it again"
    )
