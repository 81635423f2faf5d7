"""The coordinator's HTTP server: one port for apps and miners."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from cuckoo.domain.errors import ConfigError
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.services.dispatch.service import Dispatch
from cuckoo.services.disputing.evidence import Evidence
from cuckoo.services.keys import AppKeys
from cuckoo.services.moderation import Reports
from cuckoo.services.seeds import Seeds
from cuckoo.services.sessions import Sessions
from cuckoo.web.callers import Callers
from cuckoo.web.cors import allow_origins
from cuckoo.web.doorkeeper import Doorkeeper, room_for
from cuckoo.web.errors import errors
from cuckoo.web.miner_api import MinerApi
from cuckoo.web.public import PublicApi
from cuckoo.web.reporting import ReportsApi
from cuckoo.web.serving_pages import mount_pages
from cuckoo.web.tls import Tls

CONNECTIONS = 16_000
"""Room for 10,000 parked miners, and for apps."""

_BACKLOG = 4_096
_KEEPALIVE_S = 75.0
_SHUTDOWN_S = 2.0


def listen(host: str, port: int) -> socket.socket:
    """Take a port, so that its number is known before anybody is told of it.

    Raises:
        ConfigError: it is taken, or the host is not an address of this machine.
    """
    try:
        return socket.create_server((host, port), backlog=_BACKLOG, family=_family(host))
    except OSError as error:
        raise ConfigError(
            f"listen on {host} port {port}: {error.strerror or error}; choose another with --host or --port"
        ) from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def coordinator_app(
    dispatch: Dispatch,
    sessions: Sessions,
    seeds: Seeds,
    keys: AppKeys,
    evidence: Evidence,
    reports: Reports,
    settings: CoordinatorSettings,
) -> web.Application:
    """Put both APIs together."""
    app = web.Application()
    app.middlewares.extend((allow_origins(app, settings.cors_origins), errors))
    public = PublicApi(
        dispatch, seeds, keys, evidence, streams_limit=settings.streams_limit, origins=settings.cors_origins
    )
    public.mount(app, body_limit=settings.body_limit_bytes, picture_body_limit=settings.picture_body_limit_bytes)
    ReportsApi(reports, Callers(settings.trusted_proxies)).mount(app, body_limit=settings.body_limit_bytes)
    mount_pages(app)
    MinerApi(dispatch, sessions).mount(
        app, body_limit=settings.body_limit_bytes, picture_body_limit=settings.picture_body_limit_bytes
    )
    return app


@asynccontextmanager
async def serving(
    app: web.Application,
    listener: socket.socket,
    *,
    tls: Tls | None = None,
    connections: int = CONNECTIONS,
    idle_s: float = _KEEPALIVE_S,
) -> AsyncIterator[None]:
    """Serve until left; a handler whose caller has gone is cancelled, so that its poll is parked no longer.

    Args:
        app: what to serve.
        listener: where.
        tls: with which certificate; None for plain HTTP.
        connections: how many at once.
        idle_s: a connection that has sent no whole request head for so long is closed.
    """
    limit = room_for(connections)
    runner = web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=idle_s,
        shutdown_timeout=_SHUTDOWN_S,
    )
    await runner.setup()
    doors = None
    try:
        if runner.server is not None:
            doors = await asyncio.get_running_loop().create_server(
                Doorkeeper(runner.server, limit), sock=listener, backlog=_BACKLOG, ssl=tls.context if tls else None
            )
        yield
    finally:
        if doors is not None:
            doors.close()
        await runner.cleanup()
