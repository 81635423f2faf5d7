"""Deletes what is over its time: tasks, pictures, draw logs; receipts and their uploads; not what jurors need."""

import structlog

from cuckoo.protocol.messages import decode_binary
from cuckoo.protocol.receipts import Assignment
from cuckoo.runtime.clock import Clock
from cuckoo.storage.store import Store

log = structlog.get_logger(__name__)

EVERY_S = 3_600.0
PAUSE_S = 0.05
_DAY_S = 86_400


class Retention:
    """Prompts and pictures are kept for a set time, then deleted; those of a dispute until it is over."""

    def __init__(self, store: Store, *, days: int, draw_period_s: int, clock: Clock) -> None:
        """Take the store.

        Args:
            store: what is cleaned.
            days: how long things are kept.
            draw_period_s: length of the network's draw periods, in seconds.
            clock: time.
        """
        self._store = store
        self._keep_s = days * _DAY_S
        self._draw_period_s = draw_period_s
        self._clock = clock

    async def run(self) -> None:
        """Clean once an hour, until cancelled."""
        while True:
            await self.clean()
            await self._clock.sleep(EVERY_S)

    async def clean(self) -> int:
        """Delete everything that ended before the time of keeping; returns how many tasks went."""
        before = self._clock.now() - self._keep_s
        writer, total = self._store.writer, 0
        while gone := await writer.execute(self._store.tasks.forget_before(before)):
            total += gone
            await self._clock.sleep(PAUSE_S)
        while await writer.execute(self._store.receipts.forget_before(before)):
            await self._clock.sleep(PAUSE_S)
        for over in (self._store.accusations, self._store.verdicts):
            await writer.execute(over.forget_before(before))
        for one in await self._store.accusations.unfinished():
            for digest in (*one.pictures, *decode_binary(one.assignment, Assignment).parameters.inputs):
                await writer.execute(self._store.blobs.keep(digest, before))
        segments = await self._store.blobs.drop_before(before)
        await writer.execute(self._store.draws.forget_before(int(before) // self._draw_period_s))
        if total or segments:
            log.info("old tasks deleted", tasks=total, blob_segments=segments)
        return total
