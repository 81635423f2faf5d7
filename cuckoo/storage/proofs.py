"""Second receipts that miners signed over one assignment, until the chain has judged them."""

import sqlite3
from enum import StrEnum

import msgspec

from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.writer import Command, Reader


class ProofState(StrEnum):
    """Where a proof stands."""

    OPEN = "open"
    PROVEN = "proven"
    REFUSED = "refused"


class SecondReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt that differs from the one that was accepted for the same attempt. ``at``: unix seconds."""

    task_id: TaskId
    attempt: int
    miner_node: NodeId
    receipt: bytes
    signature: bytes
    at: float


class Proofs:
    """All of a coordinator's: the first one for each attempt counts."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def add(self, second: SecondReceipt) -> Command[bool]:
        """Store one; the command tells whether it is the first for its attempt."""

        def run(connection: sqlite3.Connection) -> bool:
            return bool(
                connection.execute(
                    "INSERT OR IGNORE INTO second_receipts "
                    "(task_id, attempt, miner_node, receipt, signature, state, at) VALUES (?, ?, ?, ?, ?, 'open', ?)",
                    (
                        bytes.fromhex(second.task_id),
                        second.attempt,
                        second.miner_node,
                        second.receipt,
                        second.signature,
                        second.at,
                    ),
                ).rowcount
            )

        return run

    def close(self, second: SecondReceipt, state: ProofState, detail: str) -> Command[None]:
        """Store what the chain said."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE second_receipts SET state = ?, detail = ? WHERE task_id = ? AND attempt = ?",
                (state.value, detail, bytes.fromhex(second.task_id), second.attempt),
            )

        return run

    async def all_open(self) -> list[SecondReceipt]:
        """Read those that the chain has not judged."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT task_id, attempt, miner_node, receipt, signature, at FROM second_receipts WHERE state = 'open'"
            ).fetchall()
        )
        return [
            SecondReceipt(
                task_id=TaskId(task_id.hex()),
                attempt=attempt,
                miner_node=NodeId(miner_node),
                receipt=receipt,
                signature=signature,
                at=at,
            )
            for task_id, attempt, miner_node, receipt, signature, at in rows
        ]

    async def state(self, task_id: TaskId, attempt: int) -> tuple[ProofState, str] | None:
        """Read what became of the proof about an attempt; None when there is none."""
        row = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT state, detail FROM second_receipts WHERE task_id = ? AND attempt = ?",
                (bytes.fromhex(task_id), attempt),
            ).fetchone()
        )
        return None if row is None else (ProofState(row[0]), row[1])
