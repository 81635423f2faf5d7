"""What people report, and what the operator takes down."""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from cuckoo.domain.errors import InvalidField, LimitReached, NotFound
from cuckoo.domain.identifiers import TaskId, parse_task_id
from cuckoo.domain.task import NO_HASH, TaskParameters
from cuckoo.protocol.messages import ReportRequest, decode_binary
from cuckoo.protocol.receipts import Assignment, Receipt
from cuckoo.runtime.clock import Clock
from cuckoo.storage.reports import ReportBook, Takedown
from cuckoo.storage.store import Store
from cuckoo.storage.writer import together

log = structlog.get_logger(__name__)

LOOK_S = 1.0
REASON_MAX = 2_000
CONTACT_MAX = 200
AT_ONCE = 5
PER_HOUR = 20
"""Reports that one address may send: so many at once, and so many an hour."""

_ADDRESSES_MAX = 10_000
_HOUR_S = 3_600.0
_TASK_DIGITS, _HASH_DIGITS = 32, 64

Cancel = Callable[[TaskId, int | None], Awaitable[object]]
"""Takes an open task back, given its id and the key that owns it."""


def parse_target(text: str, field: str) -> str:
    """Return the id of a task or the hash of a picture as it is kept; raises InvalidField."""
    target = text.strip().lower().removeprefix("0x")
    if len(target) not in (_TASK_DIGITS, _HASH_DIGITS) or any(letter not in "0123456789abcdef" for letter in target):
        raise InvalidField(field, text, "must be the id of a task, 32 hex digits, or the hash of a picture, 64")
    return target


def _named(target: str) -> dict[str, str]:
    return {"task" if len(target) == _TASK_DIGITS else "picture": target}


class Takedowns:
    """Carries out orders to take pictures down, in a store that is open."""

    def __init__(self, store: Store, book: ReportBook, *, cancel: Cancel, keep_s: float, clock: Clock) -> None:
        """Take what it works with.

        Args:
            store: tasks, pictures, accusations.
            book: the orders.
            cancel: takes back a task that is still open.
            keep_s: how long reports are kept that the operator has closed, in seconds.
            clock: time.
        """
        self._store = store
        self._book = book
        self._cancel = cancel
        self._keep_s = keep_s
        self._clock = clock

    async def run(self) -> None:
        """Carry out what the command line orders, within about a second, until cancelled."""
        while True:
            await asyncio.to_thread(self._book.forget_before, self._clock.now() - self._keep_s)
            until = self._clock.monotonic() + _HOUR_S
            while self._clock.monotonic() < until:
                await self.look()
                await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Carry out what is ordered, and erase what was withheld and is needed no longer."""
        for order in await asyncio.to_thread(self._book.takedowns, open_only=True):
            pictures = await self._withhold(order)
            kept = (await self._needed()) & pictures
            await self._erase()
            await asyncio.to_thread(
                self._book.done,
                order.takedown_id,
                pictures=len(pictures),
                withheld=len(kept),
                at=self._clock.now(),
            )
            log.warning("taken down", **_named(order.target), pictures=len(pictures), kept_for_jurors=len(kept))
        await self._erase()

    async def _withhold(self, order: Takedown) -> set[bytes]:
        """See to it that nobody reads what an order names; returns the blob hashes of the pictures that it hits."""
        hashes = set()
        if len(order.target) == _TASK_DIGITS:
            for task in (parse_task_id(order.target), *await self._checks_of(order.target)):
                hashes |= await self._hashes_of(task)
        else:
            hashes.add(bytes.fromhex(order.target))
        found, blobs = await self._store.reader.execute(lambda connection: _alike(connection, hashes))
        if found:
            await self._store.writer.execute(together(*(self._store.blobs.withhold(one) for one in sorted(found))))
            for stored in await self._store.tasks.load_open():
                if decode_binary(stored.parameters, TaskParameters).source_hash in found:
                    await self._cancel(stored.task_id, stored.owner_key)
        return blobs

    async def _hashes_of(self, task_id: TaskId) -> set[bytes]:
        """Return the hashes of a task's pictures and its source; one that is still open is taken back."""
        try:
            stored = await self._store.tasks.get(task_id)
            if not stored.status.final:
                await self._cancel(task_id, stored.owner_key)
                stored = await self._store.tasks.get(task_id)
        except NotFound:
            return set()
        receipts = [decode_binary(one.receipt, Receipt) for one in stored.attempts if one.receipt is not None]
        source = decode_binary(stored.parameters, TaskParameters).source_hash
        pixels = {digest for receipt in receipts for digest in receipt.picture_hashes}
        return ({*stored.pictures, source} | pixels) - {NO_HASH}

    async def _checks_of(self, target: str) -> list[TaskId]:
        """Return the tasks that were given out to make a task again for an audit."""
        rows = await self._store.reader.execute(
            lambda connection: connection.execute(
                "SELECT audit_opinions.task_id FROM audit_opinions JOIN audits USING (audit_id) "
                "WHERE audits.task_id = ?",
                (bytes.fromhex(target),),
            ).fetchall()
        )
        return [TaskId(raw.hex()) for (raw,) in rows]

    async def _needed(self) -> set[bytes]:
        """Return what jurors may still ask for, and what is being checked and may come before them."""
        needed = {
            digest
            for one in await self._store.accusations.unfinished()
            for digest in (*one.pictures, *decode_binary(one.assignment, Assignment).parameters.inputs)
        }
        for audit in await self._store.audits.all_open():
            for task in (audit.task_id, *audit.opinions):
                with suppress(NotFound):
                    stored = await self._store.tasks.get(task)
                    needed |= {*stored.pictures, *decode_binary(stored.parameters, TaskParameters).inputs}
        return needed

    async def _erase(self) -> None:
        """Overwrite what is withheld, except what jurors may still ask for."""
        withheld = await self._store.blobs.withheld()
        needed = await self._needed() if withheld else set()
        for digest in withheld:
            if digest not in needed:
                await self._store.writer.execute(self._store.blobs.takedown(digest))


def _alike(connection: sqlite3.Connection, hashes: set[bytes]) -> tuple[set[bytes], set[bytes]]:
    """Find what has the same pixels as given hashes of files or pixels.

    Returns:
        All hashes, of files and pixels, with the given ones; and those of files that tasks have as their pictures.
    """
    found, blobs, todo = set(hashes), set(), set(hashes)
    while todo:
        digest = todo.pop()
        rows = connection.execute(
            "SELECT picture, blob_hash, receipt FROM pictures JOIN attempts USING (task) WHERE state = 'done' "
            "AND (blob_hash = ?1 OR instr(receipt, ?1) > 0)",
            (digest,),
        )
        for number, blob, raw in rows:
            pixels = decode_binary(raw, Receipt).picture_hashes[number]
            if digest in (blob, pixels):
                blobs.add(blob)
                todo |= {blob, pixels} - found
                found |= {blob, pixels}
    return found, blobs


class Reports:
    """Takes in what people report."""

    def __init__(self, book: ReportBook, *, clock: Clock) -> None:
        """Take the book, and time."""
        self._book = book
        self._clock = clock
        self._calls: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def take(self, report: ReportRequest, address: str) -> int:
        """Keep a report; returns its number when it is on disk.

        Args:
            report: as it came.
            address: of who sends it; it is counted, not kept.

        Raises:
            InvalidField: it names nothing, or says too much or nothing about it.
            LimitReached: this address has sent many.
            Overloaded: too many wait.
        """
        target = parse_target(report.target, "target")
        for field, text, low, high in (
            ("reason", report.reason, 1, REASON_MAX),
            ("contact", report.contact, 0, CONTACT_MAX),
        ):
            if not low <= len(text.strip()) <= high or len(text) > high:
                raise InvalidField(field, text, f"must have {low} to {high:,} characters")
        self._count(address)
        number = await asyncio.to_thread(
            self._book.report, target, report.reason.strip(), report.contact.strip(), self._clock.now()
        )
        log.warning("abuse reported", **_named(target), report=number)
        return number

    def _count(self, address: str) -> None:
        """Take one report out of an address's bucket."""
        now = self._clock.monotonic()
        left, at = self._calls.pop(address, (float(AT_ONCE), now))
        left = min(float(AT_ONCE), left + (now - at) * PER_HOUR / _HOUR_S)
        self._calls[address] = (max(0.0, left - 1.0) if left >= 1.0 else left, now)
        if len(self._calls) > _ADDRESSES_MAX:
            self._calls.popitem(last=False)
        if left < 1.0:
            raise LimitReached(
                f"take a report in: {AT_ONCE} at once and {PER_HOUR} an hour may come from one address",
                (1.0 - left) * _HOUR_S / PER_HOUR,
            )
