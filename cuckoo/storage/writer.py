"""One thread writes, in group commits; one read-only connection reads.

The writer takes up to 256 commands, opens one transaction, runs each within a savepoint (so that a failing one changes
nothing and troubles nobody), commits once, and then resolves all futures with one call into the event loop. A caller that
has its result therefore knows that it is on disk.
"""

import asyncio
import collections
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from cuckoo.domain.errors import FatalError, Overloaded
from cuckoo.storage.lock import DirectoryLock
from cuckoo.storage.schema import migrate

T = TypeVar("T")
Command: TypeAlias = Callable[[sqlite3.Connection], T]
"""What the writer thread runs inside a transaction: touches nothing but the connection (and the blob segments)."""

BATCH_MAX = 256
QUEUE_MAX = 10_000
BUSY_TIMEOUT_MS = 5_000
DATABASE_NAME = "cuckoo.sqlite"
_RETRY_AFTER_S = 1.0
_STATEMENT_CACHE = 512

_log = logging.getLogger(__name__)


def together(*commands: Command[Any]) -> Command[tuple[Any, ...]]:
    """Make one command of several: all of them become durable, or none.

    Returns:
        A command whose result is the tuple of theirs, in order.
    """

    def run(connection: sqlite3.Connection) -> tuple[Any, ...]:
        return tuple(command(connection) for command in commands)

    return run


class _Pending:
    """A command that waits for its commit, and the future of whoever waits for it."""

    __slots__ = ("command", "error", "future", "result")

    def __init__(self, command: Command[Any], future: asyncio.Future[Any]) -> None:
        self.command = command
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


class Writer:
    """The only writer of a data directory: one thread, one connection, group commits.

    ::

        async with Writer(directory) as writer:
            await writer.execute(lambda connection: connection.execute("..."))

    On leaving, everything that was submitted is committed first.
    """

    def __init__(self, directory: Path, *, batch_max: int = BATCH_MAX, queue_max: int = QUEUE_MAX) -> None:
        """Name the data directory; nothing is opened yet.

        Args:
            directory: made (for its owner only) if it does not exist.
            batch_max: commands per transaction, >= 1.
            queue_max: commands that may wait before ``submit`` refuses.
        """
        self.directory = directory
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._queue: collections.deque[_Pending] = collections.deque()
        self._wake = threading.Condition(threading.Lock())
        self._closing = False
        self._failure: FatalError | None = None
        self._before_commit: list[Callable[[], None]] = []
        self._stopped = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Lock the directory, open and migrate the database, start the thread.

        Raises:
            ConfigError: another process has the directory, or the database is newer than this program.
        """
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit what is queued, stop the thread, close the connection, release the lock."""
        raise NotImplementedError

    def submit(self, command: Command[T]) -> asyncio.Future[T]:
        """Queue a command; call it from the event loop's thread.

        Returns:
            A future that resolves after the commit with the command's result, or with what the command raised
            (its changes are undone, its neighbours' are not).

        Raises:
            Overloaded: too many commands wait.
            FatalError: the writer has stopped because a commit failed.
        """
        raise NotImplementedError

    async def execute(self, command: Command[T]) -> T:
        """Run a command and return its result once it is on disk; errors as in ``submit``."""
        return await self.submit(command)

    def before_commit(self, hook: Callable[[], None]) -> None:
        """Have ``hook`` run on the writer thread before each COMMIT: what it raises fails the commit."""
        raise NotImplementedError

    async def watch(self) -> None:
        """Wait until the writer fails: a service for the supervisor.

        Raises:
            FatalError: a commit failed (disk full, input/output error).
        """
        raise NotImplementedError


class Reader:
    """A second, read-only connection with a thread of its own: sees every commit made before the call."""

    def __init__(self, directory: Path) -> None:
        """Name the data directory of a writer that is open."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Open the connection."""
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        raise NotImplementedError

    async def execute(self, query: Command[T]) -> T:
        """Run a query on the reader's thread and return its result."""
        raise NotImplementedError
