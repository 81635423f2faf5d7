"""Group commits through one connection; one read-only connection reads.

The writer takes up to 256 commands, runs them in one transaction, commits once, and then resolves all futures with one
call into the event loop. A caller that has its result therefore knows that it is on disk. When a command fails, the
transaction is undone and all run again, each within a savepoint, so that the failing one changes nothing and troubles
nobody. Few fail, so most commands need no savepoint.

Commits, which wait for the disk, happen on a thread. Quick statements run on the event loop before: on the thread they
would take the interpreter's lock from the loop and give it back several times each, which costs more than they do.
Batches with a command that takes long run on the thread as a whole.
"""

import asyncio
import collections
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from cuckoo.domain.errors import FatalError, Overloaded
from cuckoo.storage.lock import DirectoryLock
from cuckoo.storage.schema import migrate

T = TypeVar("T")
Command: TypeAlias = Callable[[sqlite3.Connection], T]
"""What the writer runs inside a transaction: touches nothing but the connection (and the blob segments), and may run
twice; the first time is then undone."""

BATCH_MAX = 256
QUEUE_MAX = 10_000
DATABASE_NAME = "cuckoo.sqlite"
_BUSY_TIMEOUT_S = 5.0
_RETRY_AFTER_S = 1.0
_STATEMENT_CACHE = 512
_CACHE_KIB = 32_768

_DISK_FAULTS = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
    }
)


def together(*commands: Command[Any]) -> Command[tuple[Any, ...]]:
    """Make one command of several: all of them become durable, or none.

    Returns:
        A command whose result is the tuple of theirs, in order.
    """

    def run(connection: sqlite3.Connection) -> tuple[Any, ...]:
        return tuple(command(connection) for command in commands)

    return run


class _Pending:
    """A command on its way to a commit, with the future of whoever waits for it."""

    __slots__ = ("command", "error", "future", "quick", "result")

    def __init__(self, command: Command[Any], future: asyncio.Future[Any], quick: bool) -> None:
        self.command = command
        self.future = future
        self.quick = quick
        self.result: Any = None
        self.error: Exception | None = None


def _resolve(batch: list[_Pending]) -> None:
    for pending in batch:
        if pending.future.done():
            continue
        if pending.error is None:
            pending.future.set_result(pending.result)
        else:
            pending.future.set_exception(pending.error)


def _spoils_batch(connection: sqlite3.Connection, error: Exception) -> bool:
    """Tell whether a command's error is the disk's, or has ended the transaction that its neighbours are in."""
    if isinstance(error, FatalError) or not connection.in_transaction:
        return True
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_FAULTS


@dataclass(frozen=True, slots=True)
class _Handed:
    """A batch for the thread: what is left to do is the commit, and the statements where they did not run yet."""

    batch: list[_Pending]
    ran: bool


class Writer:
    """The only writer of a data directory: one connection, group commits.

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
        self._wake = threading.Condition()
        self._handed: _Handed | None = None
        self._busy = False
        self._closing = False
        self._failure: FatalError | None = None
        self._failed = asyncio.Event()
        self._hooks: list[Callable[[], None]] = []
        self._resources = ExitStack()

    async def __aenter__(self) -> Self:
        """Lock the directory, open and migrate the database, start the thread.

        Raises:
            ConfigError: another process has the directory, or the database is newer than this program.
        """
        self._loop = asyncio.get_running_loop()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as opening:
            opening.enter_context(DirectoryLock(self.directory))
            self._connection = sqlite3.connect(
                self.directory / DATABASE_NAME,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_STATEMENT_CACHE,
            )
            opening.callback(self._connection.close)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            migrate(self._connection)
            self._resources = opening.pop_all()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit what is queued, stop the thread, close the connection, release the lock."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        try:
            await asyncio.to_thread(self._thread.join)
        finally:
            self._thread.join()
            self._resources.close()

    def submit(self, command: Command[T], *, quick: bool = False) -> asyncio.Future[T]:
        """Queue a command; call it from the event loop's thread.

        Args:
            command: what to run.
            quick: it takes some ten microseconds, so that the event loop can run it by itself.

        Returns:
            A future that resolves after the commit with the command's result, or with what the command raised
            (its changes are undone, its neighbours' are not).

        Raises:
            Overloaded: too many commands wait.
            FatalError: the writer has stopped, because a commit failed or because it was closed.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        with self._wake:
            if self._failure is not None:
                raise FatalError(str(self._failure)) from self._failure
            if self._closing:
                raise FatalError("write to the store: it is closed")
            if len(self._queue) >= self._queue_max:
                raise Overloaded(f"write to the store: {self._queue_max:,} writes wait already", _RETRY_AFTER_S)
            self._queue.append(_Pending(command, future, quick))
        if not self._busy and len(self._queue) == 1:
            self._loop.call_soon(self._begin)
        return future

    async def execute(self, command: Command[T]) -> T:
        """Run a command and return its result once it is on disk; errors as in ``submit``."""
        return await self.submit(command)

    def before_commit(self, hook: Callable[[], None]) -> None:
        """Have ``hook`` run on the writer thread before each COMMIT: what it raises fails the commit."""
        self._hooks.append(hook)

    async def watch(self) -> None:
        """Wait until the writer fails: a service for the supervisor.

        Raises:
            FatalError: a commit failed (disk full, input/output error).
        """
        await self._failed.wait()
        raise FatalError(str(self._failure)) from self._failure

    # On the event loop.

    def _begin(self) -> None:
        """Take a batch to the disk, if none is on its way."""
        if self._busy or self._closing or self._failure is not None or not self._queue:
            return
        self._busy = True
        batch = self._take()
        quick = all(pending.quick for pending in batch)
        if quick:
            try:
                self._execute(batch)
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing of the batch is durable
                self._stop(batch, error)
                return
        with self._wake:
            self._handed = _Handed(batch, ran=quick)
            self._wake.notify()

    def _committed(self, batch: list[_Pending]) -> None:
        self._busy = False
        _resolve(batch)
        self._begin()

    # On the thread.

    def _run(self) -> None:
        while handed := self._next():
            try:
                if not handed.ran:
                    self._execute(handed.batch)
                self._commit()
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing of the batch is durable
                self._stop(handed.batch, error)
                return
            self._loop.call_soon_threadsafe(self._committed, handed.batch)

    def _next(self) -> _Handed | None:
        """Wait for a batch; once the writer is closed, take what still waits, and nothing when that is done."""
        with self._wake:
            self._wake.wait_for(lambda: self._handed or self._closing)
            handed, self._handed = self._handed, None
            return _Handed(self._take(), ran=False) if handed is None and self._queue else handed

    # On either.

    def _take(self) -> list[_Pending]:
        return [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_max))]

    def _execute(self, batch: list[_Pending]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for pending in batch:
                pending.result = pending.command(connection)
        except Exception as error:
            if _spoils_batch(connection, error):
                raise
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            self._run_apart(batch)

    def _commit(self) -> None:
        for hook in self._hooks:
            hook()
        self._connection.execute("COMMIT")

    def _run_apart(self, batch: list[_Pending]) -> None:
        connection = self._connection
        for pending in batch:
            connection.execute("SAVEPOINT command")
            try:
                pending.result = pending.command(connection)
            except Exception as error:
                if _spoils_batch(connection, error):
                    raise
                pending.error = error
                connection.execute("ROLLBACK TO command")
            connection.execute("RELEASE command")

    def _stop(self, batch: list[_Pending], error: Exception) -> None:
        """Undo the batch and refuse everything from now on: what is on disk must be read again by a new process."""
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        failure = FatalError(
            f"commit to {self.directory / DATABASE_NAME}: {error}; "
            "nothing of this commit was acknowledged; check the disk's free space and health, then start again"
        )
        failure.__cause__ = error
        with self._wake:
            self._failure = failure
            batch = [*batch, *self._queue]
            self._queue.clear()
        for pending in batch:
            pending.error = failure
        self._loop.call_soon_threadsafe(_resolve, batch)
        self._loop.call_soon_threadsafe(self._failed.set)


class Reader:
    """A second, read-only connection with a thread of its own: sees every commit made before the call."""

    def __init__(self, directory: Path) -> None:
        """Name the data directory of a writer that is open."""
        self._uri = f"{(directory / DATABASE_NAME).absolute().as_uri()}?mode=ro"

    async def __aenter__(self) -> Self:
        """Open the connection."""
        self._connection = sqlite3.connect(
            self._uri,
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENT_CACHE,
        )
        self._connection.execute("PRAGMA query_only = ON")
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-reader")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the query in progress end, and close the connection."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._connection.close()

    async def execute(self, query: Command[T]) -> T:
        """Run a query on the reader's thread, in one snapshot, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._snapshot, query)

    def _snapshot(self, query: Command[T]) -> T:
        self._connection.execute("BEGIN")
        try:
            return query(self._connection)
        finally:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
