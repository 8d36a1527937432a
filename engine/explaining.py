"""An engine in words: what was opened, on what, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.api import Engine


def explained(engine: Engine, version: str, reason: str) -> str:
    """Readable lines; version: of the backend, reason: why this one was taken."""
    spec = engine.spec
    condition = f"{len(spec.classes)} classes" if spec.classes else "unconditional"
    lines = [
        f"model      {spec.name} ({spec.family}, {condition})"
        + (", spec inferred from the tensors" if spec.inferred else ""),
        f"artifact   {engine.artifact.location}",
        f"latent     {list(spec.latent.shape)} {spec.latent.distribution}",
        *(
            f"noise      {noise.name} {list(noise.shape)} {noise.distribution}"
            for noise in spec.noise
        ),
        f"output     {list(spec.output.shape)} {spec.output.layout} in "
        f"[{spec.output.range[0]:g}, {spec.output.range[1]:g}]",
        f"backend    {engine.backend} {version}: {reason}",
        f"runs on    {engine.device}, {engine.precision}, batches of {engine.batch_size}",
    ]
    lines += [f"note       {note}" for note in engine.notes]
    return "\n".join(lines)
