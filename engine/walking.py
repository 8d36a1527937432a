"""The way from one sample to another: latents of both ends and of the steps between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine import inputs
from engine.core.errors import OptionError
from engine.core.spec import GeneratorSpec
from engine.latents import interpolate
from engine.supported import check_drawn

Floats = NDArray[np.float32]
# Latents by (start, count).
Drawn = Callable[[int, int], Floats]


def sample_number(end: Any) -> int | None:
    """The number of an end that is a sample, None of one that is a latent. Raises OptionError."""
    return inputs.count("sample", end, 0) if isinstance(end, (int, np.integer)) else None


def way(
    spec: GeneratorSpec, first: int | ArrayLike, last: int | ArrayLike, steps: int, drawn: Drawn
) -> Floats:
    """Latents from first to last, each a sample number or a latent: [steps, *latent shape].

    Raises OptionError for ends that do not fit, and for networks that take more than one input
    which nobody can draw.
    """
    further = [repr(item.name) for item in spec.noise if item.distribution == "given"]
    if further:
        raise OptionError(
            f"{spec.name!r} takes {', '.join(further)} beside {spec.latent.name!r}, so that one "
            "way does not say all; give the steps of all inputs to Engine.decode({name: x})"
        )
    a, b = (_end(spec, end, drawn) for end in (first, last))
    return interpolate(a, b, steps, spec.latent)


def _end(spec: GeneratorSpec, end: int | ArrayLike, drawn: Drawn) -> Floats:
    number = sample_number(end)
    if number is None:
        return inputs.one_latent(end, spec)
    check_drawn(spec, None)
    one: Floats = drawn(number, 1)[0]
    return one
