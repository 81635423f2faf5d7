"""Child, in Procrastinate's own environment: enqueue, claim, complete, as fast as it goes.

``worker``: as its documents say, tasks are deferred and a worker runs them (they do nothing). ``manager``: its job
manager is called directly, without what the worker does around it: the most that its tables can give.
``python -m tests.bench.rival_child SOCKET_FOLDER CONNECTIONS``
"""

import asyncio
import logging
import sys
import time

import procrastinate
from procrastinate.jobs import Status

from tests.bench.children import answer, commands

WARM_S = 1.0
PROMPT = "a cuckoo in its nest"


class Rival:
    """An app with a task that does nothing, in closed loops as many as there are connections."""

    def __init__(self, folder, connections):
        connector = procrastinate.PsycopgConnector(
            conninfo=f"host={folder} user=bench dbname=postgres", min_size=connections, max_size=connections + 5
        )
        self.app = procrastinate.App(connector=connector)
        self.task = self.app.task(name="picture")(self._draw)
        self.connections = connections
        self.done = 0
        self._free = asyncio.Semaphore(0)

    async def _draw(self, prompt):
        self.done += 1
        self._free.release()

    async def _defer_when_one_is_done(self):
        while True:
            await self._free.acquire()
            await self.task.defer_async(prompt=PROMPT)

    async def _one_by_one(self, worker):
        while True:
            await self.task.defer_async(prompt=PROMPT)
            job = await self.app.job_manager.fetch_job(queues=None, worker_id=worker)
            if job is not None:
                await self.app.job_manager.finish_job(job, status=Status.SUCCEEDED, delete_job=False)
                self.done += 1

    async def worker(self, seconds):
        self._free = asyncio.Semaphore(2 * self.connections)
        loops = [self._defer_when_one_is_done() for _ in range(self.connections)]
        work = self.app.run_worker_async(
            concurrency=self.connections, install_signal_handlers=False, wait=True, shutdown_graceful_timeout=1.0
        )
        return await self._rate([work, *loops], seconds)

    async def manager(self, seconds):
        worker = await self.app.job_manager.register_worker()
        return await self._rate([self._one_by_one(worker) for _ in range(self.connections)], seconds)

    async def _rate(self, loops, seconds):
        tasks = [asyncio.create_task(one) for one in loops]
        await asyncio.sleep(WARM_S)
        done, start = self.done, time.perf_counter()
        await asyncio.sleep(seconds)
        rate = (self.done - done) / (time.perf_counter() - start)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await self.app.connector.execute_query_async("DELETE FROM procrastinate_jobs")
        return rate


async def main(folder, connections):
    logging.basicConfig(level=logging.CRITICAL)
    rival = Rival(folder, connections)
    async with rival.app.open_async():
        await rival.app.schema_manager.apply_schema_async()
        answer(ready=True)
        async for command in commands():
            seconds = command["seconds"]
            answer(worker=await rival.worker(seconds), manager=await rival.manager(seconds))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
