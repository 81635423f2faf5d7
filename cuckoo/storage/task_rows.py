"""Rows of tasks and attempts, and the records they are read into."""
# ruff: noqa: S608 - the SQL is put together from this package's own column lists, never from what anybody sent

import sqlite3
from typing import Any

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import NotFound
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import TaskStatus
from cuckoo.storage.records import AttemptState, NewAttempt, StoredAttempt, StoredTask

_GIVEN = (
    "attempt",
    "coordinator_node",
    "miner_node",
    "sequence",
    "assignment",
    "assignment_hash",
    "signature",
    "deadline",
    "assigned_at",
    "seed_tip",
    "draw_index",
    "draw_head",
    "draw_block",
    "odds",
    "candidates",
)
_ADDED = ("receipt", "receipt_signature", "reason", "ended_at")
_INSERT_ATTEMPT = f"INSERT INTO attempts (task, state, {', '.join(_GIVEN)}) VALUES (?, 'running'{', ?' * len(_GIVEN)})"
_SELECT_ATTEMPTS = f"SELECT state, {', '.join((*_GIVEN, *_ADDED))} FROM attempts WHERE task = ? ORDER BY attempt"
_SELECT_TASKS = (
    "SELECT position, task_id, owner_key, idempotency_key, parameters, status, created_at, ended_at, reason, "
    "price_wei, avoid FROM tasks "
)
_STATUS = {status.value: status for status in TaskStatus}
_STATE = {state.value: state for state in AttemptState}


def unknown(task_id: TaskId) -> NotFound:
    """Say that a task is not here."""
    return NotFound(f"read task {task_id}: there is no such task, or its time of keeping is over")


def locate(connection: sqlite3.Connection, task_id: TaskId) -> tuple[int, TaskStatus]:
    """Find a task's position and status; raises NotFound."""
    row = connection.execute(
        "SELECT position, status FROM tasks WHERE task_id = ?", (bytes.fromhex(task_id),)
    ).fetchone()
    if row is None:
        raise unknown(task_id)
    return row[0], _STATUS[row[1]]


def locate_attempt(
    connection: sqlite3.Connection, task_id: TaskId, position: int, attempt: int
) -> tuple[AttemptState, NodeId]:
    """Find an attempt's state and miner; raises NotFound."""
    row = connection.execute(
        "SELECT state, miner_node FROM attempts WHERE task = ? AND attempt = ?", (position, attempt)
    ).fetchone()
    if row is None:
        raise NotFound(f"read attempt {attempt} of task {task_id}: there is no such attempt")
    return _STATE[row[0]], NodeId(row[1])


def insert_attempt(connection: sqlite3.Connection, position: int, attempt: NewAttempt) -> None:
    """Add the row of a running attempt."""
    connection.execute(_INSERT_ATTEMPT, (position, *(getattr(attempt, name) for name in _GIVEN)))


def pictures_of(connection: sqlite3.Connection, position: int) -> tuple[bytes, ...]:
    """Read the blob hashes of a task's pictures, in order."""
    rows = connection.execute("SELECT blob_hash FROM pictures WHERE task = ? ORDER BY picture", (position,)).fetchall()
    return tuple(digest for (digest,) in rows)


def read_tasks(connection: sqlite3.Connection, clauses: str, values: tuple[object, ...]) -> list[StoredTask]:
    """Read tasks with their attempts and pictures.

    Args:
        connection: any.
        clauses: SQL after FROM, our own text, never a user's.
        values: for its placeholders.
    """
    return [_task(connection, row) for row in connection.execute(_SELECT_TASKS + clauses, values).fetchall()]


def _task(connection: sqlite3.Connection, row: tuple[Any, ...]) -> StoredTask:
    position, raw_id, owner_key, idempotency_key, parameters, status, created_at, ended_at, reason, *money = row
    price_wei, avoid = money
    task_id = TaskId(raw_id.hex())
    attempts = connection.execute(_SELECT_ATTEMPTS, (position,)).fetchall()
    return StoredTask(
        position=position,
        task_id=task_id,
        owner_key=owner_key,
        idempotency_key=idempotency_key,
        parameters=parameters,
        status=_STATUS[status],
        created_at=created_at,
        price_wei=Wei(int(price_wei)),
        avoid=msgspec.msgpack.decode(avoid, type=tuple[NodeId, ...]),
        ended_at=ended_at,
        reason=reason,
        attempts=tuple(_attempt(task_id, attempt) for attempt in attempts),
        pictures=pictures_of(connection, position),
    )


def _attempt(task_id: TaskId, row: tuple[Any, ...]) -> StoredAttempt:
    fields: dict[str, Any] = dict(zip((*_GIVEN, *_ADDED), row[1:], strict=True))
    return StoredAttempt(task_id=task_id, state=_STATE[row[0]], **fields)
