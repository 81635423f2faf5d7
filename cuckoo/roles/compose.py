"""Several roles in one process: their resources opened in order, their services supervised together."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager

import msgspec
import structlog

from cuckoo.domain.network import Network
from cuckoo.roles.chain import Chain, open_chain
from cuckoo.runtime.service import Service
from cuckoo.runtime.supervisor import supervise

log = structlog.get_logger(__name__)

OpenRole = Callable[[], AbstractAsyncContextManager[Sequence[Service]]]
"""Opens a role's resources and names its services; leaving it closes the resources."""


async def run_roles(
    roles: Sequence[tuple[str, OpenRole]], *, grace_s: float, stop: asyncio.Event | None = None
) -> None:
    """Open roles in order, run their services until one ends or somebody says stop, close in reverse order.

    Args:
        roles: name and opener of each; what a later one needs from an earlier one, its opener holds.
        grace_s: how long a drain may take.
        stop: set it to stop as by SIGTERM; tests and the demo use it.

    Raises:
        ConfigError: a role can not run as it is set up; says what is missing.
        Exception: that of the service that ended first.
    """
    async with AsyncExitStack() as resources:
        services: list[Service] = []
        with _cancelled_by_signals() as interrupted:
            try:
                for name, open_role in roles:
                    log.info("starting", role=name)
                    opened = await resources.enter_async_context(open_role())
                    services += [msgspec.structs.replace(one, name=f"{name}: {one.name}") for one in opened]
            except asyncio.CancelledError:
                if not interrupted.is_set():
                    raise
                log.info("stopped while starting")
                return
        await supervise(services, grace_s=grace_s, stop=stop)


async def run_on_chain(
    network: Network,
    rpc_urls: Sequence[str],
    roles: Sequence[tuple[str, Callable[[Chain], AbstractAsyncContextManager[Sequence[Service]]]]],
    *,
    grace_s: float,
    stop: asyncio.Event | None = None,
) -> None:
    """Run roles that share one chain client and one registry view; otherwise as :func:`run_roles`.

    Args:
        network: which chain and contracts.
        rpc_urls: used instead of the network's own when given.
        roles: name and opener of each; the opener gets the connected chain.
        grace_s: how long a drain may take.
        stop: set it to stop as by SIGTERM.

    Raises:
        ChainUnreachable: no endpoint answers.
        ConfigError: another chain is served, or a role can not run as it is set up.
    """
    connected: list[Chain] = []

    @asynccontextmanager
    async def open_shared() -> AsyncIterator[Sequence[Service]]:
        async with open_chain(network, rpc_urls) as chain:
            connected.append(chain)
            yield chain.services

    shared: tuple[str, OpenRole] = ("chain", open_shared)
    own: list[tuple[str, OpenRole]] = [(name, lambda o=open_role: o(connected[0])) for name, open_role in roles]  # type: ignore[misc]
    await run_roles([shared, *own], grace_s=grace_s, stop=stop)


@contextmanager
def _cancelled_by_signals() -> Iterator[asyncio.Event]:
    """Turn SIGINT and SIGTERM into a cancellation of this task, so that what is open already gets closed."""
    interrupted = asyncio.Event()
    task = asyncio.current_task()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        interrupted.set()
        task.cancel()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield interrupted
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        if interrupted.is_set():
            task.uncancel()
