"""Row ``parked``: 10,000 miners that wait for work, and 1,000 that vanish without a word.

Every miner holds one long poll over plain HTTP on loopback. Those that vanish are stopped, not ended: their connections
stay open and say nothing more.
"""

import asyncio
import os
import signal
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench.children import child
from tests.bench.figures import Figure, Row

MINERS = 10_000
VANISHING = 1_000
CYCLE_S = 26.0
"""Longer than a long poll: every miner has polled again."""

NOTICED_WITHIN_S = 120.0
_LOOK_S = 0.2


async def _measure(options):
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.directory)))
        coordinator = await stack.enter_async_context(child("tests.bench.coordinator", folder / "data", MINERS, 256))
        origin = (await coordinator.read())["origin"]
        _, empty_mb = coordinator.usage()
        start = time.perf_counter()
        staying = MINERS - VANISHING
        loads = [
            await stack.enter_async_context(child("tests.bench.load", origin, first, count, 1))
            for first, count in ((0, staying), (staying, VANISHING))
        ]
        await asyncio.gather(*(load.read() for load in loads))
        signing_in_s = time.perf_counter() - start
        before_s, _ = coordinator.usage()
        await asyncio.sleep(CYCLE_S)
        after_s, full_mb = coordinator.usage()
        state = await coordinator.ask(ask="state")
        if state != {"miners": MINERS, "parked": MINERS}:
            raise RuntimeError(f"not everybody is parked: {state}")
        os.kill(loads[1].process.pid, signal.SIGSTOP)
        try:
            noticed_s = await _noticed(coordinator, staying)
        finally:
            os.kill(loads[1].process.pid, signal.SIGCONT)
    return Row(
        [
            Figure("memory of 10,000 parked miners", full_mb - empty_mb, "MB", 150, at_most=True),
            Figure("memory of the whole process with them", full_mb, "MB"),
            Figure("CPU for them, of one core", (after_s - before_s) / CYCLE_S * 100, "%"),
            Figure("until 1,000 miners that vanished were taken off the list", noticed_s, "s"),
            Figure("miners signed in", MINERS / signing_in_s, "a second"),
        ],
        {"empty_mb": empty_mb, "full_mb": full_mb},
    )


async def _noticed(coordinator, staying):
    start = time.perf_counter()
    while (await coordinator.ask(ask="state"))["miners"] > staying:
        if time.perf_counter() - start > NOTICED_WITHIN_S:
            raise RuntimeError(f"not noticed within {NOTICED_WITHIN_S} s")
        await asyncio.sleep(_LOOK_S)
    return time.perf_counter() - start


def measure(options):
    """Measure the row."""
    return asyncio.run(_measure(options))
