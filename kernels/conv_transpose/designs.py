"""The designs by name. Triton is imported with a design, not before."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from kernels.conv_transpose.design import Design

DESIGNS = (
    "position_major",
    "position_rows",
    "shifted_grid",
    "grouped_columns",
    "descriptors",
    "general",
)


def load_design(name: str) -> Design:
    """The design of a name; ValueError lists the names there are."""
    if name not in DESIGNS:
        raise ValueError(f"design={name!r} is not one of {', '.join(DESIGNS)}")
    return cast(Design, import_module(f"kernels.conv_transpose.{name}"))
