"""A role's whole books in one snapshot: for checking, also from outside while the role runs or after it died."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.ledger import EARNED, REDEEMED, Ledger, read_cursor
from cuckoo.storage.records import Cursor, Entry, NewEntry
from cuckoo.storage.schema import migrations
from cuckoo.storage.writer import DATABASE_NAME, Command, Reader


class WrongSum(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger row whose cumulative is not the sum of its account's amounts up to it."""

    entry_id: int
    account: str
    counterparty: NodeId
    cumulative_wei: int
    sum_wei: int


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What a role has on disk about money, at one moment. Amounts in wei.

    Attributes:
        sums: by account and counterparty, added up from the rows' amounts.
        wrong: the first row of each account whose cumulative says something else.
        vouchers: the best one of each coordinator.
        unanswered: prices of results that no coordinator has answered, by coordinator.
        cursor: up to which block the chain is booked.
    """

    sums: dict[str, dict[NodeId, int]]
    wrong: tuple[WrongSum, ...]
    vouchers: dict[NodeId, int]
    unanswered: dict[NodeId, int]
    cursor: Cursor | None

    def sum_wei(self, account: str, counterparty: NodeId) -> int:
        """Return what an account sums up to with one counterparty."""
        return self.sums.get(account, {}).get(counterparty, 0)


def read_books(connection: sqlite3.Connection) -> Books:
    """Add up all rows."""
    sums: dict[str, dict[NodeId, int]] = {}
    wrong: dict[tuple[str, NodeId], WrongSum] = {}
    rows = connection.execute(
        "SELECT entry_id, account, counterparty, amount_wei, cumulative_wei FROM ledger ORDER BY entry_id"
    )
    for entry_id, account, counterparty, amount_wei, cumulative_wei in rows:
        by_node = sums.setdefault(account, {})
        by_node[counterparty] = by_node.get(counterparty, 0) + int(amount_wei)
        if by_node[counterparty] != int(cumulative_wei):
            wrong.setdefault(
                (account, counterparty),
                WrongSum(
                    entry_id=entry_id,
                    account=account,
                    counterparty=counterparty,
                    cumulative_wei=int(cumulative_wei),
                    sum_wei=by_node[counterparty],
                ),
            )
    return Books(
        sums=sums,
        wrong=tuple(wrong.values()),
        vouchers=_vouchers(connection),
        unanswered=_unanswered(connection),
        cursor=read_cursor(connection),
    )


def _vouchers(connection: sqlite3.Connection) -> dict[NodeId, int]:
    rows = connection.execute("SELECT coordinator_node, cumulative_wei FROM vouchers")
    return {NodeId(node): int(wei) for node, wei in rows}


def _unanswered(connection: sqlite3.Connection) -> dict[NodeId, int]:
    found: dict[NodeId, int] = {}
    for node, wei in connection.execute("SELECT coordinator_node, price_wei FROM receipts WHERE state = 'signed'"):
        found[NodeId(node)] = found.get(NodeId(node), 0) + int(wei)
    return found


def adopt_earned(at: float) -> Command[list[Entry]]:
    """Let a miner's ledger take over what its vouchers and the chain know better: it is from a backup.

    Not while a result is unanswered: a voucher may hold its price already, and the answer books it.

    Args:
        at: unix seconds.

    Returns (from the command):
        The rows that this made.
    """

    def run(connection: sqlite3.Connection) -> list[Entry]:
        unanswered = _unanswered(connection)
        known = {"voucher": _vouchers(connection), "chain": Ledger.sums(connection, REDEEMED)}
        earned = Ledger.sums(connection, EARNED)
        rows = []
        for node in sorted({node for by_node in known.values() for node in by_node} - set(unanswered)):
            source = max(known, key=lambda name: known[name].get(node, 0))
            missing_wei = known[source].get(node, 0) - earned.get(node, 0)
            if missing_wei > 0:
                rows.append(
                    NewEntry(
                        account=EARNED,
                        kind=f"adopted from {source}",
                        amount_wei=missing_wei,
                        counterparty=node,
                        at=at,
                    )
                )
        return [Ledger.append(row)(connection) for row in rows]

    return run


@asynccontextmanager
async def open_books(directory: Path) -> AsyncIterator[Reader]:
    """Open a role's database for reading, whether the role runs, has stopped or was killed.

    Raises:
        ConfigError: there is none, it can not be opened, or another version of this program wrote it.
    """
    path, newest = directory / DATABASE_NAME, migrations()[-1][0]
    doing = f"read the ledger in {directory}"
    if not path.is_file():
        raise ConfigError(f"{doing}: there is none")
    try:
        async with Reader(directory) as reader:
            version: int = await reader.execute(lambda one: one.execute("PRAGMA user_version").fetchone()[0])
            if version != newest:
                todo = "start its role once" if version < newest else "install the newer Cuckoo that wrote it"
                raise ConfigError(f"{doing}: its version is {version}, this program's is {newest}: {todo}")
            yield reader
    except sqlite3.OperationalError as error:
        raise ConfigError(f"{doing}: {error}; may this user read and write there?") from error
