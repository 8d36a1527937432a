"""The networks of one opened artifact, made when they are first needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch

from engine.backends._cuda_device import CudaDevice
from engine.backends._device_ring import Ring
from engine.backends._triton.ahead import AheadOfTime
from engine.backends._triton.cuda_graph import CudaGraphs
from engine.backends._triton.network import Network
from engine.backends._triton.on_device import on_device
from engine.core.errors import OptionError
from engine.program.gen import Gen
from engine.program.plan import Plan, make_plan
from engine.program.planning.types import Operand, Precision
from kernels.conv_transpose.launch import architecture_of

# Large enough to fill a GPU with samples as rows; the interpreter takes seconds a batch as it is.
_BATCH_SIZE = {"cuda": 1024, "cpu": 4}
# The rest is left to whoever shares the GPU, and to torch's own workspaces.
_SHARE_OF_MEMORY = 0.5


class Session:
    """Plans, networks and CUDA graphs of a generator at one batch size, on one device."""

    def __init__(
        self,
        gen: Gen,
        device: str,
        precision: str,
        batch_size: int | None,
        artifact: Path | None = None,
    ) -> None:
        self.gen = gen
        self._device = torch.device(device)
        self._operand = cast(Operand, precision)
        self._networks: dict[tuple[str, str | None], Network] = {}
        self._captured: dict[int, torch.cuda.CUDAGraph | None] = {}
        self._graphs = CudaGraphs() if device == "cuda" else None
        self._notes: list[str] = []
        self._gpu: CudaDevice | None = None
        self._rings: dict[tuple[str, bool], Ring] = {}
        self._ahead = AheadOfTime(artifact, self._device)
        memory = None
        if device == "cuda":
            memory = int(_SHARE_OF_MEMORY * torch.cuda.mem_get_info()[0])
        asked = batch_size or _BATCH_SIZE[device]
        planned = self._plan("decoder", None, asked, memory)
        if batch_size is not None and planned.batch < batch_size:
            raise OptionError(
                f"batch_size={batch_size} does not fit half of the GPU's free memory; "
                f"{planned.batch} does"
            )
        self.batch_size = planned.batch

    @property
    def notes(self) -> tuple[str, ...]:
        """What the networks made so far have to tell, each once."""
        told = [note for network in self._networks.values() for note in network.notes]
        return tuple(dict.fromkeys((*self._notes, *self._ahead.notes, *told)))

    def network(self, entry_point: str, images: str | None) -> Network:
        """The network of an entry point; `images` names the output that is wanted as uint8."""
        key = (entry_point, images)
        if key not in self._networks:
            plan = self._plan(entry_point, images, self.batch_size, None)
            with self._memory():
                self._networks[key] = Network(plan, self.batch_size, self._device)
        return self._networks[key]

    def ring(self, entry_point: str, images: bool) -> Ring:
        """Batches of an entry point, in flight on the GPU; images: uint8 [batch, H, W, C]."""
        self._gpu = self._gpu or CudaDevice()
        key = (entry_point, images)
        with self._gpu.lock, self._memory():
            if key not in self._rings:
                network = on_device(self._gpu, self.gen.spec, entry_point, images, self)
                self._rings[key] = Ring(self._gpu, network)
            return self._rings[key]

    def launch(self, network: Network) -> None:
        """Run a network on what lies in its inputs: its CUDA graph where there is one."""
        with self._memory(), self._ahead.launching():
            graph = self._capture(network)
            if graph is None:
                network.launch()
            else:
                graph.replay()

    def close(self) -> None:
        """Free graphs, buffers and binaries, in that order."""
        for ring in self._rings.values():
            ring.close()
        self._rings.clear()
        self._captured.clear()
        self._networks.clear()
        self._ahead.close()

    def _capture(self, network: Network) -> torch.cuda.CUDAGraph | None:
        if self._graphs is None:
            return None
        key = id(network)
        if key not in self._captured:
            try:
                self._captured[key] = self._graphs.capture(network)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[0]
                self._notes.append(f"without a CUDA graph, which could not be captured: {reason}")
                self._captured[key] = None
        return self._captured[key]

    @contextmanager
    def _memory(self) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise OptionError(
                f"batches of {self.batch_size} do not fit the memory that is free on "
                f"{self._device}; choose a smaller batch_size"
            ) from error

    def _plan(self, entry_point: str, images: str | None, batch: int, memory: int | None) -> Plan:
        precision = Precision(self._operand, images, self.gen.spec.output.range)
        return make_plan(
            self.gen.programs[entry_point],
            precision=precision,
            architecture=architecture_of(self._device),
            batch=batch,
            memory_bytes=memory,
        )
