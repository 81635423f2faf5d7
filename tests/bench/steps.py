"""What a check of one step catches, asked for every step, and what it costs against making the whole again.

Run: python -m tests.bench.steps [tasks of each kind]
"""

import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # before torch: some cheats run in this process

from msgspec.structs import replace

from cuckoo.domain.tolerance import Likeness
from cuckoo.inference.messages import Finished
from cuckoo.inference.models import load_registry
from cuckoo.inference.pool import PoolOptions, WorkerPool
from cuckoo.protocol.messages import ChallengeAnswer, encode_binary
from cuckoo.roles.audits import AuditDevice
from cuckoo.services.auditing.judging import Work
from cuckoo.services.auditing.steps import judge
from tests.bench.cheats import task
from tests.support.replaying import Kept, keep, make

STEPS = 16
LAZY = (1, 4, 8)
COSTS = (4, 8, 16, 50)
REPEATS = 5
OUT = Path("steps.json")


class Bench:
    """Cheats of this process's own, and two devices that check: one with the same runtime profile, one without."""

    def __init__(self, same, other, folder):
        from cuckoo.inference.pipelines import Pipeline

        self.same, self.other, self.folder = same, other, folder
        self.pipeline = Pipeline(next(iter(load_registry().values())), "cpu")
        self.pipeline.warm_up()

    async def honest(self, wanted):
        return await make(self.same, wanted, self.folder)

    async def changed(self, wanted, **changes):
        return await make(self.same, replace(wanted, **changes), self.folder)

    async def half(self, wanted):
        """Half the steps; each of their latents is shown twice."""
        made = await self.changed(wanted, steps=STEPS // 2)
        latents = [one.payload for one in every(made)]
        return keep(
            made.parameters, made.done, [[latents[0], *(one for one in latents[1:] for _ in (0, 1))]], self.folder
        )

    async def joined(self, wanted):
        """Another seed's latents behind the right starting noise: one step is wrong."""
        made, right = await self.changed(wanted, seed=0), await self.honest(wanted)
        latents = [every(right)[0].payload, *(one.payload for one in every(made)[1:])]
        return keep(wanted, made.done, [latents], self.folder)

    async def noise(self, wanted):
        made = await self.honest(wanted)
        latents = [[random.randbytes(len(one.payload)) for one in every(made)]]
        return keep(made.parameters, made.done, latents, self.folder)

    async def lazy(self, wanted, saved):
        """Leave the denoiser out in some steps and take its last word again; all the rest is as it should be."""
        return await asyncio.to_thread(self._lazy, wanted, saved)

    def _lazy(self, wanted, saved):
        from cuckoo.inference.drawing import Watch, encode

        unet, at, last = self.pipeline.pipe.unet, -1, None
        left_out = {round((number + 1) * STEPS / (saved + 1)) for number in range(saved)}
        forward = unet.forward

        def sometimes(*args, **kwargs):
            nonlocal at, last
            at += 1
            if at not in left_out:
                last = forward(*args, **kwargs)
            return last

        unet.forward = sometimes
        try:
            silent = Watch(stopped=lambda: False, progress=lambda *_: None, nearly=lambda: None)
            drawing = self.pipeline.draw(wanted, 1, silent)
        finally:
            del unet.forward
        made = encode(drawing)
        done = Finished(
            job_id="",
            pictures=made.pictures,
            picture_hashes=made.picture_hashes,
            latents_root=made.latents_root,
            profile=drawing.profile,
            step_s=drawing.step_s,
            seconds=0.0,
        )
        return keep(wanted, done, drawing.latents, self.folder)

    async def check(self, pool, wanted, kept: Kept) -> Counter:
        """Ask for every step; returns how often which likeness was found."""
        original = Work(
            by=None,
            profile=kept.done.profile,
            picture_hashes=tuple(kept.done.picture_hashes),
            latents_root=kept.done.latents_root,
            pictures=tuple(kept.done.pictures),
        )
        found = Counter()
        for step in range(STEPS):
            answer = encode_binary(ChallengeAnswer(latents=kept.opened(step, 1)))
            likeness, _ = await judge(kept.challenge(step, 1), answer, wanted, original, AuditDevice(pool))
            found[likeness] += 1
        return found


def every(kept):
    """Return all latents of a result."""
    last = kept.parameters.steps
    return [next(one for one in kept.opened(min(step, last - 1), 1) if one.step == step) for step in range(last + 1)]


async def catches(bench, count):
    """Measure what is found."""
    rows = {
        "**its work**": bench.honest,
        "draws another prompt": lambda wanted: bench.changed(wanted, prompt="a smiling face"),
        "draws without guidance, which is half the work": lambda wanted: bench.changed(
            wanted, guidance_thousandths=1_000
        ),
        "ignores the seed": lambda wanted: bench.changed(wanted, seed=0),
        "shows what it made for another task": lambda wanted: bench.changed(wanted, prompt="a fish", seed=1),
        "shows noise": bench.noise,
        "joins the right noise to a picture of another seed": bench.joined,
        "does half the steps, and shows each twice": bench.half,
    }
    for saved in LAZY:
        rows[f"leaves out {saved} of {STEPS} steps"] = lambda wanted, saved=saved: bench.lazy(wanted, saved)
    print(f"{'what a miner does':<54}{'same profile':>14}{'other threads':>15}{'unclear':>9}", flush=True)
    found = []
    for what, cheat in rows.items():
        same, other = Counter(), Counter()
        for number in range(count):
            wanted = replace(task(number), steps=STEPS)
            kept = await cheat(wanted)
            same += await bench.check(bench.same, wanted, kept)
            other += await bench.check(bench.other, wanted, kept)
        asked = count * STEPS
        parts = [f"{one[Likeness.DIFFERENT]}/{asked}" for one in (same, other)]
        print(f"{what:<54}{parts[0]:>14}{parts[1]:>15}{other[Likeness.UNCLEAR]:>9}", flush=True)
        found.append({"what": what, "asked": asked, "same": dict(same), "other": dict(other)})
    return found


async def costs(bench):
    """Measure seconds and bytes."""
    print(f"{'steps':>5}{'whole, ms':>12}{'one step, ms':>14}{'part':>7}{'answer, bytes':>15}", flush=True)
    found = []
    for steps in COSTS:
        wanted = replace(task(0), steps=steps)
        whole, single, size = [], [], 0
        for number in range(REPEATS):
            started = time.perf_counter()
            kept = await bench.honest(wanted)
            whole.append(time.perf_counter() - started)
            challenge = kept.challenge((number * steps) // REPEATS, 1)
            opened = kept.opened(challenge.step, 1)
            size = len(encode_binary(ChallengeAnswer(latents=opened)))
            started = time.perf_counter()
            shown = {one.step: one.payload for one in opened}
            await AuditDevice(bench.same).replay(wanted, challenge, shown, kept.done.pictures[0])
            single.append(time.perf_counter() - started)
        row = {"steps": steps, "whole_s": statistics.median(whole), "step_s": statistics.median(single), "bytes": size}
        part = row["step_s"] / row["whole_s"]
        print(f"{steps:>5}{row['whole_s'] * 1e3:>12.0f}{row['step_s'] * 1e3:>14.0f}{part:>7.0%}{size:>15,}", flush=True)
        found.append(row)
    return found


async def main(count):
    """Measure and print."""
    models = list(load_registry().values())
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pools = [
            await stack.enter_async_context(WorkerPool(models, PoolOptions(devices=("cpu",), threads=threads)))
            for threads in (1, 2)
        ]
        for pool in pools:
            await pool.ready.wait()
        bench = Bench(*pools, folder)
        return {"steps": STEPS, "catches": await catches(bench, count), "costs": await costs(bench)}


if __name__ == "__main__":
    measured = asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 4))
    OUT.write_text(json.dumps(measured, indent=1))
    print(f"raw numbers: {OUT}")
