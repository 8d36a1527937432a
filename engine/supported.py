"""What no engine can do, told when it is opened; what a model cannot, when it is asked for."""

from __future__ import annotations

import math
from pathlib import Path

from engine.core.errors import ArtifactError, OptionError
from engine.core.spec import GeneratorSpec
from engine.latents import check_truncation
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
    states = [item.name for item in spec.further if item.name.startswith("next_")]
    if states:
        raise ArtifactError(
            f"{path}: is one step of a recurrent network, which gives {', '.join(states)} for the "
            "next step; engines do not repeat steps yet. It can be exported (python -m "
            "export.onnx, export.gen, export.tensorrt), and run with onnxruntime or TensorRT "
            "themselves"
        )
    noise = sum(item.size for item in (spec.latent, *spec.noise))
    elements = noise + math.prod(spec.output.shape)
    check_fits(f"batch_size={batch_size}", batch_size * elements * 4, "choose a smaller one")


def check_drawn(spec: GeneratorSpec, truncation: float | None) -> None:
    """Raise OptionError for inputs that nobody can draw, or a truncation that does not fit."""
    given = [item for item in (spec.latent, *spec.noise) if item.distribution == "given"]
    if given:
        listed = ", ".join(f"{item.name!r} {list(item.shape)}" for item in given)
        one = given == [spec.latent]
        call = "x), or in a file: python -m engine decode --latents x.npy" if one else "{name: x})"
        raise OptionError(
            f"{spec.name!r} makes nothing out of noise alone: {listed} {'is' if one else 'are'} "
            f"yours to give, with Engine.decode({call}"
        )
    check_truncation(spec.latent, truncation)
