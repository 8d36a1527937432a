"""onnxruntime's sessions on a GPU: opened in silence, on the GPU for certain, or refused in a line.

A provider that fails does not raise by itself: the session runs on the CPU, and red text on stderr
says so. What is tried here is told to fail instead, with the logger of the process silenced, and
why it failed is asked afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.backends._cuda import no_gpu_reason
from engine.backends._tensorrt import flavours, import_flavour
from engine.core.errors import BackendUnavailableError, EngineError

if TYPE_CHECKING:
    import onnxruntime as ort

CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
# Where each one's code lies, in onnxruntime's own folder.
_LIBRARIES = {
    CUDA: "libonnxruntime_providers_cuda.so",
    TENSORRT: "libonnxruntime_providers_tensorrt.so",
}
_SILENT, _WARNINGS = 4, 2
# What a CUDA library said, amid source files, C++ functions, host name and call.
_CUDA_FAILURE = re.compile(r"\b(?:CUDA|CUDNN|CUBLAS|CURAND) failure -?\d+: [^;]*")
# "[ONNXRuntimeError] : 1 : FAIL : ", or a source file and the C++ function in it.
_PREAMBLE = re.compile(
    r"^.*\[ONNXRuntimeError\] : \d+ : \w+ : |^/onnxruntime_src/\S+:\d+ .*?\) "
    r"(?:\[ERROR\] \[TensorRT\] )?(?=[A-Z])"
)
Options = dict[str, str]
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A way to open a session; the best is tried first.

    graph: as a CUDA graph, which onnxruntime captures itself. strict: nothing runs on the CPU.
    """

    graph: bool
    strict: bool

    def note(self, failure: str) -> str:
        """What to tell of it, once those before it failed; '' of the first."""
        if self.graph:
            return ""
        where = "" if self.strict else "some operations run on the CPU, and "
        return f"{where}without a CUDA graph, which onnxruntime does not make of it: {failure}"


ATTEMPTS = (Attempt(True, True), Attempt(False, True), Attempt(False, False))


def cuda_options(stream: int | None, graph: bool, index: int = 0) -> Options:
    """Options of the CUDA provider.

    stream: the handle of the one to run on, None for its own; index: of the GPU.
    """
    return {
        "device_id": str(index),
        **({} if stream is None else {"user_compute_stream": str(stream)}),
        # TF32 would cost the agreement of 1e-4 that exports promise.
        "use_tf32": "0",
        # Algorithms that are measured differ from start to start, and with them a sample's bits.
        "cudnn_conv_algo_search": "HEURISTIC",
        **({"enable_cuda_graph": "1"} if graph else {}),
    }


def tensorrt_options(
    stream: int,
    graph: bool,
    shapes: Mapping[str, tuple[int, ...]],
    folder: Path | None,
    index: int = 0,
) -> Options:
    """Options of the TensorRT provider, for one set of input shapes.

    folder: where the engines are kept, which take minutes to build; None to build them each time.
    This provider reads True and False, and refuses the 1 and 0 of the other.
    """
    profile = ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())
    kept = (
        {}
        if folder is None
        else {
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": str(folder),
        }
    )
    return {
        "device_id": str(index),
        "user_compute_stream": str(stream),
        **kept,
        **{f"trt_profile_{which}_shapes": profile for which in ("min", "opt", "max")},
        **({"trt_cuda_graph_enable": "True"} if graph else {}),
    }


def not_compiled_in(provider: str) -> str | None:
    """Why a provider is out of the question, or None: it is not in the package, or no GPU is."""
    import onnxruntime as ort

    if provider not in ort.get_available_providers():
        return (
            f"this onnxruntime was built without {provider}; pip install 'generator-engine[cuda]'"
        )
    return no_gpu_reason()


def open_on_gpu(
    path: Path,
    providers: Callable[[Attempt], list[tuple[str, Options]]],
    threads: int | None,
    use: Callable[[ort.InferenceSession, Attempt], Made],
) -> tuple[Made, str]:
    """What `use` makes of the best session that opens, and a note of what was given up for it.

    providers: names and options of an attempt, the first is the one that counts. use: binds and
    runs it, which may fail as opening may. Raises BackendUnavailableError.
    """
    failures: list[str] = []
    for attempt in ATTEMPTS:
        wanted = providers(attempt)
        name = wanted[0][0]
        try:
            with _silence():
                _find_tensorrt(name)
                session = _session(path, wanted, threads, attempt.strict)
                if session.get_providers()[0] == name:
                    return use(session, attempt), attempt.note(failures[0] if failures else "")
            failures.append(f"onnxruntime took {session.get_providers()[0]} instead")
        # Those of this project know what to say; a shortage of memory is told by others.
        except (EngineError, MemoryError):
            raise
        # onnxruntime's exceptions share no base class of its own.
        except Exception as error:
            if "OutOfMemoryError" in type(error).__name__:
                raise
            failures.append(first_line(error))
        broken = _broken_library(name)
        if broken is not None:
            raise BackendUnavailableError(f"{path}: {name} does not start: {broken}")
    raise BackendUnavailableError(f"{path}: {name} cannot run this graph: {failures[-1]}")


def first_line(error: Exception) -> str:
    """What onnxruntime says, on one line and without its source files."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    found = _CUDA_FAILURE.search(text)
    return (found[0] if found else _PREAMBLE.sub("", text)).strip()


def _session(
    path: Path, providers: list[tuple[str, Options]], threads: int | None, strict: bool
) -> ort.InferenceSession:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = _SILENT
    if threads is not None:
        options.intra_op_num_threads = threads
    if strict:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return ort.InferenceSession(path, options, providers=providers, enable_fallback=0)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Providers are loaded with the process's logger, and print; libraries are found on the way."""
    import onnxruntime as ort

    ort.disable_telemetry_events()
    ort.set_default_logger_severity(_SILENT)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            # Finds the CUDA libraries of other wheels, and prints what it does not find.
            ort.preload_dlls()
            yield
    finally:
        ort.set_default_logger_severity(_WARNINGS)


def _find_tensorrt(provider: str) -> None:
    """Load the libraries of TensorRT's wheel, which lie where no loader looks."""
    if provider == TENSORRT and "tensorrt" in flavours():
        with contextlib.suppress(BackendUnavailableError):
            import_flavour("tensorrt")


def _broken_library(provider: str) -> str | None:
    """Which library a provider lacks, as the system's loader tells, or None.

    Only after onnxruntime has tried: a provider that is loaded before it finds no host.
    """
    import onnxruntime as ort

    folder = Path(ort.__file__).parent / "capi"
    library = folder / _LIBRARIES[provider]
    if os.name != "posix" or not library.is_file():
        return None
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return str(error).strip().splitlines()[0]
    return None
