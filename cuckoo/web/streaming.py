"""Server-sent events. Source: WHATWG HTML, section 9.2."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from aiohttp import web

from cuckoo.protocol.messages import encode_json
from cuckoo.protocol.views import TaskEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HEARTBEAT_S = 15.0
_HEARTBEAT = b": still here\n\n"


async def stream_events(
    request: web.Request, events: AsyncIterator[TaskEvent], *, heartbeat_s: float = HEARTBEAT_S
) -> web.StreamResponse:
    """Answer with a task's events until its final one, with a comment whenever it is quiet.

    Raises:
        NotFound: the task is not there; nothing was written yet.
    """
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    async with aclosing(cast("AsyncGenerator[TaskEvent, None]", events)) as stream:
        upcoming = asyncio.ensure_future(anext(stream))
        try:
            event = await upcoming
            await response.prepare(request)
            await response.write(_frame(event))
            while not event.kind.final:
                upcoming = asyncio.ensure_future(anext(stream))
                while not (await asyncio.wait({upcoming}, timeout=heartbeat_s))[0]:
                    await response.write(_HEARTBEAT)
                event = upcoming.result()
                await response.write(_frame(event))
        finally:
            if not upcoming.done():
                upcoming.cancel()
                await asyncio.wait({upcoming})
    await response.write_eof()
    return response


def _frame(event: TaskEvent) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.kind.value.encode(), encode_json(event))
