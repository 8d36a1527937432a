"""Sample generative models on whatever machine there is.

    from engine import Engine
    images = Engine("dcgan-digits").generate(64, labels="7")

Importing this needs numpy alone; a backend's packages are imported when an engine is made.
"""

from engine.api import Engine
from engine.core.errors import (
    ArtifactError,
    BackendUnavailableError,
    EngineError,
    ExportError,
    NumericalError,
    OptionError,
    OutputError,
    TrainingError,
)
from engine.core.spec import GeneratorSpec
from engine.core.version import __version__

__all__ = [
    "ArtifactError",
    "BackendUnavailableError",
    "Engine",
    "EngineError",
    "ExportError",
    "GeneratorSpec",
    "NumericalError",
    "OptionError",
    "OutputError",
    "TrainingError",
    "__version__",
]
