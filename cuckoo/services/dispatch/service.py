"""The dispatch service: the desks of apps and miners, the passing of time, start and end."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from cuckoo.domain.errors import CuckooError
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.lora import lora_digests
from cuckoo.domain.model import ModelInfo
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.domain.task import NO_HASH, TaskStatus
from cuckoo.runtime.clock import Clock
from cuckoo.runtime.metrics import DAY_S, CoordinatorMetrics
from cuckoo.scheduler.events import AttemptRestored, PeriodStarted, ResultDisproved, TaskRestored, Ticked
from cuckoo.scheduler.state import State
from cuckoo.services.dispatch.apps import AppDesk
from cuckoo.services.dispatch.assignments import Coordinator
from cuckoo.services.dispatch.catalogue import Catalogue
from cuckoo.services.dispatch.engine import Engine
from cuckoo.services.dispatch.live import LiveTasks, queued_event, read_reason, task_of
from cuckoo.services.dispatch.miners import MinerDesk
from cuckoo.services.dispatch.missed import Missed
from cuckoo.services.dispatch.overview import Overview, Registry
from cuckoo.services.dispatch.seams import Audits, Purse
from cuckoo.storage.records import AttemptState
from cuckoo.storage.store import Store

log = structlog.get_logger(__name__)

TICK_S = 0.5
_ODDS_EVERY_TICKS = 20


class Dispatch:
    """Hands tasks to miners that the draw chose.

    Attributes:
        apps: what apps may ask for.
        miners: what miners may ask for.
        missed: why tasks went to other miners.
        catalogue: the models there are.
        overview: what is shown of all this.
        engine: the scheduler's door.
        metrics: counters.
    """

    def __init__(  # noqa: PLR0913 - the parts of a coordinator
        self,
        state: State,
        store: Store,
        coordinator: Coordinator,
        registry: Registry,
        purse: Purse,
        audits: Audits,
        *,
        models: Iterable[ModelInfo],
        settings: CoordinatorSettings,
        clock: Clock,
        end_session: Callable[[NodeId], None],
    ) -> None:
        """Take what dispatch works with; call ``recover`` before anything else.

        Args:
            state: the scheduler's, fresh.
            store: where everything goes first.
            coordinator: who signs assignments.
            registry: the miners' weights and keys.
            purse: what miners have earned, and what backs it.
            audits: which results are checked before they are paid.
            models: those that this installation knows; the first is the default.
            settings: limits that the operator set.
            clock: time.
            end_session: closes a silent miner's session.
        """

        def end(node: NodeId) -> None:
            self.miners.forget(node)
            end_session(node)

        self.metrics = metrics = CoordinatorMetrics()
        self.catalogue = Catalogue(models, purse.rates)
        self.engine = Engine(
            state,
            store,
            coordinator,
            tasks=LiveTasks(),
            purse=purse,
            audits=audits,
            end_session=end,
            metrics=metrics,
        )
        self.apps = AppDesk(
            self.engine,
            store,
            self.catalogue,
            queue_limit=settings.queue_limit,
            blocked_terms=settings.blocked_terms,
            clock=clock,
            metrics=metrics,
        )
        self.miners = MinerDesk(
            self.engine,
            store,
            self.catalogue,
            registry,
            purse,
            audits,
            long_poll_s=settings.long_poll_s,
            clock=clock,
            metrics=metrics,
        )
        self.missed = Missed(self.engine, self.miners, self.catalogue, clock)
        self.overview = Overview(
            self.engine,
            self.miners,
            self.catalogue,
            store,
            registry,
            self.apps.demand,
            write_odds=self.write_odds,
            clock=clock,
        )
        self._store = store
        self._clock = clock
        self._positions: dict[TaskId, int] = {}
        self._written_odds: dict[NodeId, tuple[float, float]] = {}

    async def recover(self) -> None:
        """Read the open tasks from the store: nothing that was acknowledged is lost."""
        began = self._clock.now()
        for status, count in (await self._store.tasks.ended_since(began - began % DAY_S)).items():
            self.metrics.today.add(status.value, began, count)
        await self.engine.quota.recover(self._store, self._clock.now())
        stored_tasks = await self._store.tasks.load_open()
        for stored in stored_tasks:
            task = task_of(stored)
            if task.parameters.loras_hash != NO_HASH:
                task.loras = lora_digests(await self._store.blobs.get(task.parameters.loras_hash))
            self.engine.tasks.add(task)
            now = self._clock.now()
            self.engine.apply(TaskRestored(now=now, task_id=task.task_id, demand=task.demand, owner=task.owner_key))
            for attempt in task.attempts:
                running = attempt.state is AttemptState.RUNNING
                kind, reason = read_reason(attempt.reason)
                self.engine.apply(
                    AttemptRestored(
                        now=now,
                        task_id=task.task_id,
                        attempt=attempt.attempt,
                        node=attempt.node,
                        sequence=stored.attempts[attempt.attempt - 1].sequence,
                        assigned_at=attempt.assigned_at,
                        deadline=attempt.deadline,
                        failure=None if running else kind,
                        reason=reason,
                    )
                )
        if stored_tasks:
            log.info("open tasks restored", tasks=len(stored_tasks), running=self.engine.tasks.running)

    async def run(self) -> None:
        """Let time pass for the scheduler, until cancelled.

        Raises:
            FatalError: a decision could not be made durable.
        """
        ticks = 0
        try:
            while True:
                await self.engine.watch(TICK_S, self._clock)
                self._tick()
                ticks += 1
                if ticks % _ODDS_EVERY_TICKS == 0:
                    self.write_odds()
        except asyncio.CancelledError:
            with suppress(CuckooError):
                self.write_odds()
                self.engine.flush_log()
            raise

    def _tick(self) -> None:
        now = self._clock.now()
        self.engine.apply(Ticked(now=now))
        self.engine.flush_log()
        self.miners.follow_weights()
        self._tell_positions(now)
        tasks = self.engine.tasks
        self.metrics.queued.set(tasks.queued)
        self.metrics.running.set(tasks.running)
        self.metrics.parked.set(len(self.engine.parking))
        calibration = self.engine.state.calibration
        self.metrics.eta_told.set(calibration.told)
        self.metrics.eta_within.labels("0.5").set(calibration.within_p50)
        self.metrics.eta_within.labels("0.9").set(calibration.within_p90)

    def _tell_positions(self, now: float) -> None:
        """Tell those who watch a waiting task how far it has come."""
        watched = [self.engine.tasks.get(task_id) for task_id in self.engine.watchers]
        waiting = {task.task_id: task for task in watched if task and task.status is TaskStatus.QUEUED}
        found = {task_id: self.engine.state.position(task_id) for task_id in waiting}
        positions = {task_id: position for task_id, position in found.items() if position is not None}
        for task_id, position in positions.items():
            if self._positions.get(task_id) != position:
                self.engine.watchers.publish(queued_event(waiting[task_id], self.engine.state, now))
        self._positions = positions

    async def drain(self) -> None:
        """Take no new tasks and give no more out; wait until what runs has come back."""
        self.engine.drain()
        while self.engine.tasks.running:
            await self._clock.sleep(TICK_S / 5)
        await self.engine.settled()

    def write_odds(self) -> None:
        """Add to the store what every miner could expect from the draws since the last time."""
        news = {}
        for node, share in self.engine.state.shares().items():
            expected, variance = self._written_odds.get(node, (0.0, 0.0))
            if share.expected != expected:
                news[node] = (share.expected - expected, share.variance - variance)
                self._written_odds[node] = (share.expected, share.variance)
        if news:
            self.engine.submit(self._store.tasks.add_expected(news), _log_error)

    def disproved(self, node: NodeId) -> None:
        """Leave a miner out of draws whose result others found wrong, until time has healed that."""
        self.engine.apply(ResultDisproved(now=self._clock.now(), node=node))

    def start_period(self, event: PeriodStarted) -> None:
        """Draw with a new seed from now on."""
        self.engine.apply(event)


def _log_error(written: asyncio.Future[None]) -> None:
    error = written.exception()
    if error is not None:
        log.error("odds not written", error=str(error))
