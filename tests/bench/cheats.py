"""What audits catch: every cheat against honest re-runs with real inference, and honest miners against each other.

Run: python -m tests.bench.cheats [tasks of each kind]
"""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec.structs import replace

from cuckoo.demo.cheats import Cheat, CheatingPool
from cuckoo.demo.prompts import PROMPTS
from cuckoo.domain.task import TaskParameters
from cuckoo.domain.tolerance import Likeness
from cuckoo.inference.messages import Finished
from cuckoo.inference.models import load_registry
from cuckoo.inference.pool import Job, PoolOptions, WorkerPool
from cuckoo.protocol.likeness import compare
from cuckoo.protocol.png import difference
from cuckoo.services.auditing.judging import Work
from tests.bench import until
from tests.support.othermodel import other_model

OUT = Path("cheats.json")


def task(number: int, side_px: int = 64) -> TaskParameters:
    """Return one of many different tasks."""
    model = next(iter(load_registry().values()))
    return TaskParameters(
        salt=number.to_bytes(32, "big"),
        model_digest=model.digest,
        prompt=PROMPTS[number % len(PROMPTS)],
        width_px=side_px,
        height_px=side_px,
        steps=(4, 8, 16)[number % 3],
        guidance_thousandths=4_000,
        seed=1_000 + number,
    )


def work(done: Finished) -> Work:
    """Return what the audit sees."""
    return Work(
        by=None,
        profile=done.profile,
        picture_hashes=tuple(done.picture_hashes),
        latents_root=done.latents_root,
        pictures=tuple(done.pictures),
    )


async def main(count: int) -> list[dict]:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        models = [*load_registry().values(), other_model(Path(folder))]
        async with AsyncExitStack() as stack:
            one, two = [
                await stack.enter_async_context(WorkerPool(models, PoolOptions(devices=("cpu",), threads=threads)))
                for threads in (1, 2)
            ]
            for pool in (one, two):
                await pool.ready.wait()
            rows = [await _honest(one, two, count)]
            print(f"{'what':<54}{'same profile':>14}{'other threads':>15}{'mean apart':>12}")
            _show(rows[0])
            for cheat in Cheat:
                if cheat.shows:
                    rows.append(await _cheat(cheat, one, two, count))
                    _show(rows[-1])
    return rows


def found(row: dict) -> float:
    """Return how often a second run with other threads finds a cheat; the first of CACHED is honest work."""
    cheated = row["tasks"] - (row["cheat"] == Cheat.CACHED)
    return row["other"]["different"] / cheated


def _show(row: dict) -> None:
    caught = [f"{row[name]['different']}/{row['tasks']}" for name in ("same", "other")]
    print(f"{row['what']:<54}{caught[0]:>14}{caught[1]:>15}{row['mean']:>12.3f}")


async def _honest(one: WorkerPool, two: WorkerPool, count: int) -> dict:
    return await _compare("an honest miner (must be 0)", one, one, two, count, 64) | {"cheat": ""}


async def _cheat(cheat: Cheat, one: WorkerPool, two: WorkerPool, count: int) -> dict:
    side_px = 128 if cheat is Cheat.UPSCALED else 64
    return await _compare(cheat.sentence, CheatingPool(one, cheat), one, two, count, side_px) | {"cheat": cheat.value}


async def _compare(what, maker, one, two, count, side_px) -> dict:
    same, other, apart = Counter(), Counter(), []
    for number in range(count):
        job = Job(job_id=f"{what} {number}", parameters=task(number, side_px))
        made = await maker.run(job)
        again = await one.run(replace(job, job_id=f"again {number}"))
        elsewhere = await two.run(replace(job, job_id=f"elsewhere {number}"))
        same[compare(work(made), work(again))] += 1
        other[compare(work(made), work(elsewhere))] += 1
        apart.append(difference(made.pictures[0], elsewhere.pictures[0])[0])
    return {
        "what": what,
        "tasks": count,
        "same": {likeness.value: same[likeness] for likeness in Likeness},
        "other": {likeness.value: other[likeness] for likeness in Likeness},
        "mean": sum(apart) / len(apart),
    }


if __name__ == "__main__":
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    measured = asyncio.run(main(tasks))
    late = until.show({row["cheat"]: found(row) for row in measured if row["cheat"]})
    OUT.write_text(json.dumps({"tasks": tasks, "rows": measured}, indent=1))
    print(f"raw numbers: {OUT}")
    sys.exit(bool(late))
