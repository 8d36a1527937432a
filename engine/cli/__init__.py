"""The command line, `python -m engine COMMAND`: one module a command, imported when called."""

from __future__ import annotations

import logging

import click

from engine.cli.group import LazyGroup

_COMMANDS = {
    "generate": "Sample a model into a sheet, a folder of images, arrays or shards.",
    "interpolate": "Walk from one sample to another.",
    "decode": "Turn your own latents into samples.",
    "reconstruct": "Put images through a VAE and show both sides.",
    "verify": "Compare two artifacts, backends or precisions on the same latents.",
    "info": "Show what an artifact holds.",
    "models": "List the models that ship.",
    "doctor": "Show which backends run here, and why the others do not.",
}


@click.group(
    cls=LazyGroup,
    commands_help=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("-v", "--verbose", is_flag=True, help="Log what is opened, on what, and why.")
def cli(verbose: bool) -> None:
    """Sample generative models, on whatever machine there is."""
    if verbose:
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")


def main() -> None:
    """Run the command line and leave with its exit code.

    0: done. 1: `verify` found a difference beyond the tolerance. 2: an error. 130: interrupted.
    """
    cli.main(prog_name="python -m engine")
