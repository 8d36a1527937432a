"""TensorRT plans, of the enterprise library or of TensorRT-RTX, on an NVIDIA GPU.

A plan says neither what its numbers mean nor which library built it; both stand in the sidecar
NAME.plan.json (`_plan_sidecar`). Without one the spec is inferred from the tensors. PyTorch holds
the device memory, the streams and the graphs; up to two batches are in flight (`_device_ring`).

There is one batch size for an engine's life (`_plan_sidecar.bucket`), and one CUDA graph for each
entry point and form of output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from engine.backends import _plan_sidecar as sidecars
from engine.backends._cuda import compute_capability, no_gpu_reason
from engine.backends._cuda_device import CudaDevice, Device
from engine.backends._device_ring import Ring
from engine.backends._infer_spec import infer_spec
from engine.backends._tensorrt import flavours, import_flavour
from engine.backends._tensorrt_context import PlanContext
from engine.backends._tensorrt_plan import LoadedPlan
from engine.backends.base import (
    IN_FLIGHT,
    Backend,
    BackendOptions,
    Batch,
    Capabilities,
    Inputs,
    Pending,
    choose_option,
    finished,
    installed_version,
    not_installed,
)
from engine.core.artifacts import Artifact
from engine.core.errors import ImagesOnlyError
from engine.core.options import refuse_options

if TYPE_CHECKING:
    from pathlib import Path

    from engine.backends._plan_sidecar import Sidecar
    from engine.core.spec import GeneratorSpec


class TensorRTBackend(Backend):
    """A decoder plan and, opened at first use, an encoder plan."""

    name = "tensorrt"
    capabilities = Capabilities(artifacts=("plan",), devices=("cuda",), precisions=("plan",))
    in_flight = IN_FLIGHT

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        self.device = choose_option("device", options.device, ("cuda",), self.name)
        self._artifact = artifact
        self._notes: list[str] = []
        self._contexts: dict[str, PlanContext] = {}
        self._rings: dict[tuple[str, bool], Ring] = {}
        sidecar, spec = _checked(artifact.path, "decoder")
        built = "plan" if sidecar is None else sidecar.precision
        self.precision = choose_option("precision", options.precision, (built,), self.name)
        if spec is not None:
            refuse_options(artifact.options, artifact.path, "its sidecar describes it")
        decoder = _loaded(artifact.path, sidecar)
        if spec is None:
            spec = infer_spec(artifact, decoder.described("input"), decoder.described("output"))
            self._notes.append("no sidecar: the spec was read off the plan's tensors")
        self.spec = spec
        self._images = any(
            (tensor.name, tensor.dtype) == (spec.output.name, "uint8")
            for tensor in decoder.of_mode("output")
        )
        self.batch_size = sidecars.bucket(options.batch_size, decoder.profile, artifact.path)
        self._gpu: Device = CudaDevice()
        self._open("decoder", decoder)

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """What had to be assumed, and what runs otherwise than it should."""
        return tuple(dict.fromkeys(self._notes))

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

    def begin(self, entry_point: str, inputs: Inputs, images: bool, to_host: bool) -> Pending:
        """Put one batch on the GPU.

        Raises ImagesOnlyError for floats of a decoder that was built for uint8 images.
        """
        if entry_point == "decoder" and self._images and not images:
            raise ImagesOnlyError(
                f"{self._artifact.name} gives uint8 images alone; ask for output='uint8', or "
                "build it without --output uint8"
            )
        return self._ring(entry_point, images).begin(inputs, to_host)

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """One batch; outputs are torch tensors on the device, ready when this returns."""
        return finished(self.begin(entry_point, inputs, images=False, to_host=False))

    def run_images(self, inputs: Inputs) -> Batch:
        """One batch of images, converted in the plan or on the device behind it."""
        return finished(self.begin("decoder", inputs, images=True, to_host=False))

    @property
    def makes_images(self) -> bool:
        """All plans of image models do: in the plan, or on the device behind it."""
        return self.spec.modality == "image"

    def close(self) -> None:
        """Free graphs, buffers, contexts and engines, in that order."""
        for ring in self._rings.values():
            ring.close()
        self._rings.clear()
        for context in self._contexts.values():
            context.close()
        self._contexts.clear()

    def _ring(self, entry_point: str, images: bool) -> Ring:
        with self._gpu.lock:
            if (entry_point, images) not in self._rings:
                self._rings[entry_point, images] = self._made(entry_point, images)
            return self._rings[entry_point, images]

    def _made(self, entry_point: str, images: bool) -> Ring:
        from engine.backends._device_images import with_images

        if entry_point not in self._contexts:
            path = self._artifact.encoder().path
            sidecar, _ = _checked(path, entry_point)
            self._open(entry_point, _loaded(path, sidecar))
        context = self._contexts[entry_point]
        network = context.network
        if images and not self._images:
            output = self.spec.output
            network = with_images(self._gpu, network, output.name, output.range)
        return Ring(self._gpu, context.graphed(network, self._notes))

    def _open(self, entry_point: str, plan: LoadedPlan) -> None:
        sidecars.bucket(self.batch_size, plan.profile, plan.path)
        context = PlanContext(plan, self._gpu, self.batch_size)
        context.keep_compiled(self._notes)
        self._contexts[entry_point] = context


def _checked(path: Path, entry_point: str) -> tuple[Sidecar | None, GeneratorSpec | None]:
    """The sidecar and the spec in it, if there is one and this machine is what it asks for."""
    found = sidecars.read(path)
    if found is None:
        return None, None
    sidecar, spec = found
    sidecars.check_entry_point(sidecar, path, entry_point)
    sidecars.check_builder(sidecar, path, flavours())
    sidecars.check_version(sidecar, path, import_flavour(sidecar.builder).__version__)
    sidecars.check_targets(sidecar, path, compute_capability())
    return sidecar, spec


def _loaded(path: Path, sidecar: Sidecar | None) -> LoadedPlan:
    """A plan with the library that built it, or the first that is installed."""
    plan = LoadedPlan(path, flavours()[0] if sidecar is None else sidecar.builder)
    if sidecar is not None:
        sidecars.check_tensors(sidecar, path, plan.tensors, plan.profile)
    return plan
