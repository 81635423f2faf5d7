"""Getting what was ordered: submit, follow every task, save; leave it for later or cancel it on Ctrl-C."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from cuckoo.cli.bars import Bars
from cuckoo.cli.orders import Order, Orders
from cuckoo.client.app import AppClient
from cuckoo.client.asking import TaskFailed, fetch, miner_names
from cuckoo.client.pictures import Pictures, save_new
from cuckoo.domain.errors import CoordinatorUnreachable, CuckooError, NotFound, Overloaded, PeerFault, SignatureInvalid
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol.messages import BatchRequest, encode_json

AGAIN_S = 3.0
"""How long a second Ctrl-C is waited for."""

_NO_MORE = (TaskFailed, SignatureInvalid, NotFound)
"""After these nothing more is to come of a task."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a task, and where it lies; ``seconds`` from the start of this command."""

    made: Pictures
    files: tuple[Path, ...]
    receipt_file: Path | None
    seconds: float


class Got(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run: pictures in order, the errors of the rest, and whether somebody pressed Ctrl-C."""

    saved: tuple[Saved, ...]
    errors: tuple[BaseException, ...] = ()
    interrupted: bool = False


class Fetching:
    """Gets the pictures of orders from their coordinators."""

    def __init__(self, orders: Orders, bars: Bars, api_key: str | None, say: Callable[[str], None]) -> None:
        """Take the book of orders, the terminal, the key for the coordinators, and how to tell people something."""
        self._orders = orders
        self._bars = bars
        self._api_key = api_key
        self._say = say
        self._began = time.monotonic()
        self._saved: dict[tuple[str, int], Saved] = {}

    async def run(self, wanted: list[Order]) -> Got:
        """Get all of them, until they are here or somebody presses Ctrl-C; a second one cancels what is open."""
        loop = asyncio.get_running_loop()
        pressed: asyncio.Queue[None] = asyncio.Queue()
        loop.add_signal_handler(signal.SIGINT, pressed.put_nowait, None)
        try:
            with self._bars:
                work = asyncio.create_task(self._get_all(wanted))
                interrupt = asyncio.ensure_future(pressed.get())
                both: set[asyncio.Future[Any]] = {work, interrupt}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                interrupted = not work.done()
                work.cancel()
                interrupt.cancel()
                await asyncio.wait(both)
            if interrupted:
                await self._leave({order.key for order in wanted}, pressed)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
        saved = tuple(one for _, one in sorted(self._saved.items()))
        return Got(saved=saved, errors=() if work.cancelled() else work.result(), interrupted=interrupted)

    async def _get_all(self, wanted: list[Order]) -> tuple[BaseException, ...]:
        outcomes = await asyncio.gather(*(self._get(order) for order in wanted), return_exceptions=True)
        return tuple(one for one in outcomes if one is not None)

    async def _get(self, order: Order) -> None:
        async with AppClient(order.origin, api_key=self._api_key) as client:
            try:
                names = miner_names((await client.miners()).miners)
            except CoordinatorUnreachable as error:
                advice = "start one with cuckoo coordinator, or name another with --coordinator URL"
                raise CoordinatorUnreachable(f"{error}\n{advice}") from error
            order = await self._submitted(client, order)
            book = _Page(order, self._orders)
            single = len(order.requests) == 1

            async def one(number: int) -> None:
                listener = self._bars.follow(order.requests[number].prompt, names, previews=single)
                try:
                    made = await fetch(client, TaskId(order.tasks[number]), listener)
                except _NO_MORE:
                    book.close(number)
                    raise
                self._saved[order.key, number] = self._save(order, number, made)
                book.close(number)

            await _each(one(number) for number in order.open_numbers())

    async def _submitted(self, client: AppClient, order: Order) -> Order:
        """Ask for what was not asked for, or of which nobody knows: the key sees to it that it becomes one task."""
        if order.tasks:
            return order
        resumed = self._orders.holds(order)
        self._orders.write(order)
        try:
            answer = await client.submit_batch(BatchRequest(tasks=order.requests), idempotency_key=order.key)
        except PeerFault as refused:
            if not (resumed and isinstance(refused, Overloaded)):
                self._orders.forget(order)
            raise
        order = replace(order, tasks=tuple(task.task_id for task in answer.tasks))
        self._orders.write(order)
        return order

    def _save(self, order: Order, number: int, made: Pictures) -> Saved:
        files = made.save(order.place_of(number))
        receipt = None
        if order.receipt_file:
            receipt = save_new(order.receipt_place_of(number), [encode_json(made.receipt) + b"\n"])[0]
        for picture in made:
            self._bars.show(picture.png)
        return Saved(
            made=made, files=tuple(files), receipt_file=receipt, seconds=round(time.monotonic() - self._began, 3)
        )

    async def _leave(self, keys: set[str], pressed: asyncio.Queue[None]) -> None:
        """Say how to go on, or cancel everything when Ctrl-C comes again."""
        left = [order for order in self._orders.all() if order.key in keys]
        if not left:
            return
        self._say(
            f"the tasks go on: cuckoo generate --resume gets their pictures; "
            f"Ctrl-C again within {AGAIN_S:g} s cancels them"
        )
        try:
            async with asyncio.timeout(AGAIN_S):
                await pressed.get()
        except TimeoutError:
            return
        try:
            await _each(self._cancel(order) for order in left)
        except CuckooError as error:
            self._say(f"not everything was cancelled: {error}")
        else:
            self._say("cancelled")

    async def _cancel(self, order: Order) -> None:
        async with AppClient(order.origin, api_key=self._api_key) as client:
            order = await self._submitted(client, order)
            await _each(client.cancel(TaskId(order.tasks[number])) for number in order.open_numbers())
            self._orders.forget(order)


class _Page:
    """An order as it shrinks."""

    def __init__(self, order: Order, orders: Orders) -> None:
        self._order = order
        self._orders = orders

    def close(self, number: int) -> None:
        self._order = replace(self._order, closed=(*self._order.closed, number))
        self._orders.write(self._order)


async def _each(work: Iterable[Awaitable[object]]) -> None:
    """Do all of it, whatever comes of the single ones; raises the first error."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
