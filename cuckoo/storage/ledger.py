"""The append-only ledger: every change of a balance is a row.

Wei do not fit SQLite's 64-bit integers (9.2 CAI), and sums over two integer columns overflow after a few rows, so amounts
are decimal TEXT and added in Python. Each row carries the cumulative of its (account, counterparty), which makes the sum
one indexed read, and any history can be checked against it row by row.
"""

from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.records import Entry, NewEntry
from cuckoo.storage.writer import Command, Reader


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
        raise NotImplementedError

    async def cumulative(self, account: str, counterparty: NodeId) -> int:
        """Read the sum of an account with one counterparty, in wei."""
        raise NotImplementedError

    async def total(self, account: str) -> int:
        """Read the sum of an account over all counterparties, in wei."""
        raise NotImplementedError

    async def entries(self, account: str, counterparty: NodeId | None = None, *, after: int = 0) -> list[Entry]:
        """Read rows in order, those with an entry id above ``after``."""
        raise NotImplementedError
