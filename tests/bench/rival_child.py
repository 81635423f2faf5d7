"""Child, in Procrastinate's own environment: enqueue, claim, complete, as fast as it goes.

Its job manager is called directly, which is what its worker does for each job, without the worker's own work around it.
``python -m tests.bench.rival_child SOCKET_FOLDER CONNECTIONS``
"""

import asyncio
import sys
import time

import procrastinate
from procrastinate.jobs import Status

from tests.bench.children import answer, commands

WARM_S = 1.0


async def main(folder, connections):
    connector = procrastinate.PsycopgConnector(
        conninfo=f"host={folder} user=bench dbname=postgres", min_size=connections, max_size=connections
    )
    app = procrastinate.App(connector=connector)
    task = app.task(name="picture")(print)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        manager = app.job_manager
        worker = await manager.register_worker()
        answer(ready=True)
        async for command in commands():
            answer(per_second=await measure(task, manager, worker, connections, command["seconds"]))


async def measure(task, manager, worker, connections, seconds):
    done, end = 0, time.perf_counter() + WARM_S + seconds

    async def loop():
        nonlocal done
        while time.perf_counter() < end:
            await task.defer_async(prompt="a cuckoo in its nest")
            job = await manager.fetch_job(queues=None, worker_id=worker)
            if job is not None:
                await manager.finish_job(job, status=Status.SUCCEEDED, delete_job=False)
                done += 1

    loops = asyncio.gather(*(loop() for _ in range(connections)))
    await asyncio.sleep(WARM_S)
    done, start = 0, time.perf_counter()
    await loops
    return done / (time.perf_counter() - start)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
