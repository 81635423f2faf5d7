"""Stores on a temporary directory, with a clock that only moves when told, and records with all fields filled in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.records import NewAttempt, NewTask
from cuckoo.storage.store import Store, open_store

HOUR = 3_600.0


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand(1_000 * HOUR)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def store(directory: Path, clock: Hand) -> AsyncIterator[Store]:
    async with open_store(directory, clock=clock) as opened:
        yield opened


def task_id(number: int) -> TaskId:
    return TaskId(f"{number:032x}")


@pytest.fixture
def new_task():
    def make(number: int, **fields) -> NewTask:
        return NewTask(**{"task_id": task_id(number), "parameters": b"parameters", "created_at": 10.0, **fields})

    return make


@pytest.fixture
def new_attempt():
    def make(task: int, attempt: int, **fields) -> NewAttempt:
        given = {
            "task_id": task_id(task),
            "attempt": attempt,
            "coordinator_node": NodeId(1),
            "miner_node": NodeId(7),
            "sequence": 100 * task + attempt,
            "assignment": b"assignment",
            "assignment_hash": bytes([task, attempt]) * 16,
            "signature": b"signature",
            "deadline": 60,
            "assigned_at": 20.0,
            "seed_tip": b"t" * 32,
            "draw_index": 3,
            "draw_head": b"h" * 32,
            "draw_block": 12,
            "odds": 0.25,
            "candidates": 4,
        }
        return NewAttempt(**{**given, **fields})

    return make
