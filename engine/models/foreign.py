"""State dicts of networks that the file does not name."""

from pathlib import Path
from typing import Any

from engine.core.errors import ArtifactError
from engine.core.options import LoadOptions
from engine.models.loaded import LoadedGenerator


def load_recognised(values: Any, path: Path, options: LoadOptions) -> LoadedGenerator:
    """Refuse them."""
    raise ArtifactError("recognition not there yet: use --arch")
