"""When a run saves: after its first step, every so many steps, and every so many seconds."""

from __future__ import annotations

import time
from collections.abc import Callable


class SaveSchedule:
    """Says when a checkpoint is due. `saved` is the step of the last one, None before the first.

    The clock starts anew when a save has ended, so that slow disks do not hold up the training.
    """

    def __init__(
        self,
        every_steps: int,
        every_seconds: float,
        saved: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.every_steps, self.every_seconds = every_steps, every_seconds
        self.saved = saved
        self._clock = clock
        self._since = clock()

    def due(self, step: int) -> bool:
        """Whether to save now that `step` steps are done."""
        if step == self.saved:
            return False
        return (
            self.saved is None
            or step % self.every_steps == 0
            or self._clock() - self._since >= self.every_seconds
        )

    def note(self, step: int) -> None:
        """A checkpoint of `step` steps has been written."""
        self.saved, self._since = step, self._clock()
