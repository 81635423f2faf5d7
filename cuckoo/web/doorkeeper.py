"""How many connections a server holds at once: no more than its files allow, and idle ones make room."""

import asyncio
import resource
from typing import cast

import structlog
from aiohttp import web

log = structlog.get_logger(__name__)

SPARE_FILES = 256
"""Kept for the database, the chain and everything else that is no connection."""

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_WHY = b'{"code":"unavailable","message":"connect: %d connections are open, which is the limit","retry_after_s":5.0}'


def room_for(wanted: int) -> int:
    """Return how many connections this process may hold, at most ``wanted``; its limit of open files is raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != resource.RLIM_INFINITY and soft < needed:
        room = max(1, soft - SPARE_FILES)
        log.warning("fewer connections than set: raise the limit of open files (ulimit -n)", room=room, wanted=wanted)
        return room
    return wanted


class _Full(asyncio.Protocol):
    """Says that there is no room, and hangs up."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        why = _WHY % self._limit
        answer = cast("asyncio.Transport", transport)
        answer.write(_FULL % (len(why), why))
        answer.close()


class Doorkeeper:
    """Makes the protocol of each new connection: the server's, or a refusal where there are too many."""

    def __init__(self, server: web.Server, limit: int) -> None:
        """Name the server and how many connections it may hold."""
        self._server = server
        self._limit = limit

    def __call__(self) -> asyncio.BaseProtocol:
        """Take the next one in."""
        if len(self._server.connections) >= self._limit:
            return _Full(self._limit)
        return cast("asyncio.BaseProtocol", self._server())
