"""Results that are made again by somebody else before they are paid, on the coordinator's side."""
# ruff: noqa: S608 - the SQL is put together from this file's own column list, never from what anybody sent

import sqlite3
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import NotFound
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.protocol.messages import Challenge, decode_binary, encode_binary
from cuckoo.storage.blobs import Blobs
from cuckoo.storage.writer import Command, Reader

_COLUMNS = "audit_id, task_id, attempt, miner_node, price_wei, state, detail, opened_at, closed_at, challenge, answer"


class AuditState(StrEnum):
    """Where an audit stands. ``UNDECIDED``: nobody could make the result again; it is paid."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


class NewAudit(msgspec.Struct, frozen=True, kw_only=True):
    """A result that waits to be checked.

    Attributes:
        price_wei: what is owed for it once it has passed.
        challenge: what its miner has to show, where that is to do; ``id`` becomes that of the audit.
    """

    task_id: TaskId
    attempt: int
    miner_node: NodeId
    price_wei: Wei
    opened_at: float
    challenge: Challenge | None = None


class Audit(NewAudit, frozen=True, kw_only=True):
    """An audit as it is stored.

    Attributes:
        detail: what was found.
        opinions: the tasks that make the result again.
        answer: blob hash of the answer to the challenge; None until there is one.
    """

    audit_id: int
    state: AuditState
    detail: str = ""
    closed_at: float | None = None
    opinions: tuple[TaskId, ...] = ()
    answer: bytes | None = None


class Audits:
    """Audits, the tasks they gave out, and the answers to their challenges."""

    def __init__(self, reader: Reader, blobs: Blobs) -> None:
        """Read through ``reader``; keep answers in ``blobs``."""
        self._reader = reader
        self._blobs = blobs

    def add(self, audit: NewAudit, state: AuditState = AuditState.OPEN, detail: str = "") -> Command[int]:
        """Store an audit, open or with what was found at once; the command returns its id."""

        def run(connection: sqlite3.Connection) -> int:
            return (
                connection.execute(
                    "INSERT INTO audits (task_id, attempt, miner_node, price_wei, state, detail, opened_at, closed_at, "
                    "challenge) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        bytes.fromhex(audit.task_id),
                        audit.attempt,
                        audit.miner_node,
                        str(audit.price_wei),
                        state.value,
                        detail,
                        audit.opened_at,
                        None if state is AuditState.OPEN else audit.opened_at,
                        None if audit.challenge is None else encode_binary(audit.challenge),
                    ),
                ).lastrowid
                or 0
            )

        return run

    def add_opinion(self, audit_id: int, number: int, task_id: TaskId) -> Command[None]:
        """Note that a task was given out for an audit."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO audit_opinions VALUES (?, ?, ?)", (audit_id, number, bytes.fromhex(task_id))
            )

        return run

    def ask(self, audit_id: int, challenge: Challenge) -> Command[None]:
        """Put another challenge in the place of an open audit's."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE audits SET challenge = ? WHERE audit_id = ? AND state = 'open'",
                (encode_binary(challenge), audit_id),
            )

        return run

    def answer(self, audit_id: int, answer: bytes) -> Command[None]:
        """Keep the answer to an open audit's challenge, unless there is one already."""

        def run(connection: sqlite3.Connection) -> None:
            digest = self._blobs.put(answer)(connection)
            connection.execute(
                "UPDATE audits SET answer = ? WHERE audit_id = ? AND state = 'open' AND answer IS NULL",
                (digest, audit_id),
            )

        return run

    def close(self, audit_id: int, state: AuditState, detail: str, at: float) -> Command[None]:
        """Close an open audit.

        Raises (from the command):
            NotFound: it is not open.
        """

        def run(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE audits SET state = ?, detail = ?, closed_at = ? WHERE audit_id = ? AND state = 'open'",
                (state.value, detail, at, audit_id),
            ).rowcount
            if not changed:
                raise NotFound(f"close audit {audit_id}: it is not open")

        return run

    async def all_open(self) -> list[Audit]:
        """Read the open ones, in order."""
        return await self._read("WHERE state = 'open' ORDER BY audit_id", ())

    async def get(self, audit_id: int) -> Audit | None:
        """Read one; None when there is none."""
        found = await self._read("WHERE audit_id = ?", (audit_id,))
        return found[0] if found else None

    async def of_attempt(self, task_id: TaskId, attempt: int) -> Audit | None:
        """Read the audit of a result; None when there is none."""
        found = await self._read("WHERE task_id = ? AND attempt = ?", (bytes.fromhex(task_id), attempt))
        return found[0] if found else None

    async def passed_since_failed(self) -> dict[NodeId, int]:
        """Count the results of each miner that were found right after the last one that was found wrong."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT audits.miner_node, count(*) FROM audits LEFT JOIN"
                " (SELECT miner_node, max(audit_id) AS audit_id FROM audits WHERE state = 'failed' GROUP BY miner_node)"
                " AS last ON last.miner_node = audits.miner_node"
                " WHERE state = 'passed' AND audits.audit_id > coalesce(last.audit_id, 0) GROUP BY audits.miner_node"
            ).fetchall()
        )
        return {NodeId(node): count for node, count in rows}

    async def found(self) -> dict[NodeId, tuple[int, int]]:
        """Count the results of each miner that were found right, and wrong."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT miner_node, sum(state = 'passed'), sum(state = 'failed') FROM audits GROUP BY miner_node"
            ).fetchall()
        )
        return {NodeId(node): (passed, failed) for node, passed, failed in rows}

    async def _read(self, clauses: str, values: tuple[object, ...]) -> list[Audit]:
        def run(connection: sqlite3.Connection) -> list[Audit]:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM audits {clauses}", values).fetchall()
            return [_audit(connection, row) for row in rows]

        return await self._reader.execute(run)


def _audit(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Audit:
    audit_id, task_id, attempt, miner_node, price_wei, state, detail, opened_at, closed_at, challenge, answer = row
    opinions = connection.execute(
        "SELECT task_id FROM audit_opinions WHERE audit_id = ? ORDER BY number", (audit_id,)
    ).fetchall()
    return Audit(
        audit_id=audit_id,
        task_id=TaskId(task_id.hex()),
        attempt=attempt,
        miner_node=NodeId(miner_node),
        price_wei=Wei(int(price_wei)),
        state=AuditState(state),
        detail=detail,
        opened_at=opened_at,
        closed_at=closed_at,
        opinions=tuple(TaskId(raw.hex()) for (raw,) in opinions),
        challenge=None if challenge is None else replace(decode_binary(challenge, Challenge), id=audit_id),
        answer=answer,
    )
