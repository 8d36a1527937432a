"""Happens-before between the warps of a block: finds data races whatever order was scheduled.

Every agent (each warp, and the asynchronous copy and tensor engines as one) has a vector clock.
Barriers and mbarriers pass clocks on. For each unit of shared memory the last write and each
agent's last read are remembered; an access that is not ordered after them is a race (FastTrack:
Flanagan and Freund, PLDI 2009, with full read vectors). Lanes of a warp are taken as ordered.
"""

from __future__ import annotations

import numpy as np

from kernels.ptxsim.errors import SimulationError
from kernels.ptxsim.formats import Array


class Ordering:
    """Vector clocks and the access history of shared memory in units [units]."""

    def __init__(self, warps: int, units: int) -> None:
        self.engines = warps
        agents = warps + 1
        # An agent's own entry is its time now; it starts at 1 so that 0 means "never".
        self.clocks = np.zeros((agents, agents), np.int32) + np.eye(agents, dtype=np.int32)
        self.write_agent = np.zeros(units, np.int32)
        self.write_time = np.zeros(units, np.int32)
        self.read_time = np.zeros((agents, units), np.int32)

    def read(self, units: Array, agents: Array) -> None:
        """Check and remember reads of units [n, k] by agents [n, 1]."""
        if (self.write_time[units] > self.clocks[agents, self.write_agent[units]]).any():
            raise SimulationError("race: shared memory read that no barrier orders after its write")
        self.read_time[agents, units] = self.clocks[agents, agents]

    def write(self, units: Array, agents: Array, changed: Array | None = None) -> None:
        """Check and remember writes. `changed` [n, k]: where the bytes become others.

        Two warps that write the same bytes do not race (Triton's replicated layouts do so).
        """
        early = self.write_time[units] > self.clocks[agents, self.write_agent[units]]
        if changed is not None:
            early &= changed
        if early.any():
            raise SimulationError("race: shared memory written twice without a barrier between")
        seen = self.clocks[agents[:, 0]].T[:, :, None]
        if (self.read_time[:, units] > seen).any():
            raise SimulationError("race: shared memory written that no barrier orders after a read")
        self.write_agent[units] = agents
        self.write_time[units] = self.clocks[agents, agents]

    def remember_read(self, units: Array, agent: int) -> None:
        """A read that was checked before ends now."""
        self.read_time[agent, units] = self.clocks[agent, agent]

    def release(self, agent: int) -> Array:
        """What an agent has seen up to now, to be acquired by others; its time moves on."""
        seen: Array = self.clocks[agent].copy()
        self.clocks[agent, agent] += 1
        return seen

    def acquire(self, agent: int, seen: Array) -> None:
        """An agent comes after everything another one had seen."""
        np.maximum(self.clocks[agent], seen, out=self.clocks[agent])
