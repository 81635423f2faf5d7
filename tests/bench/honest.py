"""Honest miners before the judges: how many are found wrong? None may be.

Run: python -m tests.bench.honest [real tasks] [simulated tasks]
"""

import asyncio
import io
import os
import random
import sys
from contextlib import AsyncExitStack

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

REAL, SIMULATED = 300, 10_000
SIDE_PX = 64
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


def simulated(count, seed=1):
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


def main(arguments):
    """Print both counts."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    real_count, simulated_count = [int(one) for one in arguments] or (REAL, SIMULATED)
    found = asyncio.run(real(real_count))
    print(
        f"{real_count:,} real tasks of honest miners, each checked (same profile, other threads, batches of 2 to 4): "
        f"{found} found wrong (at most {upper_bound(found, real_count):.2%}, with 95 %)"
    )
    wrong, at_fault, doubtful = simulated(simulated_count)
    print(
        f"{simulated_count:,} simulated ones, each checked, profiles and spreads mixed: {wrong} found wrong, "
        f"{at_fault} opinions found wrong (at most {upper_bound(wrong, simulated_count):.3%}, with 95 %); "
        f"{doubtful:,} needed more than one opinion"
    )
    return bool(found or wrong or at_fault)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
