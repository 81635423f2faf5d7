"""The append-only ledger: every change of a balance is a row.

Wei do not fit SQLite's 64-bit integers (9.2 CAI), and sums over two integer columns overflow after a few rows, so
amounts are decimal TEXT and added in Python. Each row carries the cumulative of its (account, counterparty), so the sum
is one indexed read, and any history can be checked against it row by row.
"""
# ruff: noqa: S608 - the SQL is put together from this package's own column lists, never from what anybody sent

import sqlite3
from collections.abc import Sequence
from typing import Any

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import Conflict
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.records import Cursor, Entry, NewEntry
from cuckoo.storage.writer import Command, Reader

OWED = "owed"
"""A coordinator's: what miners have earned here, by miner; its sum is a voucher's cumulative."""
EARNED = "earned"
"""A miner's: what accepted results have earned, by coordinator."""
REDEEMED = "redeemed"
"""Of both: what the chain has paid."""
ESCROW = "escrow"
"""A coordinator's: what it holds ready on chain, by miner."""
THAWING = "thawing"
"""A coordinator's: the part of it that is announced to be withdrawn."""
FEES = "fees"
"""A miner's: what the chain keeps for its stakers and has not passed on."""
REWARDS = "rewards"
"""A staker's: what it has claimed, by node."""
COMPOUNDED = "compounded"
"""A staker's: what of that stands behind the node again."""

_COLUMNS = "entry_id, at, account, kind, counterparty, amount_wei, cumulative_wei, task_id, attempt, reference, model"


class Ledger:
    """Append and sum; nothing is ever changed or deleted (a trigger in the database refuses it)."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    @staticmethod
    def append(entry: NewEntry) -> Command[Entry]:
        """Append a row; the command returns it with its cumulative.

        Raises (from the command):
            Conflict: (account, kind, task, attempt) or (account, kind, reference) is booked already.
        """

        def run(connection: sqlite3.Connection) -> Entry:
            cumulative_wei = _cumulative(connection, entry.account, entry.counterparty) + entry.amount_wei
            try:
                entry_id = connection.execute(
                    "INSERT INTO ledger (at, account, kind, counterparty, amount_wei, cumulative_wei, task_id, "
                    "attempt, reference, model) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        entry.at,
                        entry.account,
                        entry.kind,
                        entry.counterparty,
                        str(entry.amount_wei),
                        str(cumulative_wei),
                        None if entry.task_id is None else bytes.fromhex(entry.task_id),
                        entry.attempt,
                        entry.reference,
                        entry.model,
                    ),
                ).lastrowid
            except sqlite3.IntegrityError as error:
                what = entry.reference or f"task {entry.task_id}, attempt {entry.attempt},"
                raise Conflict(f"book {entry.kind} of {what} on {entry.account}: it is booked already") from error
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
                reference=entry.reference,
                model=entry.model,
            )

        return run

    def book(self, entries: Sequence[NewEntry], cursor: Cursor) -> Command[list[Entry]]:
        """Append what happened on chain up to a block, and move the cursor there: both or nothing.

        Raises (from the command):
            Conflict: the cursor stands there already, or on another chain, or a row is booked.
        """

        def run(connection: sqlite3.Connection) -> list[Entry]:
            before = read_cursor(connection)
            if before is not None and (before.genesis != cursor.genesis or before.block >= cursor.block):
                raise Conflict(f"book the chain up to block {cursor.block}: booked up to {before.block} already")
            connection.execute(
                "INSERT INTO ledger_cursor VALUES (1, ?, ?) "
                "ON CONFLICT DO UPDATE SET genesis = excluded.genesis, block = excluded.block",
                (cursor.genesis, cursor.block),
            )
            return [self.append(entry)(connection) for entry in entries]

        return run

    async def cursor(self) -> Cursor | None:
        """Read up to which block the chain is booked; None before the first time."""
        return await self._reader.execute(read_cursor)

    async def cumulative(self, account: str, counterparty: NodeId) -> int:
        """Read the sum of an account with one counterparty, in wei."""
        return await self._reader.execute(lambda connection: _cumulative(connection, account, counterparty))

    async def earned_wei(self, account: str, counterparty: NodeId, task_id: TaskId, attempt: int) -> Wei:
        """Read what the steps of a cancelled attempt of a counterparty are booked with, in wei.

        An attempt that brought a result has nothing here: its result is answered, and booked, by itself.
        """
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT amount_wei FROM ledger WHERE account = ? AND kind = 'cancelled' AND task_id = ? "
                "AND attempt = ? AND counterparty = ?",
                (account, bytes.fromhex(task_id), attempt, counterparty),
            ).fetchall()
        )
        return Wei(sum(int(amount_wei) for (amount_wei,) in rows))

    async def cumulatives(self, account: str) -> dict[NodeId, int]:
        """Read the sum of an account with each counterparty, in wei."""
        return await self._reader.execute(lambda connection: self.sums(connection, account))

    @staticmethod
    def sums(connection: sqlite3.Connection, account: str) -> dict[NodeId, int]:
        """Read the sum of an account with each counterparty, in wei, within a transaction."""
        rows = connection.execute(
            "SELECT counterparty, cumulative_wei FROM ledger WHERE entry_id IN "
            "(SELECT max(entry_id) FROM ledger WHERE account = ? GROUP BY counterparty)",
            (account,),
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

    async def newest(self, limit: int, *, since: float = 0.0) -> list[Entry]:
        """Read the newest rows of all accounts, in the order in which they were booked.

        Args:
            limit: at most so many; negative for all.
            since: only what happened from then on, unix seconds.
        """
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                f"SELECT {_COLUMNS} FROM ledger WHERE at >= ? ORDER BY entry_id DESC LIMIT ?", (since, limit)
            ).fetchall()
        )
        return [_entry(row) for row in reversed(rows)]


def read_cursor(connection: sqlite3.Connection) -> Cursor | None:
    """Read up to which block the chain is booked; None before the first time."""
    row = connection.execute("SELECT genesis, block FROM ledger_cursor").fetchone()
    return None if row is None else Cursor(genesis=row[0], block=row[1])


def _cumulative(connection: sqlite3.Connection, account: str, counterparty: NodeId) -> int:
    row = connection.execute(
        "SELECT cumulative_wei FROM ledger WHERE account = ? AND counterparty = ? ORDER BY entry_id DESC LIMIT 1",
        (account, counterparty),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _entry(row: tuple[Any, ...]) -> Entry:
    entry_id, at, account, kind, counterparty, amount_wei, cumulative_wei, task_id, attempt, reference, model = row
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
        reference=reference,
        model=model,
    )
