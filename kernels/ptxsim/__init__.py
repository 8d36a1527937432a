"""Executes the PTX that Triton writes, on the CPU, one thread block at a time, in numpy.

    from kernels.ptxsim import Simulation, simulate

    statistics = simulate(compiled)                    # a kernels.compile.Compiled
    statistics = Simulation(ptx).run([x, out, n], grid=(4,), shared_bytes=4096)

Buffers are numpy arrays (bf16 as uint16) or, in a Launch, torch tensors on the CPU; they are
written in place. `statistics.instructions` counts warp instructions by kind. With trace=True,
`statistics.traffic` (`kernels.ptxsim.trace.Traffic`) says how many bytes were asked for, filled
from the second-level cache and compulsory, by kind of access and by argument:

    traffic = simulate(compiled, schedule="lockstep", trace=True).traffic
    traffic.reads.filled                               # bytes into multiprocessors
    traffic.read_buffers["x_ptr"].compulsory           # distinct bytes of one argument

What is checked, each raising SimulationError: accesses out of bounds or misaligned; data races in
shared memory, by happens-before over barriers and mbarriers, whatever order was scheduled; use of
data that an asynchronous copy, wgmma, TMA or tcgen05 has not delivered yet; ordinary writes that
the asynchronous engines may not see yet (missing proxy fences); operands changed while an
asynchronous product uses them; barriers and mbarriers that never complete; lanes that never meet;
tensor memory used without allocation or not given back. `Unimplemented` is an exception of its
own: it says nothing about a kernel.

It shows what Triton's lowering does, not ptxas and not speed. Not simulated: clusters, multicast,
im2col, time.
"""

from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.launching import simulate
from kernels.ptxsim.simulation import Pointer, Simulation, Statistics
from kernels.ptxsim.tensormap import TensorMap
from kernels.ptxsim.trace import Bytes, Traffic

__all__ = [
    "Bytes",
    "Pointer",
    "Simulation",
    "SimulationError",
    "Statistics",
    "TensorMap",
    "Traffic",
    "Unimplemented",
    "simulate",
]
