"""The models that ship: trained by `training`'s recipes on real data, each with a card.

NAME.gen is the model, ready to run with numpy and the native library; its card, NAME.json, tells
data, licence, command, steps and what was measured.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.core.artifacts import split_part
from engine.core.errors import ArtifactError
from engine.core.hints import nearest

_FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Names of the shipped models."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.gen")))


def card(name: str) -> dict[str, Any]:
    """The card of a shipped model. Raises ArtifactError for an unknown name."""
    if name not in names():
        raise ArtifactError(f"no shipped model is called {name!r}; there are {', '.join(names())}")
    values: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text())
    return values


def resolve(artifact: str | Path) -> Path:
    """A file's path as it is; a shipped model's name as the path of its .gen file.

    Raises ArtifactError when it is neither.
    """
    path, name = Path(artifact), str(artifact)
    # A folder may be called like a model (its samples, say), and is no artifact anyway.
    if name in names() and not path.is_file():
        return _FOLDER / f"{name}.gen"
    if split_part(path)[0].exists():
        return path
    hint = nearest(name, names())
    raise ArtifactError(f"{artifact}: no such file, and no shipped model of that name; {hint}")
