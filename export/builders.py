"""TensorRT and TensorRT-RTX as builders of plans, and all that differs between them.

                     tensorrt                          tensorrt-rtx
    builds           on the GPU that will run it       on any machine
    targets          that GPU; `portable`: Ampere      compute capabilities by name; `portable`:
                     and newer, one plan for all       Ampere and newer
    timing cache     saves measuring kernels again     nothing is measured: refused
    refit, strip     yes                               only where there is an NVIDIA driver

Names of both are those of TensorRT's Python API reference, 10.x and 11.x.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.backends._cuda import compute_capability, no_gpu_reason
from engine.backends._plan_sidecar import PORTABLE
from engine.backends._tensorrt import flavours, import_flavour
from engine.core.errors import BackendUnavailableError, ExportError, OptionError
from engine.core.files import atomic_path
from export.plan_options import BuildOptions

TENSORRT = "tensorrt"
RTX = "tensorrt-rtx"

_MIB = 1 << 20
# Told what the builder does: its phase, steps done, steps in all.
Advance = Callable[[str, int, int], object]


def choose_builder() -> str:
    """TensorRT where it is installed and there is a GPU, else TensorRT-RTX.

    Raises BackendUnavailableError if neither can build here.
    """
    installed = flavours()
    no_gpu = no_gpu_reason()
    if TENSORRT in installed and no_gpu is None:
        return TENSORRT
    if RTX in installed:
        return RTX
    if TENSORRT in installed:
        raise BackendUnavailableError(
            f"TensorRT builds plans on a GPU only, and {no_gpu}; TensorRT-RTX builds anywhere: "
            "pip install 'generator-engine[rtx]'"
        )
    raise BackendUnavailableError(
        "no TensorRT is installed; pip install 'generator-engine[rtx]' (builds without a GPU) "
        "or 'generator-engine[cuda]'"
    )


def check(options: BuildOptions, flavour: str) -> None:
    """Raise OptionError for what a builder cannot do, before it works for minutes."""
    named = _named(options)
    if flavour == TENSORRT:
        if named:
            raise OptionError(
                f"TensorRT builds for the GPU at hand, not for {', '.join(named)}; leave --target "
                f"out, or give --target {PORTABLE}"
            )
        return
    if named:
        known = _capabilities(import_flavour(flavour))
        for target in named:
            if target not in known:
                raise OptionError(
                    f"TensorRT-RTX does not build for {target}; known are {', '.join(known)} and "
                    f"{PORTABLE}"
                )
    if options.timing_cache is not None:
        raise OptionError(
            f"timing cache {options.timing_cache}: TensorRT-RTX measures nothing when it builds; "
            "leave --timing-cache out"
        )
    no_gpu = no_gpu_reason()
    if options.weights != "fixed" and no_gpu is not None:
        raise OptionError(
            f"--weights {options.weights}: TensorRT-RTX builds such plans only where there is a "
            f"GPU, and {no_gpu}; leave it out"
        )


def configure(trt: Any, config: Any, options: BuildOptions, flavour: str) -> None:
    """Set everything but the profile and the timing cache. Raises OptionError."""
    # TF32 keeps 10 bits of the mantissa: not the fp32 that parity was checked in.
    config.clear_flag(trt.BuilderFlag.TF32)
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB)
    if options.weights == "refit":
        config.set_flag(trt.BuilderFlag.REFIT)
    elif options.weights == "stripped":
        config.set_flag(trt.BuilderFlag.STRIP_PLAN)
    if flavour == TENSORRT:
        if options.targets:
            config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    else:
        _name_targets(trt, config, _named(options))


def built_for(options: BuildOptions, flavour: str) -> tuple[str, ...]:
    """The GPUs that a plan is for: generations by name, or `portable`."""
    if options.targets or flavour == RTX:
        return options.targets or (PORTABLE,)
    return (f"sm{compute_capability()}",)


def load_timing_cache(config: Any, path: Path) -> None:
    """Begin with what was measured before, if the file is there. Raises ExportError."""
    try:
        known = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise ExportError(f"{path}: the timing cache cannot be read: {error}") from error
    cache = config.create_timing_cache(known)
    if cache is None or not config.set_timing_cache(cache, False):
        raise ExportError(
            f"{path}: a timing cache of another TensorRT or GPU, or damaged; give another file"
        )


def save_timing_cache(config: Any, path: Path) -> None:
    """Keep what was measured. Raises OutputError."""
    cache = config.get_timing_cache()
    if cache is not None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(bytes(cache.serialize()))


def progress_monitor(trt: Any, advance: Advance) -> Any:
    """A progress monitor that calls `advance`; one that raises would end the build."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            self._tell(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(phase_name, step + 1)
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._tell(phase_name, self._steps.get(phase_name, 0))

        def _tell(self, phase: str, done: int) -> None:
            # Builder threads call this, and what they raise is lost or ends the build.
            try:
                advance(phase, done, self._steps.get(phase, 0))
            except Exception:
                return

    return Monitor()


def _named(options: BuildOptions) -> list[str]:
    return [target for target in options.targets if target != PORTABLE]


def _name_targets(trt: Any, config: Any, named: list[str]) -> None:
    known = _capabilities(trt)
    config.num_compute_capabilities = len(named)
    for index, target in enumerate(named):
        config.set_compute_capability(known[target], index)


def _capabilities(trt: Any) -> dict[str, Any]:
    """What TensorRT-RTX builds for, by our names."""
    members = trt.ComputeCapability.__members__.items()
    return {name.lower(): member for name, member in members if name.startswith("SM")}
