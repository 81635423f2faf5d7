"""What people report to a coordinator, and what its operator orders to be taken down, in a database of their own.

Apart from the coordinator's, as the API keys are: the command line orders, the role reports and carries out.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cuckoo.domain.errors import ConfigError, LimitReached
from cuckoo.domain.identifiers import TaskId

REPORTS_NAME = "reports.sqlite"
OF_TASK_MAX = 20
"""Reports about one task that are kept."""

OPEN_MAX = 10_000
_AGAIN_S = 3_600.0
_BUSY_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS reports (
    report_id INTEGER PRIMARY KEY AUTOINCREMENT,
    at        REAL NOT NULL,
    task_id   TEXT NOT NULL,
    reason    TEXT NOT NULL,
    contact   TEXT NOT NULL,
    closed_at REAL,
    outcome   TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX IF NOT EXISTS reports_of_task ON reports (task_id);
CREATE TABLE IF NOT EXISTS takedowns (
    task_id    TEXT PRIMARY KEY,
    reason     TEXT NOT NULL,
    ordered_at REAL NOT NULL,
    done_at    REAL,
    blobs      INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report as it is kept. Times are unix seconds.

    Attributes:
        reason, contact: in the words of whoever reported it; not to be trusted.
        closed_at: None while nobody has looked.
        outcome: what was done, "" while it is open.
    """

    report_id: int
    at: float
    task_id: TaskId
    reason: str
    contact: str
    closed_at: float | None = None
    outcome: str = ""


class Takedown(msgspec.Struct, frozen=True, kw_only=True):
    """An order to take the pictures of a task down.

    Attributes:
        done_at: when nothing of them was left; None before.
        blobs: how many pictures went, those that the task was made from included.
    """

    task_id: TaskId
    reason: str
    ordered_at: float
    done_at: float | None = None
    blobs: int = 0


class ReportBook:
    """The file. Calls block for a moment; a lock held elsewhere, for 5 s at most."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use :func:`open_reports`."""
        self._connection = connection

    def report(self, task_id: TaskId, reason: str, contact: str, at: float) -> int:
        """Keep a report; returns its number. The same words about the same task give the first one's.

        Raises:
            LimitReached: there are too many, about this task or at all.
        """
        known = self._connection.execute(
            "SELECT report_id FROM reports WHERE task_id = ? AND reason = ? AND contact = ?", (task_id, reason, contact)
        ).fetchone()
        if known is not None:
            return int(known[0])
        (of_task,) = self._connection.execute("SELECT count(*) FROM reports WHERE task_id = ?", (task_id,)).fetchone()
        (open_,) = self._connection.execute("SELECT count(*) FROM reports WHERE closed_at IS NULL").fetchone()
        if of_task >= OF_TASK_MAX or open_ >= OPEN_MAX:
            raise LimitReached(f"report task {task_id}: it was reported often enough, the operator will look", _AGAIN_S)
        row = self._connection.execute(
            "INSERT INTO reports (at, task_id, reason, contact) VALUES (?, ?, ?, ?) RETURNING report_id",
            (at, task_id, reason, contact),
        ).fetchone()
        return int(row[0])

    def reports(self, *, closed: bool) -> list[Report]:
        """Read the reports that are open, or all of them, oldest first."""
        rows = self._connection.execute(
            "SELECT report_id, at, task_id, reason, contact, closed_at, outcome FROM reports "
            "WHERE ? OR closed_at IS NULL ORDER BY report_id",
            (closed,),
        )
        names = Report.__struct_fields__
        return [Report(**dict(zip(names, row, strict=True))) for row in rows]

    def close(self, report_id: int, outcome: str, at: float) -> None:
        """Close a report; raises ConfigError where there is none, or it is closed."""
        changed = self._connection.execute(
            "UPDATE reports SET closed_at = ?, outcome = ? WHERE report_id = ? AND closed_at IS NULL",
            (at, outcome, report_id),
        )
        if not changed.rowcount:
            raise ConfigError(f"close report {report_id}: no such report is open: cuckoo coordinator reports list")

    def order(self, task_id: TaskId, reason: str, at: float) -> Takedown:
        """Order a takedown, and close the reports about the task; one that was ordered stays as it is."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(
            "INSERT INTO takedowns (task_id, reason, ordered_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (task_id, reason, at),
        )
        self._connection.execute(
            "UPDATE reports SET closed_at = ?, outcome = 'taken down' WHERE task_id = ? AND closed_at IS NULL",
            (at, task_id),
        )
        self._connection.execute("COMMIT")
        return next(one for one in self.takedowns() if one.task_id == task_id)

    def takedowns(self) -> list[Takedown]:
        """Read all orders, oldest first."""
        rows = self._connection.execute(
            "SELECT task_id, reason, ordered_at, done_at, blobs FROM takedowns ORDER BY ordered_at"
        )
        return [Takedown(**dict(zip(Takedown.__struct_fields__, row, strict=True))) for row in rows]

    def done(self, task_id: TaskId, blobs: int, at: float) -> None:
        """Note that an order was carried out."""
        self._connection.execute(
            "UPDATE takedowns SET done_at = ?, blobs = ? WHERE task_id = ? AND done_at IS NULL", (at, blobs, task_id)
        )

    def version(self) -> int:
        """Return a number that changes when somebody else has changed the file."""
        number: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return number


@contextmanager
def open_reports(directory: Path) -> Iterator[ReportBook]:
    """Open the reports in a coordinator's data folder, made if it does not exist.

    Raises:
        ConfigError: the file can not be opened.
    """
    path = directory / REPORTS_NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"open the reports in {path}: {error}") from None
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        yield ReportBook(connection)
    except sqlite3.Error as error:
        raise ConfigError(f"use the reports in {path}: {error}") from error
    finally:
        connection.close()
