"""What a juror says in disputes: on disk before it commits, so that a restart reveals the same."""
# ruff: noqa: S608 - the SQL is put together from this file's own column list, never from what anybody sent

import sqlite3
from typing import Any

import msgspec

from cuckoo.domain.dispute import Verdict
from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.writer import Command, Reader

_COLUMNS = "fault_id, dispute, round, miner, seats, verdict, digest, salt, at, outcome"


class NewVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a juror says in a round of a dispute.

    Attributes:
        fault_id: what the dispute is about, 32 bytes.
        miner: who is accused.
        digest: of what its own computation gave, 32 bytes; zeros without one.
        salt: 32 random bytes.
        at: unix seconds.
    """

    fault_id: bytes
    dispute: int
    round: int
    miner: NodeId
    seats: int
    verdict: Verdict
    digest: bytes
    salt: bytes
    at: float


class StoredVerdict(NewVerdict, frozen=True, kw_only=True):
    """A verdict as it is stored. ``outcome``: what came of the dispute for this juror; "" before its end."""

    outcome: str


class Verdicts:
    """All of a miner's: the first one for each round counts."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def record(self, verdict: NewVerdict) -> Command[StoredVerdict]:
        """Store a verdict; commit to nothing before this has resolved.

        Returns (from the command):
            What holds for the round: where there was one already, that one.
        """

        def run(connection: sqlite3.Connection) -> StoredVerdict:
            values = [getattr(verdict, name) for name in _COLUMNS.split(", ")[:-1]]
            connection.execute(
                f"INSERT OR IGNORE INTO verdicts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '')", values
            )
            key = (verdict.fault_id, verdict.dispute, verdict.round)
            return _read(connection, "WHERE fault_id = ? AND dispute = ? AND round = ?", key)[0]

        return run

    def settle(self, verdict: NewVerdict, outcome: str) -> Command[None]:
        """Note what came of the dispute."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE verdicts SET outcome = ? WHERE fault_id = ? AND dispute = ? AND round = ?",
                (outcome, verdict.fault_id, verdict.dispute, verdict.round),
            )

        return run

    def forget_before(self, at: float) -> Command[int]:
        """Delete those that are over and were recorded before a unix time; the command returns how many."""
        return lambda connection: (
            connection.execute("DELETE FROM verdicts WHERE outcome <> '' AND at < ?", (at,)).rowcount
        )

    async def get(self, fault_id: bytes, dispute: int, number: int) -> StoredVerdict | None:
        """Read what is said in a round."""
        found = await self._find("WHERE fault_id = ? AND dispute = ? AND round = ?", (fault_id, dispute, number))
        return found[0] if found else None

    async def unsettled(self) -> list[StoredVerdict]:
        """Read those whose dispute goes on, as far as is known here."""
        return await self._find("WHERE outcome = '' ORDER BY at", ())

    async def newest(self, limit: int) -> list[StoredVerdict]:
        """Read the newest ones, the newest first."""
        return await self._find("ORDER BY at DESC LIMIT ?", (limit,))

    async def _find(self, clauses: str, values: tuple[object, ...]) -> list[StoredVerdict]:
        return await self._reader.execute(lambda connection: _read(connection, clauses, values))


def _read(connection: sqlite3.Connection, clauses: str, values: tuple[object, ...]) -> list[StoredVerdict]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM verdicts {clauses}", values).fetchall()
    return [_verdict(row) for row in rows]


def _verdict(row: tuple[Any, ...]) -> StoredVerdict:
    fields: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    fields["verdict"] = Verdict(fields["verdict"])
    return StoredVerdict(**fields)
