"""Row ``store``: the store alone.

Everything is durable when it is counted: WAL, synchronous=FULL, blob segments synced before each commit.
"""

import asyncio
import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.records import LogChunk, NewAttempt, NewEntry, NewTask, SeedTip
from cuckoo.storage.store import open_store
from cuckoo.storage.writer import Writer, together
from tests.bench.figures import Figure, Row

PICTURE_BYTES = 20_000
TIP = bytes(32)


async def per_second(step, at_once, seconds):
    """Run ``step`` again and again, ``at_once`` of them at a time, and count."""
    end = time.perf_counter() + seconds
    done = 0

    async def loop():
        nonlocal done
        while time.perf_counter() < end:
            await step()
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*(loop() for _ in range(at_once)))
    return done / (time.perf_counter() - start)


async def rows(directory, at_once, batch_max, seconds):
    """Insert one small row a command."""
    async with Writer(directory, batch_max=batch_max) as writer:
        await writer.execute(lambda connection: connection.execute("CREATE TABLE bench (value BLOB)") and None)
        value = bytes(200)

        async def step():
            await writer.execute(
                lambda connection: connection.execute("INSERT INTO bench VALUES (?)", (value,)) and None
            )

        return await per_second(step, at_once, seconds)


async def tasks(directory, at_once, seconds):
    """Take tasks through the store as a coordinator does: insert, attempt with draw log, result of 20 KB with ledger row."""
    async with open_store(directory) as store:
        await store.writer.execute(store.draws.record_tip(SeedTip(tip=TIP, secret=TIP, created_at=0.0)))
        numbers = itertools.count()
        return await per_second(lambda: one_task(store, numbers), at_once, seconds)


async def one_task(store, numbers):
    """Three durable steps of one task."""
    task_id = TaskId(os.urandom(16).hex())
    await store.writer.execute(
        store.tasks.insert(NewTask(task_id=task_id, parameters=bytes(400), created_at=0.0, idempotency_key=task_id))
    )
    number = next(numbers)
    attempt = NewAttempt(
        task_id=task_id,
        attempt=1,
        coordinator_node=NodeId(1),
        miner_node=NodeId(2),
        sequence=number + 1,
        assignment=bytes(600),
        assignment_hash=bytes(32),
        signature=bytes(65),
        deadline=60,
        assigned_at=1.0,
        seed_tip=TIP,
        draw_index=number,
        draw_head=TIP,
        draw_block=1,
        odds=0.5,
        candidates=2,
    )
    chunk = LogChunk(
        tip=TIP,
        period=1,
        first_row=number * 3,
        row_count=3,
        first_draw=number,
        draw_count=1,
        rows=bytes(120),
        head=TIP,
    )
    await store.writer.execute(together(store.draws.append(chunk), store.tasks.record_attempt(attempt)))
    owed = NewEntry(
        account="owed", kind="result", amount_wei=10**18, counterparty=NodeId(2), at=2.0, task_id=task_id, attempt=1
    )
    picture = os.urandom(PICTURE_BYTES)
    finish = store.tasks.finish(task_id, 1, receipt=bytes(500), signature=bytes(65), pictures=[picture], at=2.0)
    await store.writer.execute(together(finish, store.ledger.append(owed)))


def _median(measure, options):
    """Run a measurement several times, each in a fresh directory."""

    async def once():
        with tempfile.TemporaryDirectory(dir=options.directory) as folder:
            return await measure(Path(folder) / "data")

    return statistics.median(asyncio.run(once()) for _ in range(options.rounds))


def measure(options):
    """Measure the row."""
    seconds = options.seconds
    grouped = _median(lambda path: rows(path, 512, 256, seconds), options)
    single = _median(lambda path: rows(path, 512, 1, seconds), options)
    return Row(
        [
            Figure("group commit over one commit each", grouped / single, "x"),
            Figure("small rows, 512 callers, group commit", grouped, "rows/s"),
            Figure("small rows, 512 callers, one commit each", single, "rows/s"),
            Figure("one caller", _median(lambda path: rows(path, 1, 256, seconds), options), "commits/s"),
            Figure(
                "tasks of three writes and 20 KB",
                _median(lambda path: tasks(path, 512, seconds), options),
                "tasks/s",
            ),
        ]
    )
