"""Kernels compiled ahead of time: a `.kernels` file beside the artifact, used where it fits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from engine.core.errors import ArtifactError
from kernels.binaries.loader import Binaries
from kernels.launch import launching_with


class AheadOfTime:
    """The binaries beside an artifact, if there are any and the device is a GPU.

    What they lack, Triton compiles when it is first launched, and `notes` says so. Raises
    ArtifactError for a file that is damaged or of another version.
    """

    def __init__(self, artifact: Path | None, device: torch.device) -> None:
        self._binaries: Binaries | None = None
        self._notes: tuple[str, ...] = ()
        if artifact is None or device.type != "cuda":
            return
        path = artifact.with_suffix(".kernels")
        if not path.is_file():
            return
        try:
            self._binaries = Binaries.open(path, device.index or 0, _stream)
        except (ValueError, OSError) as error:
            raise ArtifactError(f"{error}; or delete {path}") from error
        except RuntimeError as error:
            self._notes = (f"{path.name} is not used, kernels are compiled: {error}",)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was compiled in spite of the binaries, and why."""
        return self._notes + (self._binaries.reasons if self._binaries else ())

    @contextmanager
    def launching(self) -> Iterator[None]:
        """Launch through the binaries in this block."""
        if self._binaries is None:
            yield
        else:
            with launching_with(self._binaries.run):
                yield

    def close(self) -> None:
        """Unload the binaries; nothing may still be running."""
        if self._binaries is not None:
            torch.cuda.synchronize()
            self._binaries.close()
            self._binaries = None


def _stream() -> int:
    # torch sets it for a CUDA graph that is being captured, too.
    return int(torch.cuda.current_stream().cuda_stream)
