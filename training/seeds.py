"""Seeds for everything random in a run, each a pure function of (seed, what for, number)."""

from __future__ import annotations

import zlib

import numpy as np


def derive(seed: int, purpose: str, number: int = 0) -> int:
    """A 64-bit seed for one purpose; different purposes and numbers are independent."""
    words = np.random.SeedSequence((seed, zlib.crc32(purpose.encode()), number))
    return int(words.generate_state(1, np.uint64)[0])
