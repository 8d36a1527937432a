"""The batch size of an engine where nobody gave one."""

from __future__ import annotations

import math

from engine.backends._native.choices import micro_batch
from engine.backends._native.layers import only_linear
from engine.memory import available_bytes
from engine.program.gen import Gen

# Larger batches win nothing: latents, Python and uneven ends are a per cent of this many images.
_MOST = 1024
# Results of a batch: large enough for equal shares of work, small beside the models themselves.
_OUTPUT_BYTES = 32 << 20
# Of the memory that is free, all batches on their way together shall take no more.
_SHARE_OF_MEMORY = 0.05


def default_batch_size(gen: Gen, threads: int, bf16: bool, instruction_set: str) -> int:
    """A multiple of what all workers do in one go, as large as outputs and memory allow."""
    spec = gen.spec
    sample = 4 * (spec.latent.size + math.prod(spec.output.shape))
    free = available_bytes()
    room = _OUTPUT_BYTES if free is None else min(_OUTPUT_BYTES, int(free * _SHARE_OF_MEMORY))
    most = max(1, min(_MOST, room // sample))
    linear = only_linear(gen.programs["decoder"])
    together = threads * micro_batch(_MOST, threads, bf16, instruction_set, linear=linear)
    return most // together * together or most
