"""A scripted miner that works by itself."""

import asyncio
from contextlib import asynccontextmanager

from cuckoo.protocol.messages import Failure
from tests.support.coordinating import ScriptedMiner, png


@asynccontextmanager
async def working(coordinator, *, fails=False, fails_at=None):
    """A miner that draws whatever comes, or fails at it."""
    miner = ScriptedMiner(coordinator)
    await miner.sign_in()

    async def work():
        while True:
            signed = await miner.poll()
            if signed is None:
                continue
            if fails or signed.assignment.parameters.prompt == fails_at:
                await miner.client.fail(
                    miner.token,
                    signed.assignment.task_id,
                    signed.assignment.attempt,
                    Failure(kind="internal", reason="no room"),
                )
            else:
                await miner.progress(signed.assignment, 2, preview=png()[0])
                await miner.submit(signed.assignment, miner.result(signed.assignment))

    try:
        async with asyncio.TaskGroup() as group:
            drawing = group.create_task(work())
            yield miner
            drawing.cancel()
    finally:
        await miner.client.close()
