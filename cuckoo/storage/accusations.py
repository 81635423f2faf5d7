"""Results that a jury is to judge, with their evidence, on the coordinator's side."""
# ruff: noqa: S608 - the SQL is put together from this file's own column list, never from what anybody sent

import sqlite3
from enum import StrEnum
from typing import Any

import msgspec

from cuckoo.domain.errors import NotFound
from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.records import StoredAttempt
from cuckoo.storage.writer import Command, Reader

_COLUMNS = (
    "assignment_hash, miner_node, assignment, assignment_signature, receipt, receipt_signature, pictures, at, state, "
    "dispute, detail"
)


class AccusationState(StrEnum):
    """Where an accusation stands.

    ``ENDED``: without a conviction. ``REFUSED``: the chain does not take it; ``detail`` says why.
    """

    RECORDED = "recorded"
    OPEN = "open"
    CONVICTED = "convicted"
    ENDED = "ended"
    REFUSED = "refused"


class NewAccusation(msgspec.Struct, frozen=True, kw_only=True):
    """What a dispute is about.

    Attributes:
        assignment, receipt: encoded, each with the signature of who made it.
        pictures: blob hashes, in order.
        at: unix seconds.
    """

    assignment_hash: bytes
    miner_node: NodeId
    assignment: bytes
    assignment_signature: bytes
    receipt: bytes
    receipt_signature: bytes
    pictures: tuple[bytes, ...]
    at: float

    @classmethod
    def of(cls, attempt: StoredAttempt, pictures: tuple[bytes, ...], at: float) -> "NewAccusation":
        """Accuse who brought the result of an attempt; raises NotFound where there is none."""
        if attempt.receipt is None or attempt.receipt_signature is None:
            raise NotFound(f"read attempt {attempt.attempt} of task {attempt.task_id}: it brought no result")
        return NewAccusation(
            assignment_hash=attempt.assignment_hash,
            miner_node=attempt.miner_node,
            assignment=attempt.assignment,
            assignment_signature=attempt.signature,
            receipt=attempt.receipt,
            receipt_signature=attempt.receipt_signature,
            pictures=pictures,
            at=at,
        )


class StoredAccusation(NewAccusation, frozen=True, kw_only=True):
    """An accusation as it is stored. ``dispute``: the newest about it on chain; None before there is one."""

    state: AccusationState
    dispute: int | None
    detail: str


class Accusations:
    """One for each result."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def record(self, accusation: NewAccusation) -> Command[None]:
        """Store an accusation before anything of it is sent; one that is there already stays as it is."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"INSERT OR IGNORE INTO accusations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'recorded', NULL, '')",
                (
                    accusation.assignment_hash,
                    accusation.miner_node,
                    accusation.assignment,
                    accusation.assignment_signature,
                    accusation.receipt,
                    accusation.receipt_signature,
                    msgspec.msgpack.encode(accusation.pictures),
                    accusation.at,
                ),
            )

        return run

    def opened(self, assignment_hash: bytes, dispute: int) -> Command[None]:
        """Note the dispute about a result: it runs."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE accusations SET state = 'open', dispute = ? WHERE assignment_hash = ?",
                (dispute, assignment_hash),
            )

        return run

    def lost(self, assignment_hash: bytes) -> Command[None]:
        """Note that the chain does not have the dispute any more."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE accusations SET state = 'recorded', dispute = NULL WHERE assignment_hash = ?",
                (assignment_hash,),
            )

        return run

    def close(self, assignment_hash: bytes, state: AccusationState, detail: str) -> Command[None]:
        """Note what came of it."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE accusations SET state = ?, detail = ? WHERE assignment_hash = ?",
                (state.value, detail, assignment_hash),
            )

        return run

    def forget_before(self, at: float) -> Command[int]:
        """Delete those that are over and were recorded before a unix time; the command returns how many."""
        return lambda connection: (
            connection.execute(
                "DELETE FROM accusations WHERE state IN ('convicted', 'ended', 'refused') AND at < ?", (at,)
            ).rowcount
        )

    async def unfinished(self) -> list[StoredAccusation]:
        """Read those that are not over, oldest first."""
        return await self._read("WHERE state IN ('recorded', 'open') ORDER BY at", ())

    async def count(self, miner: NodeId, since: float) -> int:
        """Count the disputes about a miner that run or have convicted it, of accusations since a unix time."""
        row = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT count(*) FROM accusations WHERE miner_node = ? AND state IN ('open', 'convicted') AND at >= ?",
                (miner, since),
            ).fetchone()
        )
        return int(row[0])

    async def disputed(self) -> list[StoredAccusation]:
        """Read all about which there is or was a dispute, the newest first."""
        return await self._read("WHERE dispute IS NOT NULL ORDER BY dispute DESC", ())

    async def about(self, assignment_hash: bytes) -> StoredAccusation | None:
        """Read the one about a result."""
        found = await self._read("WHERE assignment_hash = ?", (assignment_hash,))
        return found[0] if found else None

    async def of_dispute(self, dispute: int) -> StoredAccusation | None:
        """Read the one that a dispute is about."""
        found = await self._read("WHERE dispute = ?", (dispute,))
        return found[0] if found else None

    async def _read(self, clauses: str, values: tuple[object, ...]) -> list[StoredAccusation]:
        rows = await self._reader.execute(
            lambda connection: connection.execute(f"SELECT {_COLUMNS} FROM accusations {clauses}", values).fetchall()
        )
        return [_accusation(row) for row in rows]


def _accusation(row: tuple[Any, ...]) -> StoredAccusation:
    fields: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    fields["pictures"] = msgspec.msgpack.decode(fields["pictures"], type=tuple[bytes, ...])
    fields["state"] = AccusationState(fields["state"])
    return StoredAccusation(**fields)
