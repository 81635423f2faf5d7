"""Abuse reports, and orders to take pictures down, in a database of their own.

Apart from the coordinator's for the reason that API keys are: here the command line writes orders while the role runs,
which writes reports, and what came of an order.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from cuckoo.domain.errors import ConfigError, Overloaded

REPORTS_NAME = "reports.sqlite"
OPEN_MAX = 10_000
"""Reports that may wait for the operator."""

_AGAIN_S = 3_600.0
_BUSY_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS reports (
    report_id INTEGER PRIMARY KEY AUTOINCREMENT,
    target    TEXT NOT NULL,
    reason    TEXT NOT NULL,
    contact   TEXT NOT NULL,
    at        REAL NOT NULL,
    closed_at REAL
) STRICT;
CREATE INDEX IF NOT EXISTS reports_open ON reports (report_id) WHERE closed_at IS NULL;
CREATE TABLE IF NOT EXISTS takedowns (
    takedown_id INTEGER PRIMARY KEY AUTOINCREMENT,
    target      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    at          REAL NOT NULL,
    done_at     REAL,
    pictures    INTEGER NOT NULL DEFAULT 0,
    withheld    INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody reports. Times are unix seconds.

    Attributes:
        target: the id of a task (32 hex digits), or a hash of a picture (64).
        contact: where the operator may answer; "" where nobody wants an answer.
        closed_at: when the operator closed it; None before.
    """

    report_id: int
    target: str
    reason: str
    contact: str
    at: float
    closed_at: float | None = None


class Takedown(msgspec.Struct, frozen=True, kw_only=True):
    """An order to take something down. Times are unix seconds.

    Attributes:
        target: as of a report.
        done_at: when nobody could read it any more; None before.
        pictures: how many pictures that were here it hit.
        withheld: how many of them were kept on disk then, for the jury of an open dispute.
    """

    takedown_id: int
    target: str
    reason: str
    at: float
    done_at: float | None = None
    pictures: int = 0
    withheld: int = 0


class ReportBook:
    """Reports and takedowns on disk. Calls block for a moment; a lock held elsewhere, for 5 s at most."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use :func:`open_reports`."""
        self._connection = connection
        self._lock = threading.Lock()

    def report(self, target: str, reason: str, contact: str, at: float) -> int:
        """Keep a report; returns its number.

        Raises:
            Overloaded: as many as are kept wait for the operator.
        """
        ((waiting,),), _ = self._execute("SELECT count(*) FROM reports WHERE closed_at IS NULL")
        if waiting >= OPEN_MAX:
            raise Overloaded(f"take a report in: {waiting:,} wait for the operator already", _AGAIN_S)
        ((number,),), _ = self._execute(
            "INSERT INTO reports (target, reason, contact, at) VALUES (?, ?, ?, ?) RETURNING report_id",
            (target, reason, contact, at),
        )
        return int(number)

    def reports(self, *, closed: bool = False) -> list[Report]:
        """Read the reports that wait, oldest first; with those that are ``closed``."""
        rows, _ = self._execute(
            "SELECT report_id, target, reason, contact, at, closed_at FROM reports "
            "WHERE closed_at IS NULL OR ? ORDER BY report_id",
            (closed,),
        )
        return [Report(**dict(zip(Report.__struct_fields__, row, strict=True))) for row in rows]

    def close(self, report_id: int, at: float) -> None:
        """Close a report without taking anything down.

        Raises:
            ConfigError: no report of this number waits.
        """
        _, changed = self._execute(
            "UPDATE reports SET closed_at = ? WHERE report_id = ? AND closed_at IS NULL", (at, report_id)
        )
        if not changed:
            raise ConfigError(f"close report {report_id}: none of this number waits: cuckoo coordinator reports list")

    def order(self, target: str, reason: str, at: float) -> int:
        """Order a takedown, and close the reports about the same target; returns the order's number."""
        ((number,),), _ = self._execute(
            "INSERT INTO takedowns (target, reason, at) VALUES (?, ?, ?) RETURNING takedown_id", (target, reason, at)
        )
        self._execute("UPDATE reports SET closed_at = ? WHERE target = ? AND closed_at IS NULL", (at, target))
        return int(number)

    def takedowns(self, *, open_only: bool = False) -> list[Takedown]:
        """Read all orders, oldest first, or those that were not carried out."""
        rows, _ = self._execute(
            "SELECT takedown_id, target, reason, at, done_at, pictures, withheld FROM takedowns "
            "WHERE done_at IS NULL OR NOT ? ORDER BY takedown_id",
            (open_only,),
        )
        return [Takedown(**dict(zip(Takedown.__struct_fields__, row, strict=True))) for row in rows]

    def done(self, takedown_id: int, *, pictures: int, withheld: int, at: float) -> None:
        """Note that an order was carried out."""
        self._execute(
            "UPDATE takedowns SET done_at = ?, pictures = ?, withheld = ? WHERE takedown_id = ?",
            (at, pictures, withheld, takedown_id),
        )

    def forget_before(self, at: float) -> int:
        """Delete reports that were closed before a unix time; returns how many. Takedowns stay."""
        return self._execute("DELETE FROM reports WHERE closed_at < ?", (at,))[1]

    def _execute(self, sql: str, values: tuple[object, ...] = ()) -> tuple[list[tuple[Any, ...]], int]:
        """Run one statement, which is one commit; returns its rows, and how many it changed."""
        with self._lock:
            cursor = self._connection.execute(sql, values)
            return cursor.fetchall(), cursor.rowcount


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
        path.chmod(0o600)
        yield ReportBook(connection)
    except sqlite3.Error as error:
        raise ConfigError(f"use the reports in {path}: {error}") from error
    finally:
        connection.close()
