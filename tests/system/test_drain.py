"""SIGTERM in the middle of a task: nothing is lost, and every process ends by itself with exit code 0."""

import os
from contextlib import suppress

import pytest

from cuckoo.client.app import AppClient
from cuckoo.domain.errors import CuckooError
from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.messages import TaskRequest
from cuckoo.protocol.views import EventKind
from tests.support.processes import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Some seconds of work: long enough to be stopped in the middle of.
ENDLESS = TaskRequest(prompt="red apple", width_px=256, height_px=256, steps=150, seed=5)
LONG = TaskRequest(prompt="red apple", width_px=128, height_px=128, steps=24, seed=5)


async def in_the_middle(app, task_id):
    async for event in app.events(task_id):
        if event.kind is EventKind.PROGRESS and event.step >= 2:
            return (await app.get(task_id)).attempts[-1].miner_node
    raise AssertionError("the events ended")


async def finished(app, task_id):
    async def over():
        with suppress(CuckooError):
            view = await app.get(task_id)
            return view if view.status.final else None

    return await until(over, what=f"task {task_id}")


async def test_miner__stopped_in_the_middle__finishes_its_task_first(town):
    async with AppClient(town.origin) as app:
        task = await app.submit(LONG)
        miner = town.miner_of(await in_the_middle(app, task.task_id))
        assert miner.stop() == 0
        view = await finished(app, task.task_id)
        assert view.status is TaskStatus.DONE
        assert len(view.attempts) == 1
        assert not miner.children()
    miner.start()
    await town.signed_in(2)


async def test_miner__no_grace_left__hands_its_task_back_to_the_other(town):
    await town.signed_in(2)
    async with AppClient(town.origin) as app:
        task = await app.submit(ENDLESS)
        miner = town.miner_of(await in_the_middle(app, task.task_id))
        miner.popen.terminate()
        await until(lambda: _logged(miner, "draining"), what="the drain")
        miner.popen.terminate()
        assert miner.popen.wait(30) == 0
        view = await finished(app, task.task_id)
        assert view.status is TaskStatus.DONE
        assert len(view.attempts) == 2
        assert "shutting" in view.attempts[0].reason
    miner.start()
    await town.signed_in(2)


async def _logged(process, event):
    return any(entry.get("event") == event for entry in process.logged()[-20:])


async def test_coordinator__stopped_in_the_middle__task_is_finished_before_or_after(town):
    await town.signed_in(2)
    coordinator = town.processes["coordinator"]
    async with AppClient(town.origin) as app:
        task = await app.submit(LONG)
        await in_the_middle(app, task.task_id)
        assert coordinator.stop() == 0
        coordinator.start()
        view = await finished(app, task.task_id)
        assert view.status is TaskStatus.DONE


async def test_everything__stopped__ends_by_itself_with_code_zero(town):
    codes = {}
    for name in ("miner-0", "miner-1", "coordinator", "devnet"):
        process = town.processes[name]
        children = process.children()
        codes[name] = process.stop()
        for child in children:
            await until(lambda child=child: _gone(child), what=f"process {child} of {name} to end")
    assert codes == dict.fromkeys(codes, 0)


async def _gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
