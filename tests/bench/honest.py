"""Honest miners, each of their results checked: how many are found wrong? None may be.

Real pictures across thread counts and batches; the whole network of ``make simulate``, faults included, with pictures as
far apart as real ones; and judges alone, with profiles of all kinds.

Run: python -m tests.bench.honest [real tasks] [simulated tasks]
"""

import asyncio
import io
import itertools
import os
import random
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from multiprocessing import get_context

import numpy as np
from msgspec.structs import replace
from PIL import Image

from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.task import RuntimeProfile
from cuckoo.domain.tolerance import Likeness
from cuckoo.inference.models import load_registry
from cuckoo.inference.pool import Job, PoolOptions, WorkerPool
from cuckoo.protocol.receipts import pixel_hash
from cuckoo.services.auditing.judging import Work, outvoted
from cuckoo.services.auditing.service import OPINIONS_MAX
from cuckoo.services.calibrating.spread import upper_bound
from tests.bench.cheats import task, work
from tests.simulation.plan import plan_of
from tests.simulation.run import quiet, run

REAL, SIMULATED = 300, 10_000
SIDE_PX = 64
SEEDS_AT_ONCE = 40
SPREADS = {"alike": (0.0, 0.0003), "far": (0.05, 1.47)}
"""Least and largest mean difference of honest pictures, as ``cuckoo calibrate`` measures them; docs/trust.md."""

PROFILE = RuntimeProfile(
    device="cpu", dtype="float32", torch="2.13.0", attention="sdpa", threads=1, isa="AVX2", batch_bucket=1
)
PROFILES = (
    PROFILE,
    replace(PROFILE, threads=2),
    replace(PROFILE, batch_bucket=4),
    replace(PROFILE, dtype="bfloat16"),
    replace(PROFILE, device="GPU", dtype="float16", threads=0, isa=""),
)


async def real(count):
    """Draw ``count`` tasks and check each by a second run: as they are, with other threads, out of a batch.

    Returns:
        How many of them were found wrong.
    """
    models = list(load_registry().values())
    own = PoolOptions(devices=("cpu",), threads=1)
    async with AsyncExitStack() as stack:
        one, two, batches = [
            await stack.enter_async_context(WorkerPool(models, options))
            for options in (own, replace(own, threads=2), replace(own, batch_bucket=4))
        ]
        for pool in (one, two, batches):
            await pool.ready.wait()
        wrong = 0
        for number in range(count):
            wanted = replace(task(number), steps=4)
            maker, checker = ((one, one), (one, two), (batches, one))[number % 3]
            if maker is batches:
                wanted = replace(wanted, pictures=2 + number % 3, reproducible=False)
            made = await maker.run(Job(job_id=f"{number}", parameters=wanted))
            again = await checker.run(Job(job_id=f"again {number}", parameters=wanted))
            wrong += outvoted(work(made), [work(again)])[0] is not Likeness.SAME
    return wrong


def judged(count, seed=1):
    """Judge ``count`` results of honest miners with different profiles, every one of them checked.

    Returns:
        (results found wrong, opinions that were found wrong, results that needed more than one opinion).
    """
    rng = random.Random(seed)
    wrong = opinions_wrong = doubtful = 0
    for _ in range(count):
        pixels = np.frombuffer(rng.randbytes(SIDE_PX * SIDE_PX * 3), np.uint8) // 2 + 64
        made = {repr(profile): _made(rng, pixels, profile) for profile in PROFILES}
        makers = rng.choices(list(made.values()), k=1 + OPINIONS_MAX)
        original, *others = [replace(one, by=NodeId(number)) for number, one in enumerate(makers, 2)]
        for asked in range(1, OPINIONS_MAX + 1):
            verdict, at_fault = outvoted(original, others[:asked])
            if verdict is not Likeness.UNCLEAR:
                break
        wrong += verdict is Likeness.DIFFERENT
        opinions_wrong += at_fault is not None
        doubtful += asked > 1
    return wrong, opinions_wrong, doubtful


def _made(rng, pixels, profile):
    """Return a picture as far from the exact one as half of an honest spread: two lie at most all of it apart."""
    if profile == PROFILE:
        shown = pixels
    else:
        low, high = SPREADS["alike" if profile.dtype == "float32" else "far"]
        mean = rng.uniform(low, high) / 2
        size = 1 + int(mean)
        noise = np.frombuffer(rng.randbytes(len(pixels) * 2), np.uint16)
        moved = (noise < mean / size * 65_536) * (2 * (noise % 2).astype(np.int16) - 1) * size
        shown = (pixels + moved).astype(np.uint8)
    file = io.BytesIO()
    Image.frombytes("RGB", (SIDE_PX, SIDE_PX), shown.tobytes()).save(file, "PNG", compress_level=0)
    return Work(
        by=None,
        profile=profile,
        picture_hashes=(pixel_hash(SIDE_PX, SIDE_PX, shown.tobytes()),),
        latents_root=bytes(32) if profile == PROFILE else repr(profile).encode().ljust(32)[:32],
        pictures=(file.getvalue(),),
    )


def networks(count):
    """Run networks of honest miners whose results are all checked, until so many were.

    Returns:
        (checks by their outcome, accusations); raises what a simulation finds.
    """
    states, accused = Counter(), 0
    with ProcessPoolExecutor(os.cpu_count(), initializer=quiet, mp_context=get_context("spawn")) as processes:
        seeds = itertools.count(1)
        while states["passed"] + states["failed"] < count:
            for audits, accusations in processes.map(_network, itertools.islice(seeds, SEEDS_AT_ONCE)):
                states += audits
                accused += accusations
    return states, accused


def _network(seed):
    rng = random.Random(seed)
    error, checks = run(plan_of(seed), audited=1.0, apart=[rng.uniform(*SPREADS["alike"]) for _ in range(200)])
    if error is not None:
        raise error
    return checks.audits, checks.accused


def main(arguments):
    """Print the counts."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    real_count, simulated_count = [int(one) for one in arguments] or (REAL, SIMULATED)
    wrong = asyncio.run(real(real_count))
    _show(real_count, "real tasks (same profile, other threads, batches of 2 to 4)", wrong)
    states, accused = networks(simulated_count)
    checked = states["passed"] + states["failed"]
    _show(checked, f"tasks in simulated networks with faults, {accused} accusations", states["failed"])
    judged_wrong, at_fault, doubtful = judged(simulated_count)
    _show(
        simulated_count, f"before judges alone, all kinds of profiles, {doubtful:,} in doubt", judged_wrong + at_fault
    )
    return bool(wrong or accused or states["failed"] or judged_wrong or at_fault)


def _show(count, what, wrong):
    most = upper_bound(wrong, count)
    print(f"{count:>7,} {what}: {wrong} found wrong (at most {most:.3%}, with 95 %)", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
