"""What all commands that run roles share: logging, the event loop, and how roles are opened."""

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from cuckoo.roles.compose import OpenRole

_GC_THRESHOLDS = (50_000, 20, 50)

Command = TypeVar("Command", bound=Callable[..., Any])


def log_options(command: Command) -> Command:
    """Add --log-level and --log-format."""
    command = click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        envvar="CUCKOO_LOG_LEVEL",
        help="What is worth a line on standard error.  [env: CUCKOO_LOG_LEVEL; default: info]",
    )(command)
    return click.option(
        "--log-format",
        type=click.Choice(["auto", "console", "json"]),
        default="auto",
        envvar="CUCKOO_LOG_FORMAT",
        help="auto: for people on a terminal, JSON elsewhere.  [env: CUCKOO_LOG_FORMAT; default: auto]",
    )(command)


def serve(roles: Sequence[tuple[str, "OpenRole"]], *, grace_s: float, log_level: str, log_format: Any) -> None:
    """Run roles until Ctrl-C, SIGTERM or the end of one of them."""
    from cuckoo.roles.compose import run_roles
    from cuckoo.runtime.logging import configure_logging

    configure_logging(log_level, log_format)
    run(run_roles(roles, grace_s=grace_s))


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on uvloop where there is one.

    What is loaded by now stays: the garbage collector need not look at it, nor as often as for a short script: with the
    usual thresholds it took about a tenth of a busy coordinator's time.
    """
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
