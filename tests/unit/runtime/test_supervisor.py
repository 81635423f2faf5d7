"""A process stops as a whole, in order, and says why."""

import asyncio

import pytest

from cuckoo.runtime.service import Service
from cuckoo.runtime.supervisor import ServiceEnded, supervise


async def _forever():
    await asyncio.Event().wait()


async def test_supervise__service_crashes__others_are_cancelled_and_the_error_rises():
    cancelled = asyncio.Event()

    async def crash():
        raise RuntimeError("boom")

    async def other():
        try:
            await _forever()
        finally:
            cancelled.set()

    with pytest.raises(RuntimeError, match="boom"):
        await supervise([Service("crash", crash), Service("other", other)])
    assert cancelled.is_set()


async def test_supervise__service_returns__is_an_error():
    async def done():
        return None

    with pytest.raises(ServiceEnded, match="run service done: it returned"):
        await supervise([Service("done", done), Service("other", _forever)])


async def test_supervise__stop__drains_before_it_cancels():
    order, stop, started = [], asyncio.Event(), asyncio.Event()

    async def run():
        started.set()
        try:
            await _forever()
        finally:
            order.append("cancelled")

    async def drain():
        order.append("drained")

    running = asyncio.create_task(supervise([Service("work", run, drain)], stop=stop))
    await started.wait()
    stop.set()
    await running
    assert order == ["drained", "cancelled"]


async def test_supervise__drain_never_ends__is_cut_after_the_grace():
    stop = asyncio.Event()
    stop.set()
    await supervise([Service("stuck", _forever, _forever)], grace_s=0.0, stop=stop)


async def test_supervise__clean_up_takes_a_while__is_not_cancelled_twice():
    stop, cleaned = asyncio.Event(), asyncio.Event()

    async def run():
        try:
            stop.set()
            await _forever()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            cleaned.set()

    await supervise([Service("work", run)], stop=stop)
    assert cleaned.is_set()
