"""TensorRT plans, of the enterprise library or of TensorRT-RTX, on an NVIDIA GPU.

A plan says neither what its numbers mean nor which library built it; both stand in the sidecar
NAME.plan.json. Without one the spec is inferred from the tensors. PyTorch holds the device memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from engine.backends._cuda import no_gpu_reason
from engine.backends._infer_spec import infer_spec
from engine.backends._tensorrt import flavours
from engine.backends._tensorrt_plan import LoadedPlan
from engine.backends.base import (
    Backend,
    BackendOptions,
    Batch,
    Capabilities,
    Inputs,
    choose_option,
    installed_version,
    not_installed,
)
from engine.core.artifacts import Artifact, check_plan, read_sidecar, sidecar_path
from engine.core.errors import ArtifactError, ImagesOnlyError, OptionError
from engine.core.options import refuse_options
from engine.core.spec import GeneratorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any


class TensorRTBackend(Backend):
    """A decoder plan and, opened at first use, an encoder plan."""

    name = "tensorrt"
    capabilities = Capabilities(artifacts=("plan",), devices=("cuda",), precisions=("plan",))

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        self.device = choose_option("device", options.device, ("cuda",), self.name)
        self._artifact = artifact
        decoder, sidecar = _load(artifact.path)
        if sidecar is not None and sidecar.get("entry_point", "decoder") != "decoder":
            raise ArtifactError(
                f"{artifact.path}: this is the {sidecar['entry_point']} of a generator; open "
                f"{artifact.path.name.replace('.encoder', '')}"
            )
        built = "plan" if sidecar is None else str(sidecar.get("precision", "plan"))
        self.precision = choose_option("precision", options.precision, (built,), self.name)
        self._plans = {"decoder": decoder}
        if sidecar is None:
            self.spec = infer_spec(artifact, decoder.inputs(), decoder.outputs())
            self.notes: tuple[str, ...] = ("no sidecar: the spec was read off the plan's tensors",)
        else:
            refuse_options(artifact.options, artifact.path, "its sidecar describes it")
            self.spec = GeneratorSpec.from_dict(sidecar["spec"], sidecar_path(artifact.path))
            self.notes = ()
        self._images = any(
            (name, kind) == (self.spec.output.name, "tensor(uint8)")
            for name, kind, _ in decoder.outputs()
        )
        self.batch_size = _batch_size(options.batch_size, decoder, artifact.path)

    @classmethod
    def unavailable(cls) -> str | None:
        """Missing driver, GPU or package, or none."""
        missing_gpu = no_gpu_reason()
        if not flavours():
            package = "tensorrt is not installed; pip install 'generator-engine[cuda]' (or [rtx])"
            return f"{package}, and {missing_gpu}" if missing_gpu else package
        return missing_gpu or not_installed("torch", "torch")

    @classmethod
    def version(cls) -> str:
        """Versions of the libraries that are installed."""
        versions = {
            "tensorrt": installed_version("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
            "rtx": installed_version("tensorrt-rtx-cu13", "tensorrt-rtx-cu12", "tensorrt-rtx"),
        }
        return ", ".join(f"{name} {version}" for name, version in versions.items() if version)

    @classmethod
    def open(cls, artifact: Artifact, options: BackendOptions) -> Self:
        """Deserialise a plan."""
        return cls(artifact, options)

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """One batch; outputs are torch tensors on the device, ready when this returns.

        Raises ImagesOnlyError for a decoder that makes uint8 images itself.
        """
        if entry_point == "decoder" and self._images:
            raise ImagesOnlyError(
                f"{self._artifact.path} gives uint8 images alone; ask for output='uint8', or "
                "build it without --output uint8"
            )
        return Batch(self._plan(entry_point).run(inputs))

    def run_images(self, inputs: Inputs) -> Batch:
        """One batch of a decoder that was built with uint8 output."""
        return Batch(self._plan("decoder").run(inputs))

    @property
    def makes_images(self) -> bool:
        """Whether the plan was built with uint8 output."""
        return self._images

    def close(self) -> None:
        """Free contexts and engines."""
        self._plans.clear()

    def _plan(self, entry_point: str) -> LoadedPlan:
        if entry_point not in self._plans:
            self._plans[entry_point], _ = _load(self._artifact.encoder().path)
        return self._plans[entry_point]


def _load(path: Path) -> tuple[LoadedPlan, Mapping[str, Any] | None]:
    """A plan with the library that built it, and its sidecar."""
    sidecar = read_sidecar(path)
    builder = None if sidecar is None else sidecar.get("builder")
    if sidecar is not None:
        check_plan(path, sidecar)
    installed = flavours()
    if builder is not None and builder not in installed:
        raise ArtifactError(
            f"{path}: built by {builder}, installed is {', '.join(installed)}; "
            f"pip install 'generator-engine[{'rtx' if builder == 'tensorrt-rtx' else 'cuda'}]'"
        )
    return LoadedPlan(path, builder or installed[0]), sidecar


def _batch_size(asked: int | None, plan: LoadedPlan, path: Path) -> int:
    smallest, best, largest = plan.batch_profile()
    if asked is not None and not smallest <= asked <= largest:
        raise OptionError(
            f"batch_size={asked} is outside {path.name}'s profile of {smallest} to {largest}; "
            "build it with another --batch MIN:OPT:MAX"
        )
    return asked or best
