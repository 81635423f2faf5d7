"""The append-only ledger: every change of a balance is a row.

Wei do not fit SQLite's 64-bit integers (9.2 CAI), and sums over two integer columns overflow after a few rows, so
amounts are decimal TEXT and added in Python. Each row carries the cumulative of its (account, counterparty), so the sum
is one indexed read, and any history can be checked against it row by row.
"""
# ruff: noqa: S608 - the SQL is put together from this package's own column lists, never from what anybody sent

import sqlite3
from typing import Any

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import Conflict
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.records import Entry, NewEntry
from cuckoo.storage.writer import Command, Reader

_COLUMNS = "entry_id, at, account, kind, counterparty, amount_wei, cumulative_wei, task_id, attempt"


class Ledger:
    """Append and sum; nothing is ever changed or deleted (a trigger in the database refuses it)."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def append(self, entry: NewEntry) -> Command[Entry]:
        """Append a row; the command returns it with its cumulative.

        Raises (from the command):
            Conflict: (account, kind, task, attempt) is booked already.
        """

        def run(connection: sqlite3.Connection) -> Entry:
            cumulative_wei = _cumulative(connection, entry.account, entry.counterparty) + entry.amount_wei
            try:
                entry_id = connection.execute(
                    "INSERT INTO ledger (at, account, kind, counterparty, amount_wei, cumulative_wei, task_id, "
                    "attempt) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        entry.at,
                        entry.account,
                        entry.kind,
                        entry.counterparty,
                        str(entry.amount_wei),
                        str(cumulative_wei),
                        None if entry.task_id is None else bytes.fromhex(entry.task_id),
                        entry.attempt,
                    ),
                ).lastrowid
            except sqlite3.IntegrityError as error:
                raise Conflict(
                    f"book {entry.kind} of task {entry.task_id}, attempt {entry.attempt}, on {entry.account}: "
                    "it is booked already"
                ) from error
            return Entry(
                entry_id=entry_id or 0,
                cumulative_wei=cumulative_wei,
                account=entry.account,
                kind=entry.kind,
                amount_wei=entry.amount_wei,
                counterparty=entry.counterparty,
                at=entry.at,
                task_id=entry.task_id,
                attempt=entry.attempt,
            )

        return run

    async def cumulative(self, account: str, counterparty: NodeId) -> int:
        """Read the sum of an account with one counterparty, in wei."""
        return await self._reader.execute(lambda connection: _cumulative(connection, account, counterparty))

    async def earned_wei(self, account: str, counterparty: NodeId, task_id: TaskId, attempt: int) -> Wei:
        """Read what is booked on an account for an attempt of a counterparty, in wei."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT amount_wei FROM ledger WHERE account = ? AND kind IN ('result', 'cancelled') AND task_id = ? "
                "AND attempt = ? AND counterparty = ?",
                (account, bytes.fromhex(task_id), attempt, counterparty),
            ).fetchall()
        )
        return Wei(sum(int(amount_wei) for (amount_wei,) in rows))

    async def cumulatives(self, account: str) -> dict[NodeId, int]:
        """Read the sum of an account with each counterparty, in wei."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT counterparty, cumulative_wei FROM ledger WHERE entry_id IN "
                "(SELECT max(entry_id) FROM ledger WHERE account = ? GROUP BY counterparty)",
                (account,),
            ).fetchall()
        )
        return {NodeId(counterparty): int(cumulative_wei) for counterparty, cumulative_wei in rows}

    async def total(self, account: str) -> int:
        """Read the sum of an account over all counterparties, in wei."""
        return sum((await self.cumulatives(account)).values())

    async def entries(
        self, account: str, counterparty: NodeId | None = None, *, after: int = 0, limit: int = 1_000
    ) -> list[Entry]:
        """Read rows in order.

        Args:
            account: whose.
            counterparty: only with this node; None for all.
            after: only entry ids above this one (the last one's of the page before).
            limit: at most so many.
        """
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                f"SELECT {_COLUMNS} FROM ledger "
                "WHERE account = ?1 AND counterparty = coalesce(?2, counterparty) AND entry_id > ?3 "
                "ORDER BY entry_id LIMIT ?4",
                (account, counterparty, after, limit),
            ).fetchall()
        )
        return [_entry(row) for row in rows]


def _cumulative(connection: sqlite3.Connection, account: str, counterparty: NodeId) -> int:
    row = connection.execute(
        "SELECT cumulative_wei FROM ledger WHERE account = ? AND counterparty = ? ORDER BY entry_id DESC LIMIT 1",
        (account, counterparty),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _entry(row: tuple[Any, ...]) -> Entry:
    entry_id, at, account, kind, counterparty, amount_wei, cumulative_wei, task_id, attempt = row
    return Entry(
        entry_id=entry_id,
        at=at,
        account=account,
        kind=kind,
        counterparty=NodeId(counterparty),
        amount_wei=int(amount_wei),
        cumulative_wei=int(cumulative_wei),
        task_id=None if task_id is None else TaskId(task_id.hex()),
        attempt=attempt,
    )
