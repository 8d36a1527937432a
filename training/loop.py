"""The training loop: steps, metrics, sample sheets, checkpoints.

All randomness of step k comes from seeds derived from (seed, k), and batch k is a function of
(seed, k), so a run that is resumed after a kill gives the weights of one that never stopped: the
steps since the last save are made again, with the same result.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from tqdm import tqdm

from engine.core.errors import OptionError
from training.data import ImageData
from training.data.batches import Batches
from training.ema import EMA
from training.gan import GANTask
from training.metrics import MetricsFile
from training.saving import SaveSchedule
from training.seeds import derive
from training.settings import Settings
from training.sheet import FixedSamples, diversity, save_sheet
from training.state import Identity, Progress, Task, pack, resume
from training.vae import VAETask
from training.watch import Watch

_log = logging.getLogger(__name__)
_DIVERSITY_IMAGES = 1000


@dataclass(frozen=True)
class Outputs:
    """Where a run writes, and how often: in steps, and checkpoints by wall time [s] too."""

    checkpoint: Path
    metrics: Path
    samples: Path
    sample_every: int
    save_every: int
    save_seconds: float = 10.0
    progress: bool = True


def train(
    settings: Settings, data: ImageData, identity: Identity, outputs: Outputs, go_on: bool = False
) -> int:
    """Run the recipe on prepared data; gives the number of steps done.

    With `go_on` an existing checkpoint is continued. SIGINT and SIGTERM end the run after the
    current step, with a checkpoint. Raises TrainingError when the run cannot succeed, OptionError
    when the checkpoint is of another run or beyond `settings.steps`; a run that is done already is
    left as it is.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(derive(settings.seed, "initialisation"))
    task: Task = VAETask(settings) if settings.recipe == "vae" else GANTask(settings)
    ema = EMA(task.model, settings.ema_decay)
    progress = Progress(data.sha256())
    saved = None
    if go_on and outputs.checkpoint.exists():
        progress = resume(outputs.checkpoint, settings, task, ema, progress.data_sha256)
        _log.info("resumed %s after %d steps", outputs.checkpoint, progress.step)
        if progress.step > settings.steps:
            raise OptionError(
                f"{outputs.checkpoint} has {progress.step} steps already, more than --steps "
                f"{settings.steps}; ask for more, or name another output"
            )
        if progress.step == settings.steps:
            _log.info("%s: all %d steps are already done", outputs.checkpoint, progress.step)
            return progress.step
        saved = progress.step
    step = progress.step
    schedule = SaveSchedule(outputs.save_every, outputs.save_seconds, saved)
    watch = Watch(progress.won)
    batches = Batches(data, settings.batch_size, settings.seed, task.model.output_range)
    fixed = FixedSamples(task.model, settings.seed)
    real = diversity(data.images[:: max(1, len(data) // _DIVERSITY_IMAGES)])

    def save() -> None:
        reached = Progress(progress.data_sha256, step, watch.won)
        pack(settings, identity, task, ema, reached).save(outputs.checkpoint)
        schedule.note(step)

    with (
        _interrupts() as interrupted,
        MetricsFile(outputs.metrics, step) as metrics_file,
        tqdm(
            total=settings.steps * settings.batch_size,
            initial=step * settings.batch_size,
            unit="img",
            disable=not outputs.progress,
        ) as bar,
    ):
        while step < settings.steps and not interrupted():
            started = time.perf_counter()
            torch.manual_seed(derive(settings.seed, "step", step))
            metrics = task.step(*batches.at(step))
            watch.check(step, metrics, schedule.saved)
            ema.update(task.model, step)
            line = {"step": step, **metrics}
            line["images_per_s"] = settings.batch_size / (time.perf_counter() - started)
            step += 1
            if step % outputs.sample_every == 0 or step == settings.steps:
                images = fixed.draw(ema.average)
                save_sheet(outputs.samples / f"{step:07d}.png", images)
                line["diversity"] = diversity(images) / real if real else 0.0
                shown = ", ".join(f"{name} {value:.3g}" for name, value in metrics.items())
                _log.info("step %d: %s, diversity %.2f", step, shown, line["diversity"])
            metrics_file.write(line)
            bar.update(settings.batch_size)
            bar.set_postfix(
                {name: f"{value:.3g}" for name, value in metrics.items()}, refresh=False
            )
            if schedule.due(step):
                save()
        if schedule.saved != step:
            save()
    _log.info("%s written", outputs.checkpoint)
    return step


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Within the block SIGINT and SIGTERM are noted instead of taken; a second one is taken."""
    caught: list[int] = []
    previous: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        signal.signal(number, previous[number])

    try:
        for number in (int(signal.SIGINT), int(signal.SIGTERM)):
            previous[number] = signal.signal(number, note)
    except ValueError:
        # Signals belong to the main thread; elsewhere a run is not interrupted.
        _log.debug("not in the main thread: signals are left as they are")
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
