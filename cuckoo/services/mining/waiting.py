"""Wait for an event or for time to pass, whichever comes first, on the clock that was handed in."""

import asyncio

from cuckoo.runtime.clock import Clock


async def wait_for(event: asyncio.Event, clock: Clock, seconds: float) -> bool:
    """Wait until ``event`` is set, at most ``seconds``; returns whether it is set."""
    if event.is_set():
        return True
    happened = asyncio.create_task(event.wait())
    passed = asyncio.create_task(clock.sleep(seconds))
    try:
        await asyncio.wait({happened, passed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        happened.cancel()
        passed.cancel()
    return event.is_set()
