"""Errors as the user sees them: one red line that says what to do, an exit code, never a traceback."""

import json
import os
import sys
from typing import NoReturn

import click

from cuckoo.domain.errors import ConfigError, CuckooError, InvalidField

EXIT_FAILED = 1
EXIT_CONFIG = 2
EXIT_INTERRUPTED = 130


def exit_with(error: BaseException, *, as_json: bool) -> NoReturn:
    """Print an expected error and exit; raise any other again.

    Args:
        error: what a command raised.
        as_json: whether to print a JSON object instead of a line for people.
    """
    error = _innermost(error)
    if isinstance(error, click.exceptions.Exit):
        sys.exit(error.exit_code)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        sys.exit(EXIT_INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has left: nothing more to say, not even at the interpreter's last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        sys.exit(EXIT_CONFIG)
    if isinstance(error, click.ClickException):
        hint = f"{error.ctx.command_path} --help" if isinstance(error, click.UsageError) and error.ctx else ""
        _say("usage", error.format_message(), hint, as_json=as_json)
        sys.exit(EXIT_CONFIG if isinstance(error, click.UsageError | click.FileError) else EXIT_FAILED)
    if isinstance(error, CuckooError):
        field = {"field": error.field, "limit": error.limit} if isinstance(error, InvalidField) else {}
        _say(error.code, str(error), as_json=as_json, **field)
        sys.exit(EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED)
    raise error


def _say(code: str, message: str, hint: str = "", *, as_json: bool, **more: str) -> None:
    if as_json:
        body = {"code": code, "message": message, **more, **({"help": hint} if hint else {})}
        click.echo(json.dumps({"error": body}, ensure_ascii=False), err=True)
        return
    click.echo(click.style("error: ", fg="red", bold=True) + click.style(message, fg="red"), err=True)
    if hint:
        click.echo(f"see: {hint}", err=True)


def _innermost(error: BaseException) -> BaseException:
    """Unwrap groups: what crashed a task group is shown, not the group; the first expected error where there are."""
    while isinstance(error, BaseExceptionGroup):
        expected, _ = error.split(CuckooError)
        if expected is None and len(error.exceptions) > 1:
            break
        error = (expected or error).exceptions[0]
    return error
