"""The command line of training."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from tqdm.contrib.logging import logging_redirect_tqdm

from engine.core.errors import OptionError
from engine.core.spec import Provenance
from training.commands import require_torch, run_command
from training.data import load
from training.data.clean import clean
from training.data.prepare import prepare
from training.recipes import RECIPES, settings_for

# What a shell gives for a program that Ctrl-C ended.
INTERRUPTED = 130


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("recipe")
@click.option("--data", required=True, help="digits, fashion, emoji or folder:PATH.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--size", type=int, help="Image side in pixels.")
@click.option("--channels", type=int, help="1 grey, 3 colour.")
@click.option("--latent", type=int, help="Latent size.")
@click.option("--width", type=int, help="Channels beside the image layer.")
@click.option("--conditional", is_flag=True, help="Condition on the data's classes.")
@click.option("--steps", type=int, help="Batches to train on.")
@click.option("--epochs", type=int, help="Passes over the data, instead of --steps.")
@click.option("--batch-size", type=int, help="Images a step (64).")
@click.option("--lr", type=float, help="Adam's learning rate.")
@click.option("--beta1", type=float, help="Adam's first moment decay.")
@click.option("--kl-weight", type=float, help="VAE: lambda of reconstruction + lambda x KL (1).")
@click.option("--ema-decay", type=float, help="Decay of the generator's moving average (0.999).")
@click.option("--loss", help="GAN: non-saturating (default) or minimax.")
@click.option("--label-smoothing", type=float, help="GAN: real images count as 1 - this (0).")
@click.option("--augment", help="GAN: any of flip,colour,translation,cutout with commas.")
@click.option("--precision", help="float32 (default) or bfloat16 arithmetic.")
@click.option("--emoji-category", help="Names with commas; default: the yellow faces.")
@click.option("--seed", type=int, help="Same seed, machine and threads: same weights (0).")
@click.option("--threads", type=int, help="CPU threads (all cores).")
@click.option("--sample-every", type=int, default=500, show_default=True, metavar="STEPS")
@click.option("--save-every", type=int, default=500, show_default=True, metavar="STEPS")
@click.option("--save-seconds", type=float, default=10.0, show_default=True, metavar="SECONDS")
@click.option("--metrics", type=click.Path(path_type=Path), help="Default: NAME.metrics.jsonl.")
@click.option("--samples", type=click.Path(path_type=Path), help="Default: NAME.samples/.")
@click.option("--resume", is_flag=True, help="Continue the output checkpoint if it exists.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(**options: Any) -> None:
    """Train RECIPE (dcgan, vae or gan-mlp) and write a checkpoint.

    The checkpoint is saved after the first step, then every --save-every steps and every
    --save-seconds, whichever comes first. Ctrl-C and SIGTERM lose nothing: the current step is
    ended and saved. After kill -9 or a power cut, --resume makes at most the steps since the last
    save again, with the same result.
    """
    _run(**options)


def main() -> None:
    """Train from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_command(command)


def _run(
    *,
    recipe: str,
    data: str,
    output: Path,
    size: int | None,
    channels: int | None,
    conditional: bool,
    epochs: int | None,
    augment: str | None,
    emoji_category: str | None,
    threads: int | None,
    sample_every: int,
    save_every: int,
    save_seconds: float,
    metrics: Path | None,
    samples: Path | None,
    resume: bool,
    quiet: bool,
    **options: Any,
) -> None:
    for name, value in (("--sample-every", sample_every), ("--save-every", save_every)):
        if value < 1:
            raise OptionError(f"{name} {value} must be at least 1")
    if not save_seconds >= 0:
        raise OptionError(f"--save-seconds {save_seconds} must be 0 (each step) or more")
    if recipe not in RECIPES:
        raise OptionError(f"unknown recipe {recipe!r}; known are {', '.join(RECIPES)}")
    if output.exists() and not resume:
        raise OptionError(f"{output} exists; add --resume to continue it, or name another file")

    require_torch()
    import torch

    from training.loop import Outputs, train
    from training.state import Identity

    log = logging.getLogger("training")
    images = load(data, emoji_category=emoji_category, channels=channels, size=size)
    settings = settings_for(
        recipe,
        images,
        conditional=conditional,
        epochs=epochs,
        size=size,
        channels=channels,
        augment=tuple(filter(None, augment.split(","))) if augment else None,
        threads=torch.get_num_threads() if threads is None else threads,
        **options,
    )
    images = clean(prepare(images, settings.size, settings.channels))
    for line in images.report:
        log.info("%s: %s", images.name, line)
    name = output.stem
    identity = Identity(
        name=name,
        class_names=images.class_names if settings.classes else (),
        provenance=Provenance(
            data=images.source,
            licence=images.licence,
            command=_shareable_command((output, metrics, samples)),
        ),
    )
    outputs = Outputs(
        checkpoint=output,
        metrics=metrics or output.with_name(f"{name}.metrics.jsonl"),
        samples=samples or output.with_name(f"{name}.samples"),
        sample_every=sample_every,
        save_every=save_every,
        save_seconds=save_seconds,
        progress=not quiet,
    )
    with logging_redirect_tqdm():
        done = train(settings, images, identity, outputs, go_on=resume)
    if done < settings.steps:
        log.info("interrupted after %d of %d steps; --resume continues", done, settings.steps)
        raise click.exceptions.Exit(INTERRUPTED)


def _shareable_command(paths: Sequence[Path | None]) -> str:
    """The command as typed, without the folders of the machine it ran on."""
    names = {str(path): path.name for path in paths if path is not None}
    folder = "folder:"
    words = []
    for word in sys.argv[1:]:
        if word.startswith(folder):
            words.append(folder + Path(word.removeprefix(folder)).name)
        else:
            words.append(names.get(word, word))
    words = [word for word in words if word not in ("--quiet", "--resume")]
    return shlex.join(["python", "-m", "training", *words])
