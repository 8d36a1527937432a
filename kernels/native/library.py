"""The shared object: where it lies, whether it can be used, and its C interface.

Built with the package where there is a C++ compiler. The environment variable
GENERATOR_KERNELS_LIBRARY names another build of it.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from pathlib import Path

VARIABLE = "GENERATOR_KERNELS_LIBRARY"
INTERFACE_VERSION = 5
_NAME = "libgenerator_kernels.dylib" if sys.platform == "darwin" else "libgenerator_kernels.so"

_POINTERS = ctypes.POINTER(ctypes.c_void_p)
# gk_task and gk_parallel.
CTask = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32)
CParallel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, CTask, ctypes.c_void_p)


class CValue(ctypes.Structure):
    """gk_value."""

    _fields_ = (
        ("form", ctypes.c_int32),
        ("space", ctypes.c_int32),
        ("offset", ctypes.c_int64),
        ("positions", ctypes.c_int64),
        ("channels", ctypes.c_int64),
    )


class COperation(ctypes.Structure):
    """gk_operation."""

    _fields_ = (
        ("kind", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("inputs", ctypes.POINTER(CValue)),
        ("outputs", ctypes.POINTER(CValue)),
        ("integers", ctypes.POINTER(ctypes.c_int64)),
        ("numbers", ctypes.POINTER(ctypes.c_double)),
        ("arrays", _POINTERS),
        ("array_sizes", ctypes.POINTER(ctypes.c_int64)),
        ("input_count", ctypes.c_int32),
        ("output_count", ctypes.c_int32),
        ("integer_count", ctypes.c_int32),
        ("number_count", ctypes.c_int32),
        ("array_count", ctypes.c_int32),
    )


class CItem(ctypes.Structure):
    """gk_item."""

    _fields_ = (
        ("operation", ctypes.c_int32),
        ("begin", ctypes.c_int32),
        ("end", ctypes.c_int32),
    )


class COptions(ctypes.Structure):
    """gk_options."""

    _fields_ = (
        ("capacity", ctypes.c_int32),
        ("threads", ctypes.c_int32),
        ("team", ctypes.c_int32),
        ("arena_bytes", ctypes.c_int64),
        ("instruction_set", ctypes.c_char_p),
        ("parallel", CParallel),
        ("context", ctypes.c_void_p),
    )


def path() -> Path:
    """Where the shared object lies, or would."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(__file__).with_name(_NAME)


def unavailable() -> str | None:
    """Why the native kernels cannot be used here, or None."""
    try:
        load()
    except (OSError, RuntimeError) as error:
        return str(error)
    return None


def instruction_sets() -> tuple[str, ...]:
    """Instruction sets that run here, best last. Raises as `load`."""
    names: bytes = load().gk_instruction_sets()
    return tuple(names.decode().split())


def load() -> ctypes.CDLL:
    """The library. Raises OSError if it is not there, RuntimeError if it is of another version."""
    return _load(path())


@functools.cache
def _load(file: Path) -> ctypes.CDLL:
    if not file.exists():
        raise OSError(f"{file} was not built: install a C++ compiler and install the package again")
    library = ctypes.CDLL(str(file))
    _check_version(file, library)
    network = ctypes.c_void_p
    signatures = {
        "gk_instruction_sets": (ctypes.c_char_p, ()),
        "gk_error": (ctypes.c_char_p, ()),
        "gk_new": (network, (ctypes.POINTER(COptions),)),
        "gk_free": (None, (network,)),
        "gk_add": (ctypes.c_int32, (network, ctypes.POINTER(COperation))),
        "gk_granularity": (ctypes.c_int32, (network, ctypes.c_int32)),
        "gk_schedule": (ctypes.c_int32, (network, ctypes.POINTER(CItem), ctypes.c_int32)),
        "gk_run": (
            ctypes.c_int32,
            (network, ctypes.c_int64, _POINTERS, _POINTERS, ctypes.c_void_p),
        ),
        "gk_random": (
            ctypes.c_int32,
            (
                ctypes.c_int32,
                ctypes.c_uint64,
                ctypes.c_uint64,
                ctypes.c_int64,
                ctypes.c_int64,
                ctypes.c_uint32,
                ctypes.c_double,
                ctypes.c_char_p,
                ctypes.c_void_p,
            ),
        ),
        "gk_weight_bytes": (ctypes.c_int64, (network,)),
        "gk_workspace_bytes": (ctypes.c_int64, (network,)),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _check_version(file: Path, library: ctypes.CDLL) -> None:
    try:
        version = library.gk_interface_version()
    except AttributeError as error:
        raise RuntimeError(f"{file} is another library, not the native kernels") from error
    if version != INTERFACE_VERSION:
        raise RuntimeError(
            f"{file} has interface version {version}, this package needs {INTERFACE_VERSION}: "
            "install the package again"
        )
