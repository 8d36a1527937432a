"""A click group that imports a command when it is needed and reports every error on one line."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from engine.core.errors import EngineError
from engine.core.hints import nearest

_ERROR = 2
_INTERRUPTED = 130


class LazyGroup(click.Group):
    """Command NAME is the function `NAME` of the module `engine.cli.NAME`."""

    def __init__(self, *args: Any, commands_help: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._help = commands_help

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the table."""
        return list(self._help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None if there is none of that name."""
        if cmd_name not in self._help:
            return None
        command: click.Command = getattr(
            importlib.import_module(f"engine.cli.{cmd_name}"), cmd_name
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._help.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for an unknown command."""
        name = args[0]
        if name not in self._help and not name.startswith("-"):
            raise click.UsageError(f"no command {name!r}; {nearest(name, self._help)}", ctx)
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run and exit; see `engine.cli.main` for the codes."""
        # A polite kill ends like Ctrl-C: temporary files are removed, and how to go on is told.
        # Signals belong to the main thread; elsewhere the program around decides.
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader has left (`| head`). Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except click.Abort as abort:
            _fail(str(abort) or "interrupted", _INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(_ERROR)
        except click.ClickException as error:
            _fail(_usage(error), _ERROR)
        except MemoryError as error:
            _fail(f"out of memory: {error}; use a smaller --batch-size or write a folder", _ERROR)
        except EngineError as error:
            _fail(str(error), _ERROR)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}", _ERROR)
        sys.exit(code if isinstance(code, int) else 0)


def _usage(error: click.ClickException) -> str:
    message = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message = f"{message.rstrip('.')}; see {error.ctx.command_path} --help"
    # Click writes sentences; here a message is one.
    message = message.replace(". Did you mean", "; did you mean")
    return message[:1].lower() + message[1:]


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(code)
