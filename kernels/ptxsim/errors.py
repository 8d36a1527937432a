"""What a simulated kernel can do wrong, and what the simulator cannot do."""

from __future__ import annotations


class SimulationError(ValueError):
    """A check fired: the kernel did what a GPU forbids, races, or never ends."""

    def at(self, text: str, block: tuple[int, int, int]) -> SimulationError:
        """The same finding with the instruction and the block where it was made."""
        return SimulationError(f"{self} at `{text}` in block {block}")


class Unimplemented(NotImplementedError):  # noqa: N818 - it is not the kernel's error
    """An instruction, or a form of one, that the simulator does not know.

    It says nothing about the kernel: tests skip on it and never count it as a pass.
    """
