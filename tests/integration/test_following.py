"""A task can be followed through the logs by its id."""

import structlog

from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.messages import Failure, TaskRequest
from tests.support.coordinating import ScriptedMiner, app, running

ABOUT_TASKS = ("task taken in", "attempt given out", "attempt failed", "result taken", "task over")


async def test_log__of_a_coordinator__tells_a_task_from_its_taking_in_to_its_end(tmp_path):
    with structlog.testing.capture_logs() as entries:
        async with running(tmp_path) as coordinator, app(coordinator) as client:
            miner = ScriptedMiner(coordinator)
            await miner.sign_in()
            task = await client.submit(TaskRequest(prompt="a red apple"))
            other = await client.submit(TaskRequest(prompt="a pear"))
            first = (await miner.poll()).assignment
            await miner.client.fail(miner.token, first.task_id, 1, Failure(kind="out_of_memory", reason="too large"))
            while (await client.get(task.task_id)).status is not TaskStatus.DONE:
                await miner.serve_one()
            await client.cancel(other.task_id)
            await miner.client.close()
    told = [entry for entry in entries if entry.get("task") == task.task_id]
    assert [(entry["event"], entry.get("attempt")) for entry in told] == [
        ("task taken in", None),
        ("attempt given out", 1),
        ("attempt failed", 1),
        ("attempt given out", 2),
        ("result taken", 2),
        ("task over", None),
    ]
    assert told[-1]["status"] == "done"
    assert all("task" in entry for entry in entries if entry["event"] in ABOUT_TASKS)
    assert {entry["miner"] for entry in told if "attempt" in entry} == {miner.node_id}
