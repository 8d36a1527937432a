"""One family of exceptions for every mistake a user can make.

A message says what was wrong, with the value, and what to do about it. The command lines print it
on one line and leave with exit code 2.
"""


class EngineError(Exception):
    """Base of all errors that this project raises on purpose."""


class ArtifactError(EngineError):
    """A file cannot be used: missing, corrupt, unsafe, of the wrong kind, or not a generator."""


class OptionError(EngineError, ValueError):
    """An argument is out of range, unknown, or does not fit the model."""


class SelfDescribedError(OptionError):
    """An option says something about a model whose file says it itself."""


class ImagesOnlyError(OptionError):
    """Floats were asked of a decoder that gives uint8 images alone."""


class BackendUnavailableError(EngineError):
    """The backend asked for cannot run here; the message gives the reason and what can."""


class UnsupportedError(BackendUnavailableError):
    """The backend runs here, but not this model; the message names the operation."""


class NumericalError(EngineError, ArithmeticError):
    """NaN or infinity in the weights, or in the output of a sample, then with its number."""

    def __init__(self, message: str = "", sample: int | None = None) -> None:
        super().__init__(message)
        self.sample = sample


class OutputError(EngineError):
    """A result could not be written; nothing was left half done."""


class ExportError(EngineError):
    """A model could not be converted, or the converted model disagrees with the original."""


class TrainingError(EngineError):
    """Training stopped: a loss became NaN, or the discriminator won outright."""
