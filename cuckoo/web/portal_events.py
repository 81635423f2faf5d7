"""The portal's stream of news: ``/api/events``, server-sent events that tell pages when to look again."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import web

from cuckoo.domain.errors import Overloaded
from cuckoo.protocol.messages import encode_json
from cuckoo.protocol.portal import News
from cuckoo.services.staking.history import History
from cuckoo.storage.chronicle import Happened, Progress

LISTENERS_MAX = 64
WAITING_MAX = 16
COMMENT_S = 15.0
_AGAIN_S = 30.0
_NAMES_MAX = 100


class EventsApi:
    """One queue for each page that listens; who does not keep up is cut off and comes again."""

    def __init__(self, history: History) -> None:
        """Take what tells of new blocks."""
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        history.subscribe(self._tell)

    def mount(self, app: web.Application) -> None:
        """Put the route onto an application; its streams end when the server does."""
        app.router.add_get("/api/events", self.stream)
        app.on_shutdown.append(self._end)

    def _tell(self, progress: Progress, news: Sequence[Happened]) -> None:
        told = News(
            block=progress.block,
            happened=tuple((one.node, one.name) for one in news if one.node)[-_NAMES_MAX:],
        )
        for queue in list(self._queues):
            try:
                queue.put_nowait(b"data: " + encode_json(told) + b"\n\n")
            except asyncio.QueueFull:
                self._queues.discard(queue)
                queue.get_nowait()
                queue.put_nowait(None)

    async def _end(self, _: web.Application) -> None:
        for queue in self._queues:
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """A line for each new block with what happened in it; a comment while there is none."""
        if len(self._queues) >= LISTENERS_MAX:
            raise Overloaded(f"listen for news: {LISTENERS_MAX} pages do already", _AGAIN_S)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_MAX)
        self._queues.add(queue)
        try:
            await response.prepare(request)
            line: bytes | None = b": news follow\n\n"
            while line is not None:
                await response.write(line)
                line = b": nothing new\n\n"
                with suppress(TimeoutError):
                    line = await asyncio.wait_for(queue.get(), COMMENT_S)
        except ConnectionError:
            pass  # the page was closed
        finally:
            self._queues.discard(queue)
        return response
