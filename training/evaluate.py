"""`python -m training.evaluate CKPT --data NAME -o card.json`: measure a trained model."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path

import click

from engine.core.errors import ArtifactError, OptionError
from training.commands import require_torch, run_command


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="Real data: digits, fashion, emoji or folder:PATH.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Card to write (JSON).")
@click.option("-n", "--samples", type=int, default=5000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the latents.")
@click.option("--emoji-category", help="As in training.")
@click.option("--threads", type=int, help="CPU threads (all cores).")
@click.option("--record", is_flag=True, help="Store the measures in the checkpoint's spec too.")
@click.option("--download", is_flag=True, help="Fetch the network of KID where it is missing.")
def command(
    checkpoint: Path,
    data: str,
    output: Path | None,
    samples: int,
    seed: int,
    emoji_category: str | None,
    threads: int | None,
    record: bool,
    download: bool,
) -> None:
    """Measure CHECKPOINT's samples against real data and write its card."""
    if samples < 2:
        raise OptionError(f"--samples {samples} must be at least 2")
    if threads is not None and threads < 1:
        raise OptionError(f"--threads {threads} must be at least 1")
    require_torch()
    import torch

    from engine.core.files import write_text
    from training.data import load
    from training.data.clean import clean
    from training.data.prepare import prepare
    from training.evaluation.card import measure
    from training.evaluation.samples import read

    if threads is not None:
        torch.set_num_threads(threads)
    model = read(checkpoint)
    channels, size, _ = model.spec.output.shape
    images = load(data, emoji_category=emoji_category, channels=channels, size=size)
    real = clean(prepare(images, size, channels))
    if model.spec.classes and model.spec.classes != real.class_names:
        raise ArtifactError(
            f"{checkpoint} has classes {', '.join(model.spec.classes)}, --data {data} has "
            f"{', '.join(real.class_names)}"
        )
    provenance = model.spec.provenance
    metrics = measure(model, real, samples, seed, download)
    card = {
        "name": model.spec.name,
        "recipe": model.arch,
        "architecture": dict(model.arch_args),
        "data": provenance.data,
        "licence": provenance.licence,
        "command": provenance.command,
        "steps": model.training.get("step"),
        "metrics": metrics,
    }
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
    if record:
        numbers = {
            key: float(value) for key, value in metrics.items() if not isinstance(value, dict)
        }
        measured = dataclasses.replace(provenance, metrics=numbers)
        spec = model.spec.replace(provenance=measured)
        dataclasses.replace(model, spec=spec).save(checkpoint)


def main() -> None:
    """Measure from the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_command(command)


if __name__ == "__main__":
    main()
