"""Everything that can be compiled and read, by name: kernels, plain ones and matrix products."""

from __future__ import annotations

from kernels.configurations import Configuration, baselines, configurations
from kernels.inspect.plain import plain


def known(name: str, architecture: int | str) -> Configuration:
    """A configuration by name. Raises KeyError."""
    for every in (baselines(), plain()):
        if name in every:
            return every[name]
    return configurations(architecture)[name]


def is_own(name: str) -> bool:
    """Whether it is a kernel of this package, not one that is there for comparison."""
    return name not in baselines() and name not in plain()
