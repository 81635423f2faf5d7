"""kill -9 of each kind of process in the middle of a task: every acknowledged task is finished, exactly once."""

import io
import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing, suppress

import pytest
from PIL import Image

from cuckoo.client.app import AppClient
from cuckoo.domain.errors import CuckooError
from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.eip712 import Domain
from cuckoo.protocol.messages import TaskRequest
from cuckoo.protocol.signing import check_signed_by
from cuckoo.protocol.views import EventKind
from tests.support.processes import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = TaskRequest(prompt="red apple", width_px=128, height_px=128, steps=24, seed=5)
SHORT = TaskRequest(prompt="cat", steps=3, seed=6)


async def in_the_middle(app, task_id):
    """Wait until a task's second step is done; return the node that works on it."""
    node = None
    async for event in app.events(task_id):
        assert not event.kind.final, f"the task ended as {event.kind} before anything could be killed"
        if event.kind is EventKind.DRAWN:
            node = event.attempt.miner_node
        if event.kind is EventKind.PROGRESS and event.step >= 2:
            return node or (await app.get(task_id)).attempts[-1].miner_node
    raise AssertionError("the events ended")


async def finished(app, task_id):
    """Wait until a task is over; the coordinator may be away meanwhile."""

    async def over():
        with suppress(CuckooError):
            view = await app.get(task_id)
            return view if view.status.final else None

    return await until(over, what=f"task {task_id}")


async def check_done_once(app, view):
    """Check that a task is done, by one attempt, with pictures that its receipt vouches for."""
    assert view.status is TaskStatus.DONE, view.error
    assert Counter(attempt.state for attempt in view.attempts)["done"] == 1
    receipt = await app.receipt(view.task_id)
    domain = Domain(receipt.chain_id, receipt.staking)
    miner = {miner.node_id: miner for miner in (await app.miners()).miners}[receipt.assignment.miner_node]
    digest = domain.digest(receipt.receipt.struct_hash())
    check_signed_by(digest, receipt.receipt_signature, miner.operator, "the receipt")
    assert receipt.receipt.assignment_hash == receipt.assignment.struct_hash()
    picture = Image.open(io.BytesIO(await app.picture(view.task_id, 0)))
    assert picture.size == (view.parameters.width_px, view.parameters.height_px)


def done_by_miners(town):
    """Count on disk: what the API tells of miners may be a second old."""
    (path,) = (town.folder / "coordinator").rglob("cuckoo.sqlite")
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        return database.execute("SELECT coalesce(sum(done), 0) FROM miner_counts").fetchone()[0]


async def test_gpu_child__killed_in_the_middle__its_task_is_tried_again(town):
    async with AppClient(town.origin) as app:
        task = await app.submit(LONG)
        node = await in_the_middle(app, task.task_id)
        (child,) = town.miner_of(node).children()
        os.kill(child, signal.SIGKILL)
        view = await finished(app, task.task_id)
        await check_done_once(app, view)
        assert len(view.attempts) == 2
        assert "worker_died" in view.attempts[0].reason
        assert town.miner_of(node).runs
        await until(lambda: _other_child(town.miner_of(node), child), what="a new worker")


async def _other_child(process, old):
    return [child for child in process.children() if child != old]


async def test_miner__killed_in_the_middle__another_one_finishes_and_it_comes_back(town):
    await town.signed_in(2)
    async with AppClient(town.origin) as app:
        task = await app.submit(LONG)
        node = await in_the_middle(app, task.task_id)
        miner = town.miner_of(node)
        (child,) = miner.children()
        miner.kill()
        more = [await app.submit(SHORT) for _ in range(3)]
        miner.start()
        for one in [task, *more]:
            await check_done_once(app, await finished(app, one.task_id))
        view = await app.get(task.task_id)
        assert view.attempts[0].miner_node == node
        assert view.attempts[0].state != "done"
        await until(lambda: _gone(child), what="the orphaned worker to end")
        await town.signed_in(2)


async def _gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_coordinator__killed_in_the_middle__all_acknowledged_tasks_finish_once(town):
    await town.signed_in(2)
    coordinator = town.processes["coordinator"]
    async with AppClient(town.origin) as app:
        before = done_by_miners(town)
        task = await app.submit(LONG, idempotency_key="the long one")
        await in_the_middle(app, task.task_id)
        more = [await app.submit(SHORT, idempotency_key=f"short {number}") for number in range(3)]
        coordinator.kill()
        with pytest.raises(CuckooError):
            await app.get(task.task_id)
        coordinator.start()
        for one in [task, *more]:
            await check_done_once(app, await finished(app, one.task_id))
        again = await app.submit(LONG, idempotency_key="the long one")
        assert again.task_id == task.task_id
        assert done_by_miners(town) == before + 4
