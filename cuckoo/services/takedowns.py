"""Reports of abuse, and takedowns: what is taken down is overwritten on disk, and not stored again."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from cuckoo.domain.errors import InvalidField, NotFound
from cuckoo.domain.identifiers import TaskId
from cuckoo.domain.task import TaskParameters
from cuckoo.protocol.messages import ReportRequest, decode_binary
from cuckoo.runtime.clock import Clock
from cuckoo.storage.reports import ReportBook, Takedown
from cuckoo.storage.store import Store
from cuckoo.storage.writer import together

log = structlog.get_logger(__name__)

LOOK_S = 1.0
REASON_MAX = 2_000
CONTACT_MAX = 200


class Takedowns:
    """Takes reports, and carries out what the command line orders within about a second."""

    def __init__(
        self,
        book: ReportBook,
        store: Store,
        *,
        cancel: Callable[[TaskId, int | None], Awaitable[object]],
        clock: Clock,
    ) -> None:
        """Take what it works with.

        Args:
            book: reports and orders on disk.
            store: the pictures.
            cancel: takes an open task back, given its owner's key.
            clock: time.
        """
        self._book = book
        self._cancel = cancel
        self._store = store
        self._clock = clock
        self._version: int | None = None

    async def report(self, task_id: TaskId, wanted: ReportRequest) -> int:
        """Keep a report; returns its number.

        Raises:
            NotFound: no such task.
            InvalidField: too long, or without a reason.
            LimitReached: it was reported often enough.
        """
        for field, text, low, high in (
            ("reason", wanted.reason, 1, REASON_MAX),
            ("contact", wanted.contact, 0, CONTACT_MAX),
        ):
            if not low <= len(text.strip()) <= high:
                raise InvalidField(field, f"{len(text):,} characters", f"must have {low} to {high:,} characters")
            try:
                text.encode()
            except UnicodeEncodeError:
                raise InvalidField(field, text, "must be valid Unicode, without lone surrogates") from None
        await self._store.tasks.get(task_id)
        reason, contact = wanted.reason.strip(), wanted.contact.strip()
        number = await asyncio.to_thread(self._book.report, task_id, reason, contact, self._clock.now())
        log.warning("a task was reported", report=number, task=task_id)
        return number

    async def run(self) -> None:
        """Carry out orders, until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Carry out what was ordered since the last look."""
        for order in await asyncio.to_thread(self._ordered):
            blobs = await self._take_down(order.task_id)
            await asyncio.to_thread(self._book.done, order.task_id, blobs, self._clock.now())
            log.warning("pictures taken down", task=order.task_id, pictures=blobs, reason=order.reason)

    def _ordered(self) -> list[Takedown]:
        version = self._book.version()
        if version == self._version:
            return []
        self._version = version
        return [one for one in self._book.takedowns() if one.done_at is None]

    async def _take_down(self, task_id: TaskId) -> int:
        try:
            task = await self._store.tasks.get(task_id)
        except NotFound:
            return 0  # its time of keeping is over
        if not task.status.final:
            await self._cancel(task_id, task.owner_key)
            task = await self._store.tasks.get(task_id)
        named = {*task.pictures, *decode_binary(task.parameters, TaskParameters).inputs}
        if not named:
            return 0
        return sum(await self._store.writer.execute(together(*(self._store.blobs.takedown(one) for one in named))))
