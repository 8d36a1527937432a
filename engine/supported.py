"""What no engine can do, told when it is opened."""

from __future__ import annotations

import math
from pathlib import Path

from engine.core.errors import ArtifactError
from engine.core.spec import GeneratorSpec
from engine.memory import check_fits


def check_supported(path: Path, spec: GeneratorSpec, batch_size: int) -> None:
    """Raise ArtifactError for inputs that cannot be fed, OptionError for batches that do not fit.

    path: of the artifact, for the message.
    """
    if spec.condition is not None and spec.condition.kind == "tensor":
        raise ArtifactError(
            f"{path}: asks for the further input {spec.condition.name}, which engines cannot feed "
            "yet; export it with the latent and the class alone"
        )
    noise = sum(item.size for item in (spec.latent, *spec.noise))
    elements = noise + math.prod(spec.output.shape)
    check_fits(f"batch_size={batch_size}", batch_size * elements * 4, "choose a smaller one")
