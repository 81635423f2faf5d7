"""Every transaction on disk before it leaves: no nonce serves two of them, and none is lost, whenever the process dies.

A row stays until its nonce is final. What has a row and is not in the pool, because this process died before it sent
it, an endpoint forgot it, or a reorganisation threw it out, is sent again (:mod:`cuckoo.chain.transactions`).
Processes that share the file share the nonces.
"""

import asyncio
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cuckoo.domain.errors import FatalError
from cuckoo.domain.identifiers import Address

BUSY_TIMEOUT_S = 30.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sent (
    genesis TEXT NOT NULL,
    account TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    hash TEXT NOT NULL,
    raw BLOB NOT NULL,
    doing TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (genesis, account, nonce, hash)
) WITHOUT ROWID, STRICT
"""
_COLUMNS = "nonce, hash, raw, doing, at"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Whose nonces. ``genesis`` names the chain: a development chain begins anew under the same id."""

    genesis: str
    address: Address


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A signed transaction that may be on its way.

    Attributes:
        raw: what is sent, signature and all.
        doing: what it does: "vote for node 3".
        at: when it was recorded, unix seconds.
    """

    nonce: int
    hash: str
    raw: bytes
    doing: str
    at: float


class Outbox:
    """The transactions that are not final yet, by account and nonce. Thread-safe."""

    def __init__(self, path: Path | None) -> None:
        """Name the file, made when the first transaction is recorded; None keeps everything in memory."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Lock()
        self._turns: defaultdict[Address, asyncio.Lock] = defaultdict(asyncio.Lock)

    def turn(self, address: Address) -> asyncio.Lock:
        """Return the lock that senders of an account take turns with, within this process."""
        return self._turns[address]

    def close(self) -> None:
        """Close the file."""
        with self._thread:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        """Open a transaction that is on disk when it is left."""
        try:
            with self._thread:
                connection = self._connection or self._open()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise FatalError(f"{doing}: the outbox {self._path or 'in memory'} can not be used: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path or ":memory:", timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(_SCHEMA)
        self._connection = connection
        return connection

    def allocate(self, account: Account, pending: int, sign: Callable[[int], Sent]) -> Sent:
        """Record the next transaction of an account; it may be sent when this returns.

        Args:
            account: whose.
            pending: how many transactions the chain counts, its pool included.
            sign: makes the transaction for a nonce.

        Returns:
            The transaction, with the first nonce that neither the chain nor a row has.

        Raises:
            FatalError: the disk does not take it.
        """
        with self._transaction("record a transaction") as connection:
            rows = connection.execute(
                "SELECT nonce FROM sent WHERE genesis = ? AND account = ? AND nonce >= ?",
                (account.genesis, account.address, pending),
            ).fetchall()
            taken = {nonce for (nonce,) in rows}
            nonce = pending
            while nonce in taken:
                nonce += 1
            sent = sign(nonce)
            _insert(connection, account, sent)
        return sent

    def replace(self, account: Account, sent: Sent) -> None:
        """Record another version, with higher fees, of a transaction that has a row."""
        with self._transaction("record a replacement") as connection:
            _insert(connection, account, sent)

    def withdraw(self, account: Account, nonce: int) -> None:
        """Give a nonce back: no endpoint has taken its transaction."""
        with self._transaction("withdraw a transaction") as connection:
            connection.execute(
                "DELETE FROM sent WHERE genesis = ? AND account = ? AND nonce = ?",
                (account.genesis, account.address, nonce),
            )

    def versions(self, account: Account, nonce: int) -> list[Sent]:
        """Return all versions of a transaction, the last one first."""
        return [sent for sent in self._read(account, nonce) if sent.nonce == nonce]

    def under(self, account: Account, doing: str) -> list[Sent]:
        """Return the transactions recorded as doing exactly this, the last version of each, the last nonce first."""
        return [sent for sent in reversed(self.waiting(account, 0)) if sent.doing == doing]

    def waiting(self, account: Account, nonce: int) -> list[Sent]:
        """Return the last version of each transaction from a nonce on, in order."""
        newest: dict[int, Sent] = {}
        for sent in self._read(account, nonce):
            newest.setdefault(sent.nonce, sent)
        return list(newest.values())

    def count(self, account: Account) -> int:
        """Count the transactions that have a row."""
        return len(self.waiting(account, 0))

    def forget(self, account: Account, final: int, before: float) -> None:
        """Drop what is final.

        Args:
            account: whose.
            final: how many transactions are in final blocks.
            before: nothing that was recorded later, unix seconds; development chains undo what was final.
        """
        with self._transaction("forget final transactions") as connection:
            connection.execute(
                "DELETE FROM sent WHERE genesis = ? AND account = ? AND nonce < ? AND at < ?",
                (account.genesis, account.address, final, before),
            )

    def _read(self, account: Account, nonce: int) -> list[Sent]:
        with self._transaction("read the outbox") as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM sent WHERE genesis = ? AND account = ? AND nonce >= ? "  # noqa: S608
                "ORDER BY nonce, at DESC",
                (account.genesis, account.address, nonce),
            ).fetchall()
        return [Sent(nonce=row[0], hash=row[1], raw=row[2], doing=row[3], at=row[4]) for row in rows]


def _insert(connection: sqlite3.Connection, account: Account, sent: Sent) -> None:
    connection.execute(
        f"INSERT INTO sent (genesis, account, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (account.genesis, account.address, sent.nonce, sent.hash, sent.raw, sent.doing, sent.at),
    )
