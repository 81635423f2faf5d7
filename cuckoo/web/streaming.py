"""Server-sent events. Source: WHATWG HTML, section 9.2."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, cast

import structlog
from aiohttp import web

from cuckoo.domain.errors import LimitReached, Overloaded
from cuckoo.protocol.messages import encode_json
from cuckoo.protocol.views import TaskEvent
from cuckoo.storage.keys import ApiKey

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

log = structlog.get_logger(__name__)

HEARTBEAT_S = 15.0
SLOW_S = 10.0
"""A reader for whose sake the connection takes nothing for so long is dropped."""

_HEARTBEAT = b": still here\n\n"
_RETRY_AFTER_S = 5.0


class Streams:
    """Counts the event streams that are open."""

    def __init__(self, limit: int) -> None:
        """Start with none; ``limit``: of all callers together."""
        self._limit = limit
        self._open = 0
        self._by_owner: dict[int | None, int] = {}

    @contextmanager
    def one_of(self, key: ApiKey | None) -> Iterator[None]:
        """Hold one; a key may hold as many as open tasks.

        Raises:
            Overloaded: all are taken.
            LimitReached: the key has as many as it may.
        """
        if self._open >= self._limit:
            raise Overloaded(f"follow a task: {self._open:,} event streams are open, the limit", _RETRY_AFTER_S)
        owner = None if key is None else key.key_id
        mine = self._by_owner.get(owner, 0)
        if key is not None and mine >= key.limits.open_tasks:
            raise LimitReached(
                f'follow a task: the API key "{key.name}" has {mine:,} event streams open, its limit', _RETRY_AFTER_S
            )
        self._open += 1
        self._by_owner[owner] = mine + 1
        try:
            yield
        finally:
            self._open -= 1
            left = self._by_owner.pop(owner) - 1
            if left:
                self._by_owner[owner] = left


async def stream_events(
    request: web.Request,
    events: AsyncIterator[TaskEvent],
    *,
    heartbeat_s: float = HEARTBEAT_S,
    slow_s: float = SLOW_S,
) -> web.StreamResponse:
    """Answer with a task's events until its final one; raises as ``stream_frames``, and NotFound."""

    async def frames() -> AsyncIterator[bytes]:
        async with aclosing(cast("AsyncGenerator[TaskEvent, None]", events)) as stream:
            async for event in stream:
                yield _frame(event)

    return await stream_frames(request, frames(), heartbeat_s=heartbeat_s, slow_s=slow_s)


async def stream_frames(
    request: web.Request,
    frames: AsyncIterator[bytes],
    *,
    headers: Mapping[str, str] | None = None,
    heartbeat_s: float = HEARTBEAT_S,
    slow_s: float = SLOW_S,
) -> web.StreamResponse:
    """Answer with frames of server-sent events as they come, and with a comment whenever it is quiet.

    A reader that does not keep up is dropped: its connection is closed, and it may come again. What ``frames`` raises
    before its first one is raised; nothing was written yet.
    """
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            **(headers or {}),
        }
    )

    async def write(frame: bytes) -> None:
        try:
            async with asyncio.timeout(slow_s):
                await response.write(frame)
        except TimeoutError:
            raise LimitReached(f"follow a task: nothing was read for {slow_s:g} s", _RETRY_AFTER_S) from None

    async with aclosing(cast("AsyncGenerator[bytes, None]", frames)) as stream:
        upcoming = asyncio.ensure_future(anext(stream, None))
        try:
            frame = await upcoming
            await response.prepare(request)
            while frame is not None:
                await write(frame)
                upcoming = asyncio.ensure_future(anext(stream, None))
                while not (await asyncio.wait({upcoming}, timeout=heartbeat_s))[0]:
                    await write(_HEARTBEAT)
                frame = upcoming.result()
            await response.write_eof()
        except LimitReached as error:
            if not response.prepared:
                raise
            log.info("event stream dropped", path=request.path, reason=str(error))
            if request.transport is not None:
                request.transport.abort()
        finally:
            if not upcoming.done():
                upcoming.cancel()
                await asyncio.wait({upcoming})
    return response


def _frame(event: TaskEvent) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.kind.value.encode(), encode_json(event))
