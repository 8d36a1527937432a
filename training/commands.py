"""How the command lines of training end."""

from __future__ import annotations

import sys

import click

from engine.backends.base import not_installed
from engine.core.errors import BackendUnavailableError, EngineError


def run_command(command: click.Command) -> None:
    """Run a command; a user's mistake is one line on stderr and exit code 2.

    A code that the command leaves with by `click.exceptions.Exit` is passed on.
    """
    try:
        code = command(standalone_mode=False)
    except click.ClickException as error:
        _leave(error.format_message())
    except click.Abort:
        _leave("interrupted")
    except EngineError as error:
        _leave(str(error))
    else:
        if isinstance(code, int) and code:
            sys.exit(code)


def require_torch() -> None:
    """Raise BackendUnavailableError naming the extra that brings torch, where it is missing."""
    missing = not_installed("torch", "train")
    if missing:
        raise BackendUnavailableError(missing)


def _leave(message: str) -> None:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(2)
