"""What decides how a network runs: the defaults, and why they are so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.backends._native.alone import MOST_TOGETHER
from kernels.native.network import IMAGE_STEP

# Batches below this take the path for few images: vectors run along channels, not along images.
FEWEST_LANES = IMAGE_STEP

# Cost of an image in micro-batches of so many, against the best: measured on dcgan-emoji (one
# thread, AMX, 2 MiB of cache), 9 rounds in turns. bfloat16: 32 images are the rows of two AMX
# tiles, and more only widen the maps. float32: three vectors of 16 lanes fill the registers beside
# the weights; one leaves most of them idle.
_COST_BF16 = {16: 1.03, 32: 1.0, 48: 1.06, 64: 1.07}
_COST_FP32 = {16: 1.18, 32: 1.06, 48: 1.0, 64: 1.19}
# Layers of one position use each weight once a micro-batch, and have more of them than the cache
# holds: measured likewise on gan-mlp-digits.
_COST_LINEAR_BF16 = {16: 2.7, 32: 1.45, 64: 1.16, 128: 1.04, 256: 1.0}
# Eight lanes of AVX2 have half the registers: 16 images are two vectors.
_COST_NARROW = {16: 1.0, 32: 1.0}

# As `src/network.cpp` has it: workers that share a micro-batch wait for each other.
_SHARING_COST = 1.2
# Layers whose time goes into reading weights gain by that: each worker reads its part of them.
_SHARING_COST_LINEAR = 1.05

# Of lanes_convolution, as `kernels/native/README.md` numbers them.
ALGORITHMS = ("mixed", "direct", "Winograd")

_CACHE = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
_DEFAULT_CACHE_BYTES = 1 << 20


@dataclass(frozen=True)
class Choices:
    """How a Program runs on this machine.

    few: the path for 1 to 15 images, and of layers alone. capacity: images of a micro-batch.
    instruction_set: the best one to use, one of `kernels.native.library.instruction_sets`.
    cache_bytes: second-level cache of a core. bands: whether the last layers run in bands; there it
        cost 3 to 7 % more than it saved, in both precisions, so that it is off.
    algorithms: of lanes_convolution, by the layer's name, where it is not the kind's own choice.
    decided_by: what chose, for the record. measured: what was found on the way, a line each.
    """

    few: bool
    bf16: bool
    capacity: int
    threads: int
    instruction_set: str
    cache_bytes: int = _DEFAULT_CACHE_BYTES
    bands: bool = False
    algorithms: Mapping[str, int] = field(default_factory=dict)
    decided_by: str = "defaults"
    measured: tuple[str, ...] = ()

    def recorded(self) -> str:
        """What manifests keep: algorithms alone, as bits show nothing else of what is chosen."""
        return f"measured: {self._named()}" if self.algorithms else "defaults"

    def _named(self) -> str:
        named = sorted(self.algorithms.items())
        return ", ".join(f"{name} {ALGORITHMS[number]}" for name, number in named)

    def __str__(self) -> str:
        """One line for `explain()` and manifests."""
        how = "all threads share each layer" if self.few else f"micro-batches of {self.capacity}"
        bands = ", bands of rows" if self.bands else ""
        named = f", {self._named()}" if self.algorithms else ""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.instruction_set}, {threads}, {how}{bands}{named} ({self.decided_by})"


def default_choices(
    batch_size: int,
    threads: int,
    bf16: bool,
    instruction_set: str,
    *,
    linear: bool = False,
    alone: bool = False,
) -> Choices:
    """The defaults for a batch size.

    linear: whether all layers are. alone: what `engine.backends._native.alone` tells.
    """
    few = batch_size < FEWEST_LANES or (alone and not bf16)
    capacity = (
        min(batch_size, MOST_TOGETHER)
        if few
        else micro_batch(batch_size, threads, bf16, instruction_set, linear=linear)
    )
    return Choices(few, bf16, capacity, threads, instruction_set, cache_bytes())


def micro_batch(
    batch_size: int, threads: int, bf16: bool, instruction_set: str, *, linear: bool = False
) -> int:
    """Images of a micro-batch: the least time, where each worker owns whole ones.

    Those that are left over are shared where that takes less time.
    """
    costs = _COST_FP32
    if bf16:
        costs = _COST_LINEAR_BF16 if linear else _COST_BF16
    if not bf16 and not instruction_set.startswith(("avx512", "amx")):
        costs = _COST_NARROW

    def time(capacity: int) -> float:
        rounds, left = divmod(batch_size, capacity * threads)
        least = rounds * capacity * costs[capacity]
        if not left:
            return least
        alone = capacity * costs[capacity]
        whole = -(-left // IMAGE_STEP) * IMAGE_STEP
        if whole * _SHARING_COST >= capacity * threads:
            return least + alone
        like = max(size for size in costs if size <= min(capacity, whole))
        shared = _SHARING_COST_LINEAR if linear else _SHARING_COST
        return least + whole / threads * shared * costs[like]

    return min(costs, key=time)


def cache_bytes() -> int:
    """Second-level cache of a core in bytes, as Linux tells; 1 MiB where nothing does."""
    try:
        text = _CACHE.read_text().strip()
        return int(text[:-1]) * 1024 if text.endswith("K") else int(text)
    except (OSError, ValueError):
        return _DEFAULT_CACHE_BYTES
