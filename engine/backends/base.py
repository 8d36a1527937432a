"""What a backend is: one opened artifact that turns named inputs into named outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from engine.core.artifacts import Artifact, ArtifactKind
from engine.core.errors import OptionError
from engine.core.spec import GeneratorSpec

Inputs = Mapping[str, NDArray[Any]]

# Name of the encoder's input, in every artifact; its outputs are `mean` and `logvar`.
ENCODER_INPUT = "images"
# Batches that backends on a device begin before the first is waited for: one computes while
# another one's result is copied.
IN_FLIGHT = 2


@dataclass(frozen=True)
class BackendOptions:
    """How to open an artifact. `auto` and None leave the choice to the backend."""

    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    threads: int | None = None
    # Whether to measure how to run; None leaves it to the environment.
    tune: bool | None = None


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do: kinds of artifact it opens, kinds of device, precisions.

    through_onnx: checkpoints are exported to ONNX before it opens them.
    fused_uint8: it makes uint8 images itself (`Backend.run_images`).
    any_count: it runs any number of rows up to its batch size, each with the bits that it has in
        a whole batch.
    fills_out: `run` and `run_images` take `out=`, a contiguous array for what the decoder makes.
    tunes: it can measure how to run (`BackendOptions.tune`).
    """

    artifacts: tuple[ArtifactKind, ...]
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    through_onnx: bool = False
    fused_uint8: bool = False
    any_count: bool = False
    fills_out: bool = False
    tunes: bool = False


@dataclass(frozen=True)
class Batch:
    """Named output tensors, numpy arrays or torch tensors that still lie on their device.

    finite [B] tells of each row whether all its numbers were finite, where the tensors cannot.
    """

    tensors: Mapping[str, Any]
    finite: Any = None

    def numpy(self, name: str) -> NDArray[Any]:
        """One tensor as a numpy array, copied off its device if need be."""
        tensor = self.tensors[name]
        if isinstance(tensor, np.ndarray):
            return tensor
        array: NDArray[Any] = tensor.cpu().numpy()
        return array


class Pending(Protocol):
    """A batch that was begun on a device and may still be computed."""

    def result(self) -> Batch:
        """Wait for it. Raises EngineError; its numpy arrays hold until `release`."""
        ...

    def release(self) -> None:
        """Let the memory of its arrays be used again."""
        ...


def finished(begun: Pending) -> Batch:
    """The result of a batch that stays on the device."""
    result = begun.result()
    begun.release()
    return result


class Backend(Protocol):
    """One opened artifact. Its batch size is fixed; `run` gets whole batches.

    A backend with the capability `any_count` gets the wanted rows alone, which may be fewer.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    spec: GeneratorSpec
    device: str
    precision: str
    batch_size: int
    notes: tuple[str, ...]
    # What was decided about how to run, by name, for the record.
    decisions: Mapping[str, str] = MappingProxyType({})

    # How many batches to begin before the first is waited for; 0 where there is no `begin`.
    in_flight: int = 0

    @property
    def makes_images(self) -> bool:
        """Whether this artifact's decoder gives uint8 images through `run_images`."""
        return self.capabilities.fused_uint8

    @classmethod
    def unavailable(cls) -> str | None:
        """Why this backend cannot run on this machine, or None. Cheap and silent."""
        ...

    @classmethod
    def unsuited(cls, options: BackendOptions) -> str | None:
        """Why it cannot be what `options` ask for, though it runs here, or None."""
        can = cls.capabilities
        for what, asked, valid in (
            ("device", options.device, can.devices),
            ("precision", options.precision, can.precisions),
        ):
            # A device may have a number: cuda:1.
            if asked != "auto" and asked.split(":")[0] not in valid:
                return f"{what} {asked!r} is none of {', '.join(valid)}"
        return None

    @classmethod
    def version(cls) -> str:
        """Version of what runs the model, '' if it is not installed."""
        ...

    @classmethod
    def open(cls, artifact: Artifact, options: BackendOptions) -> Self:
        """Load an artifact. Raises ArtifactError, OptionError or BackendUnavailableError."""
        ...

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """Run one whole batch through the decoder or the encoder.

        The decoder takes spec.latent.name [B, *latent] float32 (and spec.condition.name [B] int64)
        and gives spec.output.name; the encoder takes `images` and gives `mean` and `logvar`.
        """
        ...

    def run_images(self, inputs: Inputs) -> Batch:
        """One whole batch of the decoder as uint8 images [B, H, W, C], with `Batch.finite`.

        Only where it `makes_images`; rounding is that of `engine.images`.
        """
        raise NotImplementedError(f"{self.name} makes no uint8 images of its own")

    def begin(self, entry_point: str, inputs: Inputs, images: bool, to_host: bool) -> Pending:
        """Begin what `run` or `run_images` would do, and do not wait for it.

        Only where `in_flight` is above 0. to_host: results are numpy arrays, else torch tensors.
        """
        raise NotImplementedError(f"{self.name} runs one batch at a time")

    def close(self) -> None:
        """Free what was loaded. A second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A backend with the artifact it runs, why it was taken, and what else is to be told.

    file: what the backend reads; of a bundle the part, written out until the engine is closed.
    """

    backend: Backend
    reason: str
    artifact: Artifact
    file: Artifact
    notes: tuple[str, ...] = ()


def choose_option(what: str, asked: str, valid: tuple[str, ...], backend: str) -> str:
    """`asked`, or the first valid value for 'auto'. Raises OptionError with the valid ones."""
    if asked == "auto":
        return valid[0]
    if asked not in valid:
        raise OptionError(
            f"{what}={asked!r} is not possible with backend {backend!r} here; "
            f"possible: auto, {', '.join(valid)}"
        )
    return asked


def installed_version(*distributions: str) -> str:
    """Version of the first installed distribution of the given names, '' if there is none."""
    from importlib.metadata import PackageNotFoundError, version

    for distribution in distributions:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return ""


def not_installed(module: str, extra: str) -> str | None:
    """A reason if a module cannot be found, without importing it."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        return f"{module} is not installed; pip install 'generator-engine[{extra}]'"
    return None
