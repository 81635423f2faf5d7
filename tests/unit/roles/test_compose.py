import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest

from cuckoo.domain.errors import ConfigError
from cuckoo.roles.compose import run_roles
from cuckoo.runtime.service import Service


def role(name, events, run=None):
    async def forever():
        events.append(f"run {name}")
        await asyncio.Event().wait()

    @asynccontextmanager
    async def open_role():
        events.append(f"open {name}")
        try:
            yield [Service("work", run or forever)]
        finally:
            events.append(f"close {name}")

    return name, open_role


async def test_run_roles__stopped__closed_in_reverse_order():
    events, stop = [], asyncio.Event()

    async def stopper():
        stop.set()
        await asyncio.Event().wait()

    await run_roles([role("a", events), role("b", events, stopper)], grace_s=1, stop=stop)
    assert events == ["open a", "open b", "run a", "close b", "close a"]


async def test_run_roles__second_can_not_open__first_is_closed():
    events = []

    @asynccontextmanager
    async def broken():
        raise ConfigError("no stake")
        yield

    with pytest.raises(ConfigError, match="no stake"):
        await run_roles([role("a", events), ("b", broken)], grace_s=1)
    assert events == ["open a", "close a"]


async def test_run_roles__signal_while_opening__closed_and_no_error():
    events = []

    @asynccontextmanager
    async def slow():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
        yield []

    await run_roles([role("a", events), ("slow", slow)], grace_s=1)
    assert events == ["open a", "close a"]


async def test_run_roles__service_crashes__its_error_rises_after_closing():
    events = []

    async def crash():
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await run_roles([role("a", events, crash)], grace_s=1)
    assert events == ["open a", "close a"]
