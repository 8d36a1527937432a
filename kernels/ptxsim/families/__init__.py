"""One module for each family of instructions; importing this package registers all of them."""

from kernels.ptxsim.families import (
    arithmetic,
    atomics,
    bits,
    control,
    conversions,
    copies,
    lanes,
    loads,
    matrices,
    mma,
    moves,
    predicates,
)

__all__ = [
    "arithmetic",
    "atomics",
    "bits",
    "control",
    "conversions",
    "copies",
    "lanes",
    "loads",
    "matrices",
    "mma",
    "moves",
    "predicates",
]
