"""What apps may ask a coordinator for."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial

import msgspec
import structlog

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import CuckooError, InvalidField, NotFound, Overloaded, TakenDown, TermBlocked
from cuckoo.domain.identifiers import NodeId, TaskId, task_id
from cuckoo.domain.lora import encode_loras, lora_digests
from cuckoo.domain.pricing import price_of
from cuckoo.domain.task import NO_HASH, TaskParameters, TaskStatus
from cuckoo.protocol.inputs import Inputs
from cuckoo.protocol.messages import (
    AuditView,
    BatchRequest,
    ReceiptView,
    TaskRequest,
    TaskView,
    decode_binary,
    encode_binary,
)
from cuckoo.protocol.png import with_receipt
from cuckoo.protocol.receipts import Receipt
from cuckoo.protocol.views import EventKind, TaskEvent
from cuckoo.runtime.clock import Clock
from cuckoo.runtime.metrics import CoordinatorMetrics
from cuckoo.scheduler.events import TaskAccepted, TaskCancelled
from cuckoo.services.dispatch.catalogue import Catalogue
from cuckoo.services.dispatch.demand import Demand
from cuckoo.services.dispatch.engine import RETRY_AFTER_S, Engine, final_event
from cuckoo.services.dispatch.live import LiveTask, assignment_of, drawn_event, nobody_now, queued_event, task_of
from cuckoo.services.dispatch.requests import loras_of, parameters_of, pictures_of
from cuckoo.storage.keys import ApiKey
from cuckoo.storage.records import AttemptState, Inserted, NewTask, StoredTask
from cuckoo.storage.store import Store
from cuckoo.storage.task_rows import unknown
from cuckoo.storage.writer import Command, together

log = structlog.get_logger(__name__)

KEY_MAX = 200
READS_MAX = 1_000
"""Tasks that apps may have read from the disk at a time."""

TAKEN_DOWN = "the operator has taken it down"
PICTURES_AT_ONCE = 2
"""Tasks whose pictures are decoded at a time: a large one takes 50 MB."""


class AppDesk:
    """Takes tasks in, shows them, gives their pictures out.

    Attributes:
        demand: which models were asked for.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        catalogue: Catalogue,
        *,
        queue_limit: int,
        blocked_terms: Collection[str] = (),
        clock: Clock,
        metrics: CoordinatorMetrics,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Take what the use cases work with.

        Args:
            engine: the scheduler's door.
            store: where tasks lie.
            catalogue: the models there are.
            queue_limit: tasks that may wait.
            blocked_terms: what no prompt may contain.
            clock: time.
            metrics: counters.
            random_bytes: source of task ids, salts and missing seeds.
        """
        self._engine = engine
        self._store = store
        self._catalogue = catalogue
        self._queue_limit = queue_limit
        self._blocked_terms = [term.casefold() for term in blocked_terms]
        self._clock = clock
        self._metrics = metrics
        self._random_bytes = random_bytes
        self.demand = Demand(clock)
        self._accepting = 0
        self._reading = 0
        self._reading_pictures = asyncio.Semaphore(PICTURES_AT_ONCE)

    async def submit(
        self, request: TaskRequest, *, idempotency_key: str | None = None, key: ApiKey | None = None
    ) -> tuple[TaskView, bool]:
        """Take a task in.

        Args:
            request: what the app asks for.
            idempotency_key: a repeat with the same key and request gives the first task back.
            key: the API key that will own it; None for nobody's.

        Returns:
            The task, durable, and whether it is new.

        Raises:
            InvalidField: a limit stands against it; says which.
            Conflict: the key was used with another request.
            Overloaded: the queue is full.
            LimitReached: the key may not have another.
            Unavailable: the process is stopping.
        """
        self._see_room(1, idempotency_key)
        news = [await self._new_task(request, idempotency_key, key)]
        (view,), created = await self._take(news, key)
        return view, created

    async def submit_batch(
        self, batch: BatchRequest, *, idempotency_key: str | None = None, key: ApiKey | None = None
    ) -> tuple[tuple[TaskView, ...], bool]:
        """Take several tasks in with one commit, or none of them.

        Args, raises: as ``submit``; a wrong field refuses the whole batch, and so does a limit that it passes.

        Returns:
            The tasks, durable, in the order asked for, and whether any is new.
        """
        self._see_room(len(batch.tasks), idempotency_key)
        news = [
            # No header holds a line break: these keys never meet those of single tasks.
            await self._new_task(request, idempotency_key and f"{idempotency_key}\n{number}", key)
            for number, request in enumerate(batch.tasks)
        ]
        if idempotency_key is not None:
            body = b"".join(new.body for new, _ in news)
            news = [(msgspec.structs.replace(new, body=body), parameters) for new, parameters in news]
        return await self._take(news, key)

    def _see_room(self, tasks: int, idempotency_key: str | None) -> None:
        """Raise Unavailable, Overloaded, or InvalidField for the key."""
        self._engine.refuse_when_full()
        if idempotency_key is not None and not 0 < len(idempotency_key) <= KEY_MAX:
            raise InvalidField("Idempotency-Key", idempotency_key, f"must have 1 to {KEY_MAX} characters")
        waiting = self._engine.tasks.queued + self._accepting
        if waiting + tasks > self._queue_limit:
            raise Overloaded(
                f"take a task in: {waiting:,} wait already, the limit is {self._queue_limit:,}", RETRY_AFTER_S
            )

    async def _new_task(
        self, request: TaskRequest, idempotency_key: str | None, key: ApiKey | None
    ) -> tuple[NewTask, TaskParameters]:
        asked = request.prompt.casefold()
        if any(term in asked for term in self._blocked_terms):
            raise TermBlocked("prompt", request.prompt, "this coordinator does not draw one of its terms")
        try:
            parameters = parameters_of(request, self._catalogue, self._random_bytes)
        except InvalidField as fault:
            self.demand.refused(request, fault, self._catalogue)
            raise
        inputs = Inputs(loras=encode_loras(loras_of(request, self._catalogue)))
        if request.source:
            async with self._reading_pictures:
                pictures = await asyncio.to_thread(pictures_of, request, parameters)
            inputs = msgspec.structs.replace(pictures, loras=inputs.loras)
            hashes = {"source_hash": inputs.source_hash, "mask_hash": inputs.mask_hash}
            parameters = msgspec.structs.replace(parameters, **hashes)
            if await self._store.blobs.is_down(inputs.source_hash):
                raise TakenDown(f"take a task in: its source: {TAKEN_DOWN}")
            request = msgspec.structs.replace(
                request, source=inputs.source_hash.hex(), mask=inputs.mask_hash.hex() if inputs.mask else ""
            )
        new = NewTask(
            task_id=task_id(self._random_bytes(16)),
            parameters=encode_binary(parameters),
            created_at=self._clock.now(),
            price_wei=price_of(parameters.pixel_steps, self._catalogue.rate_wei(parameters.model_digest)),
            inputs=inputs.payloads,
            body=msgspec.json.encode(request),
            idempotency_key=idempotency_key,
            owner_key=None if key is None else key.key_id,
        )
        return new, parameters

    async def _take(
        self, news: list[tuple[NewTask, TaskParameters]], key: ApiKey | None
    ) -> tuple[tuple[TaskView, ...], bool]:
        if key is not None:
            price_wei = sum(new.price_wei for new, _ in news)
            self._engine.quota.check(key, price_wei, self._clock.now(), tasks=len(news))
        inserted = await self._insert(news, together(*(self._store.tasks.insert(new) for new, _ in news)))
        owner_key = None if key is None else key.key_id
        views = [await self.get(one.task.task_id, owner_key) for one in inserted]
        return tuple(views), any(one.created for one in inserted)

    async def make_again(
        self,
        parameters: TaskParameters,
        price_wei: Wei,
        avoid: Collection[NodeId],
        note: Callable[[TaskId], Command[None]],
    ) -> TaskId:
        """Take in a task that makes somebody's result again; to miners it looks like any other.

        Args:
            parameters: of the result; the salt is drawn anew.
            price_wei: what it pays.
            avoid: nodes that may not do it.
            note: what is written in the same commit, given its id.

        Returns:
            Its id, durable.
        """
        salted = msgspec.structs.replace(parameters, salt=self._random_bytes(len(parameters.salt)))
        new = NewTask(
            task_id=task_id(self._random_bytes(16)),
            parameters=encode_binary(salted),
            created_at=self._clock.now(),
            price_wei=price_wei,
            avoid=tuple(sorted(avoid)),
            inputs=() if salted.loras_hash == NO_HASH else (await self._store.blobs.get(salted.loras_hash),),
        )
        insert, noted = self._store.tasks.insert(new), note(new.task_id)

        def both(connection: sqlite3.Connection) -> tuple[Inserted]:
            inserted = insert(connection)
            noted(connection)
            return (inserted,)

        await self._insert([(new, salted)], both)
        return new.task_id

    async def _insert(
        self, news: list[tuple[NewTask, TaskParameters]], insert: Command[tuple[Inserted, ...]]
    ) -> tuple[Inserted, ...]:
        quick = not any(new.inputs for new, _ in news)
        if all(new.idempotency_key is None for new, _ in news):
            # Nothing can speak against it but a disk that fails, and then this process ends: what the scheduler
            # decides about it is written behind it, mostly in the same commit.
            accepted = partial(self._metrics.tasks_accepted.inc, len(news))
            inserted = self._engine.record(insert, [accepted], quick=quick)
            for new, parameters in news:
                self._queue(new, parameters)
        else:
            inserted = self._engine.submit(insert, partial(self._inserted, news), quick=quick)
            self._accepting += len(news)
            for new, _ in news:
                self._engine.tasks.hold(new.owner_key, new.price_wei)
        return await asyncio.shield(inserted)

    def _inserted(
        self, news: list[tuple[NewTask, TaskParameters]], inserted: asyncio.Future[tuple[Inserted, ...]]
    ) -> None:
        """Queue tasks that are on disk, unless they came before; whether their app still waits or not."""
        self._accepting -= len(news)
        for new, _ in news:
            self._engine.tasks.let_go(new.owner_key, new.price_wei)
        if inserted.exception() is not None:
            return
        for (new, parameters), one in zip(news, inserted.result(), strict=True):
            if one.created:
                self._metrics.tasks_accepted.inc()
                self._queue(new, parameters)

    def _queue(self, new: NewTask, parameters: TaskParameters) -> None:
        task = LiveTask(
            task_id=new.task_id,
            parameters=parameters,
            created_at=new.created_at,
            ready_at=new.created_at,
            price_wei=new.price_wei,
            avoid=frozenset(new.avoid),
            owner_key=new.owner_key,
            loras=lora_digests(b"" if parameters.loras_hash == NO_HASH else new.inputs[-1]),
        )
        self._engine.tasks.add(task)
        log.debug("task taken in", task=task.task_id, key=task.owner_key)
        if not new.avoid:
            self.demand.taken_in(parameters.model_digest, new.price_wei)
        try:
            self._engine.apply(
                TaskAccepted(now=self._clock.now(), task_id=new.task_id, demand=task.demand, owner=new.owner_key)
            )
        except CuckooError as error:
            log.warning("task is on its way to the disk, a restart will queue it", task=new.task_id, reason=str(error))

    def _live(self, wanted: TaskId, owner_key: int | None) -> LiveTask | None:
        """Return an open task; raises NotFound for somebody else's, as if it was not there."""
        task = self._engine.tasks.get(wanted)
        if task is not None and task.owner_key != owner_key:
            raise unknown(wanted)
        return task

    async def _stored(self, wanted: TaskId, owner_key: int | None) -> StoredTask:
        """Read a task; raises NotFound, also for somebody else's, and Overloaded when too many wait for the disk."""
        if self._reading >= READS_MAX:
            raise Overloaded(f"read task {wanted}: {self._reading:,} reads wait for the disk", RETRY_AFTER_S)
        self._reading += 1
        try:
            stored = await self._store.tasks.get(wanted)
        finally:
            self._reading -= 1
        if stored.owner_key != owner_key:
            raise unknown(wanted)
        return stored

    async def get(self, wanted: TaskId, owner_key: int | None = None) -> TaskView:
        """Show a task to its owner; raises NotFound."""
        task = self._live(wanted, owner_key)
        if task is None:
            task = task_of(await self._stored(wanted, owner_key))
            task = self._engine.tasks.get(wanted) or task
        waits = task.status is TaskStatus.QUEUED
        eta = None if task.status.final else self._engine.state.eta(task.task_id, self._clock.now())
        return task.view(
            self._catalogue.name_of(task.parameters.model_digest),
            audit=await self._audit(task),
            position=self._engine.state.position(task.task_id) if waits else None,
            eta_p50_s=eta.p50_s if eta else None,
            eta_p90_s=eta.p90_s if eta else None,
            waits_for=nobody_now(task, self._engine.state) if waits else "",
        )

    async def _audit(self, task: LiveTask) -> AuditView | None:
        """Read what came of the audit of a result. Of one that is under way nobody learns anything."""
        done = next((one for one in task.attempts if one.state is AttemptState.DONE), None)
        audit = None if done is None else await self._store.audits.of_attempt(task.task_id, done.attempt)
        if audit is None or audit.closed_at is None:
            return None
        return AuditView(state=audit.state.value, detail=audit.detail, closed_at=audit.closed_at)

    async def cancel(self, wanted: TaskId, owner_key: int | None = None) -> TaskView:
        """Take a task back; one that is over stays as it is. Raises NotFound."""
        if self._live(wanted, owner_key) is not None:
            self._engine.apply(TaskCancelled(now=self._clock.now(), task_id=wanted))
            await self._engine.settled()
        return await self.get(wanted, owner_key)

    async def events(self, wanted: TaskId, owner_key: int | None = None) -> AsyncIterator[TaskEvent]:
        """Tell how a task goes on, from where it stands to its end; raises NotFound."""
        task = self._live(wanted, owner_key)
        if task is None:
            yield final_event(task_of(await self._stored(wanted, owner_key)))
            return
        with self._engine.watchers.watch(wanted) as watcher:
            for event in self._so_far(task):
                yield event
            while True:
                event = await watcher.next()
                yield event
                if event.kind.final:
                    return

    def _so_far(self, task: LiveTask) -> list[TaskEvent]:
        if task.status is TaskStatus.QUEUED:
            return [queued_event(task, self._engine.state, self._clock.now())]
        events = [drawn_event(task, self._engine.state, self._clock.now())]
        if task.step:
            events.append(TaskEvent(kind=EventKind.PROGRESS, task_id=task.task_id, step=task.step, steps=task.steps))
        return events

    async def picture(self, wanted: TaskId, index: int, owner_key: int | None = None) -> tuple[bytes, bytes]:
        """Read a picture: (its blob hash, PNG file with the receipt inside); raises NotFound."""
        stored = await self._stored(wanted, owner_key)
        if not 0 <= index < len(stored.pictures):
            raise NotFound(
                f"read picture {index} of task {wanted}: the task is {stored.status.value}, "
                f"it has {len(stored.pictures)} pictures"
            )
        digest, receipt = stored.pictures[index], await self.receipt(wanted, owner_key)
        try:
            png = await self._store.blobs.get(digest, names=(receipt.receipt.picture_hashes[index],))
        except TakenDown:
            raise TakenDown(f"read picture {index} of task {wanted}: {TAKEN_DOWN}") from None
        return digest, with_receipt(png, receipt)

    async def receipt(self, wanted: TaskId, owner_key: int | None = None) -> ReceiptView:
        """Read who made a task's pictures, and how; raises NotFound."""
        stored = await self._stored(wanted, owner_key)
        done = next((one for one in stored.attempts if one.state is AttemptState.DONE), None)
        if done is None or done.receipt is None or done.receipt_signature is None:
            raise NotFound(f"read the receipt of task {wanted}: the task is {stored.status.value}, not done")
        domain = self._engine.coordinator.hasher.domain
        return ReceiptView(
            assignment=assignment_of(done),
            assignment_signature=done.signature,
            receipt=decode_binary(done.receipt, Receipt),
            receipt_signature=done.receipt_signature,
            chain_id=domain.chain_id,
            staking=domain.staking,
        )
