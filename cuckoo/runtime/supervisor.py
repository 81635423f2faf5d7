"""Run services until one ends or somebody says stop; drain, cancel, report.

SIGINT and SIGTERM drain: every service's ``drain`` gets ``grace_s`` together, then all are cancelled once. A second
signal skips the grace. A watchdog thread ends a process that does not get out of its own way.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from cuckoo.domain.errors import CuckooError
from cuckoo.runtime.service import Service

log = structlog.get_logger(__name__)

WATCHDOG_MARGIN_S = 20.0
EXIT_FAILED = 1
EXIT_STUCK = 70


class ServiceEnded(CuckooError):
    """A service returned although it should run until cancelled."""

    code = "service_ended"


async def supervise(services: Sequence[Service], *, grace_s: float = 15.0, stop: asyncio.Event | None = None) -> None:
    """Run ``services`` until a signal, ``stop``, or the end of one of them.

    Args:
        services: loops that run until cancelled.
        grace_s: how long a drain may take before everything is cancelled.
        stop: set it to stop as by SIGTERM; tests and the demo use it.

    Raises:
        ServiceEnded: a service returned.
        Exception: the error with which a service crashed; all others are stopped first.
    """
    stopping = stop or asyncio.Event()
    impatient = asyncio.Event()
    with _signals(stopping, impatient):
        tasks = {asyncio.create_task(_run(service), name=service.name): service for service in services}
        stopped = asyncio.ensure_future(stopping.wait())
        try:
            either: set[asyncio.Future[Any]] = {*tasks, stopped}
            done, _ = await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            failure = _first_failure([task for task in tasks if task in done], tasks)
            with _watchdog(grace_s + WATCHDOG_MARGIN_S):
                if failure is None:
                    await _drain(services, grace_s, impatient)
                await _cancel(tasks)
        finally:
            stopped.cancel()
            await _cancel(tasks)
    if failure is not None:
        raise failure


async def _run(service: Service) -> None:
    await service.run()


def _first_failure(
    done: Sequence[asyncio.Task[None]],
    tasks: dict[asyncio.Task[None], Service],
) -> BaseException | None:
    for task in done:
        if task.cancelled():
            return ServiceEnded(f"run service {tasks[task].name}: it was cancelled from inside")
        error = task.exception()
        if error is not None:
            log.error("service crashed", service=tasks[task].name, error=str(error) or type(error).__name__)
            return error
        return ServiceEnded(f"run service {tasks[task].name}: it returned although it should run until cancelled")
    return None


async def _drain(services: Sequence[Service], grace_s: float, impatient: asyncio.Event) -> None:
    log.info("draining", services=[service.name for service in services], grace_s=grace_s)
    drains = asyncio.gather(*(service.drain() for service in services), return_exceptions=True)
    hurry = asyncio.ensure_future(impatient.wait())
    either: set[asyncio.Future[Any]] = {drains, hurry}
    try:
        await asyncio.wait(either, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        if drains.done():
            for service, outcome in zip(services, drains.result(), strict=True):
                if isinstance(outcome, Exception):
                    log.error("drain failed", service=service.name, error=str(outcome))
        else:
            log.warning("drain cut short", after_s=None if impatient.is_set() else grace_s)
    finally:
        hurry.cancel()
        drains.cancel()
        await asyncio.wait({drains})


async def _cancel(tasks: dict[asyncio.Task[None], Service]) -> None:
    """Cancel what still runs, once, and wait until all clean-up is done."""
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        if not task.cancelling():
            task.cancel()
    for task, outcome in zip(pending, await asyncio.gather(*pending, return_exceptions=True), strict=True):
        if isinstance(outcome, Exception):
            log.error("service failed while stopping", service=tasks[task].name, error=str(outcome))


@contextmanager
def _signals(stopping: asyncio.Event, impatient: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stopping.is_set():
            impatient.set()
        stopping.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextmanager
def _watchdog(seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, _give_up, (seconds,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up(seconds: float) -> None:
    os.write(2, f"cuckoo: still not stopped after {seconds:.0f} s, giving up\n".encode())
    os._exit(EXIT_STUCK)
