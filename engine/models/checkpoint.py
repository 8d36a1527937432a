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
            return cls(
                spec=GeneratorSpec.from_json(values["spec"]),
                arch=values["arch"],
                arch_args=values["arch_args"],
                generator=values["generator"],
                generator_ema=values.get("generator_ema"),
                training=values.get("training", {}),
            )
        except KeyError as error:
            raise ArtifactError(f"{path}: the checkpoint lacks {error}") from error


def is_own(values: Any) -> bool:
    """Whether loaded values are a checkpoint of ours."""
    return isinstance(values, Mapping) and values.get("format") == FORMAT
