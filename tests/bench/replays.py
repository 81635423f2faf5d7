"""Which schedulers let a single step be made again to the bit, and from how many latents: by trying every step.

Run: python -m tests.bench.replays [steps]
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from cuckoo.domain.errors import PeerFault
from cuckoo.domain.task import SCHEDULERS
from cuckoo.inference.pool import PoolOptions, WorkerPool
from cuckoo.protocol.messages import ChallengeAnswer
from cuckoo.protocol.openings import check_answer
from tests.support.replaying import again, every_scheduler, exact, make, task

MOST = 5
"""Latents that are tried at most: each costs a step of the denoiser, and its bytes on the wire."""


async def least_history(pool, scheduler: str, steps: int, folder: Path) -> int:
    """Return from how many latents every step of a scheduler is made again exactly; 0 where no number suffices."""
    try:
        kept = await make(pool, task(scheduler, steps), folder)
        answer = ChallengeAnswer(latents=kept.opened(0, 1))
        check_answer(answer, kept.challenge(0, 1), kept.parameters, kept.done.latents_root)
    except PeerFault:  # it refuses this number of steps, or takes another
        return 0
    for history in range(1, MOST + 1):
        for step in reversed(range(steps)):
            if exact(await again(pool, kept, step, history)) != (True, True, True):
                break
        else:
            return history
    return 0


async def main(steps: int) -> None:
    """Try, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        async with WorkerPool([every_scheduler()], PoolOptions(devices=("cpu",), threads=1)) as pool:
            for scheduler in SCHEDULERS:
                history = await least_history(pool, scheduler, steps, Path(folder))
                print(f"| `{scheduler}` | {history or 'no'} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
