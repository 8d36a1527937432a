"""A run's state as a checkpoint, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from engine.core.errors import ArtifactError, OptionError
from engine.core.spec import Provenance
from engine.models import GeneratorModule
from engine.models.checkpoint import Checkpoint, is_own
from engine.models.safe_load import read_values
from training.ema import EMA
from training.settings import Settings


class Task(Protocol):
    """What the loop needs of a recipe."""

    @property
    def model(self) -> GeneratorModule:
        """The network that is trained to generate."""

    def step(self, images: Tensor, labels: Tensor) -> dict[str, float]:
        """One update; gives the metrics."""

    def state(self) -> dict[str, Any]:
        """What a resume needs beside the model's weights."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""


@dataclass(frozen=True)
class Identity:
    """What the checkpoint says about itself."""

    name: str
    class_names: tuple[str, ...]
    provenance: Provenance


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps done, steps that the discriminator won in a row, on which data."""

    data_sha256: str
    step: int = 0
    won: int = 0


def pack(
    settings: Settings,
    identity: Identity,
    task: Task,
    ema: EMA[GeneratorModule],
    progress: Progress,
) -> Checkpoint:
    """The checkpoint of a run at this point."""
    return Checkpoint(
        spec=task.model.describe(identity.name, identity.class_names, identity.provenance),
        arch=settings.recipe,
        arch_args=settings.arch_args,
        generator=_plain(task.model.state_dict()),
        generator_ema=_plain(ema.average.state_dict()),
        training={
            **dataclasses.asdict(progress),
            "settings": {**dataclasses.asdict(settings), "augment": list(settings.augment)},
            "task": task.state(),
        },
    )


def resume(
    path: Path, settings: Settings, task: Task, ema: EMA[GeneratorModule], data_sha256: str
) -> Progress:
    """Load a checkpoint into task and ema; gives how far it was.

    Raises ArtifactError when the file is no run of ours, OptionError when the settings or the data
    differ.
    """
    values = read_values(path)
    if not is_own(values):
        raise ArtifactError(f"{path}: no checkpoint of this program, cannot resume it")
    checkpoint = Checkpoint.from_values(values, path)
    training = checkpoint.training
    if "data_sha256" not in training or checkpoint.generator_ema is None:
        raise ArtifactError(f"{path}: holds no training state, cannot resume it")
    differences = settings.differences(training["settings"])
    if training["data_sha256"] != data_sha256:
        differences.append("the images are not the same")
    if differences:
        raise OptionError(
            f"{path} cannot be resumed: {'; '.join(differences)}. Use the same options, or another "
            "output"
        )
    task.model.load_state_dict(checkpoint.generator)
    ema.average.load_state_dict(checkpoint.generator_ema)
    task.load(training["task"])
    return Progress(data_sha256, int(training["step"]), int(training["won"]))


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # Training runs channels-last; files hold the usual order.
    return {name: value.detach().contiguous() for name, value in state.items()}
