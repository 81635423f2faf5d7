"""A process that writes to a store until it is killed, and names on standard output what was acknowledged."""

import asyncio
import itertools
import os
import resource
import sys
from pathlib import Path

from cuckoo.domain.errors import FatalError
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.records import LogChunk, NewAttempt, NewEntry, NewTask, SeedTip
from cuckoo.storage.store import Store, open_store
from cuckoo.storage.writer import together

WRITERS = 16


async def serve(store: Store, tip: bytes, rows: "itertools.count[int]", node: int) -> None:
    """Take tasks from submit to result, one after the other, as a coordinator does."""
    for sequence in itertools.count(1 + await store.marks.highest(NodeId(1), NodeId(node))):
        task_id = TaskId(os.urandom(16).hex())
        await store.writer.execute(store.tasks.insert(NewTask(task_id=task_id, parameters=b"p" * 300, created_at=1.0)))
        say("queued", task_id)
        row = next(rows)
        head = row.to_bytes(32, "big")
        attempt = NewAttempt(
            task_id=task_id,
            attempt=1,
            coordinator_node=NodeId(1),
            miner_node=NodeId(node),
            sequence=sequence,
            assignment=b"a" * 400,
            assignment_hash=b"h" * 32,
            signature=b"s" * 65,
            deadline=60,
            assigned_at=2.0,
            seed_tip=tip,
            draw_index=row,
            draw_head=head,
            draw_block=1,
            odds=1.0,
            candidates=1,
        )
        chunk = LogChunk(
            tip=tip, period=1, first_row=row, row_count=1, first_draw=row, draw_count=1, rows=b"row", head=head
        )
        await store.writer.execute(together(store.draws.append(chunk), store.tasks.record_attempt(attempt)))
        say("running", task_id)
        owed = NewEntry(
            account="owed",
            kind="result",
            amount_wei=10**18,
            counterparty=NodeId(node),
            at=3.0,
            task_id=task_id,
            attempt=1,
        )
        picture = bytes.fromhex(task_id) * 1_000
        finish = store.tasks.finish(task_id, 1, receipt=b"r" * 300, signature=b"s" * 65, pictures=[picture], at=3.0)
        await store.writer.execute(together(finish, store.ledger.append(owed)))
        say("done", task_id)


def say(state: str, task_id: TaskId) -> None:
    """Acknowledge, in one write that a kill can not cut."""
    os.write(1, f"{state} {task_id}\n".encode())


async def main(directory: Path, file_limit_bytes: int) -> None:
    """Write until killed, or until the disk is full."""
    async with open_store(directory) as store:
        tip = os.urandom(32)
        await store.writer.execute(store.draws.record_tip(SeedTip(tip=tip, secret=bytes(32), created_at=1.0)))
        if file_limit_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit_bytes, file_limit_bytes))
        rows = itertools.count()
        await asyncio.gather(*(serve(store, tip, rows, node) for node in range(1, WRITERS + 1)))


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
    except FatalError as error:
        sys.exit(f"fatal: {error}")
