"""Why a node cannot be lowered, before it is known which node it was."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - it never leaves the package: lower() turns it into an error
    """The reason that the node at hand cannot be expressed in a Program."""
