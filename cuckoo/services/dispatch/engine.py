"""The one door to the scheduler's state: events in, decisions made durable, effects out.

All decisions of a transition are one command of the writer, together with what caused them; commands are committed in
the order of the transitions, and what a decision does to the outside (an answered poll, an app's event) happens after
its commit, in the same order.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import FatalError, Overloaded, Unavailable
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.pricing import part_of
from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.messages import SignedAssignment
from cuckoo.protocol.views import EventKind, TaskEvent
from cuckoo.runtime.clock import Clock
from cuckoo.runtime.metrics import CoordinatorMetrics
from cuckoo.scheduler.decisions import (
    AppendLog,
    AssignTask,
    CancelAttempt,
    CancelTask,
    CompleteTask,
    Decision,
    EndSession,
    FailTask,
    FenceAttempt,
    LeaveOutMiner,
    RecordFailure,
    TakeMinerBack,
)
from cuckoo.scheduler.events import Event
from cuckoo.scheduler.state import State
from cuckoo.scheduler.transition import transition
from cuckoo.services.dispatch.assignments import Coordinator, sign_assignment
from cuckoo.services.dispatch.live import (
    LiveAttempt,
    LiveTask,
    LiveTasks,
    drawn_event,
    queued_event,
    sentence,
    stored_reason,
)
from cuckoo.services.dispatch.logbuffer import LogBuffer
from cuckoo.services.dispatch.parking import Parking, Waiter
from cuckoo.services.dispatch.quota import Quota
from cuckoo.services.dispatch.recent import Recent
from cuckoo.services.dispatch.seams import Audits, Purse
from cuckoo.services.dispatch.watch import Watchers
from cuckoo.storage.audits import NewAudit
from cuckoo.storage.records import AttemptState
from cuckoo.storage.store import Store
from cuckoo.storage.usage import NOTHING, Usage
from cuckoo.storage.writer import Command, together

log = structlog.get_logger(__name__)

WRITES_WAITING_MAX = 5_000
"""Above this nothing new is taken in; the writer itself refuses at twice as many."""

RETRY_AFTER_S = 2.0

_QUICK_BYTES = 65_536
"""Up to so many bytes of pictures are hashed and written on the event loop."""

TOO_FAST = 5
"""A result in less than such a part of its miner's usual time is checked before it is paid."""


@dataclass(frozen=True)
class Completion:
    """A verified result, ready to be stored. ``suspicious``: it is looked at more closely before it is paid."""

    receipt: bytes
    signature: bytes
    pictures: tuple[bytes, ...]
    suspicious: bool = False


@dataclass
class _Transition:
    """What one transition writes, and what it does once that is on disk."""

    now: float
    completion: Completion | None
    commands: list[Command[Any]]
    effects: list[Callable[[], None]]


class Engine:
    """Applies events one at a time."""

    def __init__(
        self,
        state: State,
        store: Store,
        coordinator: Coordinator,
        *,
        tasks: LiveTasks,
        purse: Purse,
        audits: Audits,
        end_session: Callable[[NodeId], None],
        metrics: CoordinatorMetrics,
    ) -> None:
        """Take what decisions act on.

        Args:
            state: the scheduler's, fresh.
            store: where everything goes first.
            coordinator: who signs assignments.
            tasks: the open ones, kept up to date here.
            purse: owes miners what their results earn.
            audits: chooses the results that are checked before.
            end_session: closes a silent miner's session.
            metrics: counters.
        """
        self.state = state
        self.tasks = tasks
        self.quota = Quota(tasks)
        self.parking = Parking()
        self.watchers = Watchers()
        self.recent = Recent()
        self._store = store
        self.coordinator = coordinator
        self._purse = purse
        self._audits = audits
        self._end_session = end_session
        self._metrics = metrics
        self._rows = LogBuffer(store.draws)
        self._writing = 0
        self._last: asyncio.Future[Any] | None = None
        self._failure: BaseException | None = None
        self.draining = False

    @property
    def writing(self) -> int:
        """Return how many transitions wait for the disk."""
        return self._writing

    async def settled(self) -> None:
        """Wait until all that was decided before this call is on disk and has taken effect.

        Raises:
            FatalError: it can not be made durable.
        """
        if self._writing and self._last is not None:
            await asyncio.wait({self._last})
        self._check()

    async def watch(self, seconds: float, clock: Clock) -> None:
        """Let time pass.

        Raises:
            FatalError: state and store may differ: the role has to stop and read the store again.
        """
        self._check()
        await clock.sleep(seconds)
        self._check()

    def drain(self) -> None:
        """Take nothing new in from now on, and send the waiting polls home."""
        self.draining = True
        self.parking.release_all()

    def refuse_when_full(self) -> None:
        """Raise Unavailable when this process is on its way out, Overloaded when the disk does not keep up."""
        if self.draining:
            raise Unavailable("take work in: this coordinator is stopping", RETRY_AFTER_S)
        if self._writing > WRITES_WAITING_MAX:
            raise Overloaded(f"take work in: {self._writing:,} writes wait for the disk", RETRY_AFTER_S)

    def apply(self, event: Event, completion: Completion | None = None) -> list[Decision]:
        """Let the scheduler decide, write the decisions, and let their effects follow the commit.

        Args:
            event: what happened.
            completion: the result, with ``ResultVerified``.

        Returns:
            The decisions; ``settled`` waits until they are durable.

        Raises:
            FatalError: an earlier decision could not be made durable.
        """
        self._check()
        decisions = transition(self.state, event)
        if decisions:
            todo = _Transition(event.now, completion, [], [])
            self.recent.note(event.now, decisions, self.state, self.tasks)
            try:
                for decision in decisions:
                    self._carry_out(decision, decisions, todo)
                self._commit(todo)
            except Exception as error:
                self._fail(error)
                raise
        return decisions

    def flush_log(self) -> None:
        """Write the rows of the draw log that wait for a draw."""
        flush = self._rows.flush()
        if flush is not None:
            self._commit(_Transition(0.0, None, [flush], []))

    def submit(
        self, command: Command[Any], then: Callable[[asyncio.Future[Any]], None], *, quick: bool = False
    ) -> asyncio.Future[Any]:
        """Write something that may be refused, in order with the decisions; ``then`` gets the finished future.

        ``quick`` as for the writer.
        """

        def written(future: asyncio.Future[Any]) -> None:
            then(future)
            self._writing -= 1

        future = self._store.writer.submit(command, quick=quick)
        self._writing += 1
        self._last = future
        future.add_done_callback(written)
        return future

    def record(
        self, command: Command[Any], effects: list[Callable[[], None]], *, quick: bool = False
    ) -> asyncio.Future[Any]:
        """Write something that has to succeed, or else nothing more is decided; then let its effects happen."""
        return self.submit(command, partial(self._committed, effects), quick=quick)

    def _check(self) -> None:
        if self._failure is not None:
            raise FatalError(f"carry out a decision: {self._failure}") from self._failure

    def _commit(self, todo: _Transition) -> None:
        if not todo.commands:
            if self._writing and self._last is not None:
                self._last.add_done_callback(lambda _: self._run(todo.effects))
            else:
                self._run(todo.effects)
            return
        command = todo.commands[0] if len(todo.commands) == 1 else together(*todo.commands)
        quick = todo.completion is None or sum(map(len, todo.completion.pictures)) <= _QUICK_BYTES
        self.record(command, todo.effects, quick=quick)

    def _committed(self, effects: list[Callable[[], None]], future: asyncio.Future[Any]) -> None:
        error = future.exception()
        if error is None:
            self._run(effects)
        else:
            self._fail(error)

    def _run(self, effects: list[Callable[[], None]]) -> None:
        try:
            for effect in effects:
                effect()
        except Exception as error:  # noqa: BLE001 - whatever it was, memory may not be what the disk says any more
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            log.error("decision not carried out", error=repr(error))
            self._failure = error

    # Decisions.

    def _carry_out(self, decision: Decision, all_of_them: list[Decision], todo: _Transition) -> None:  # noqa: C901 - one case per decision
        match decision:
            case AppendLog():
                flushed = self._rows.append(decision, sum(type(one) is AssignTask for one in all_of_them))
                if flushed is not None:
                    todo.commands.append(flushed)
            case AssignTask():
                self._assign(decision, todo)
            case RecordFailure():
                self._record_failure(decision, todo)
            case CompleteTask():
                self._complete(decision, todo)
            case FailTask():
                reason = "; ".join(
                    f"attempt {one.attempt} on miner {one.node}: {sentence(one.kind, one.reason)}"
                    for one in decision.failures
                )
                todo.commands.append(self._store.tasks.fail(decision.task_id, reason=reason, at=todo.now))
                todo.effects.append(partial(self._close, decision.task_id, TaskStatus.FAILED, todo.now, reason))
            case CancelTask():
                todo.commands.append(self._store.tasks.cancel(decision.task_id, at=todo.now))
                todo.effects.append(partial(self._close, decision.task_id, TaskStatus.CANCELLED, todo.now))
            case FenceAttempt():
                todo.effects.append(partial(self._end_attempt, decision, AttemptState.FENCED))
            case CancelAttempt():
                self._cancel_attempt(decision, todo)
            case EndSession():
                todo.effects.append(partial(self._end, decision))
            case LeaveOutMiner():
                log.warning("miner left out of draws", miner=decision.node, health=round(decision.health, 2))
            case TakeMinerBack():
                log.info("miner takes part in draws again", miner=decision.node, health=round(decision.health, 2))

    def _assign(self, decision: AssignTask, todo: _Transition) -> None:
        task = self._task(decision)
        made = sign_assignment(self.coordinator, task, decision)
        flush = self._rows.flush()
        if flush is not None:
            todo.commands.append(flush)
        todo.commands.append(self._store.tasks.record_attempt(made.record))
        waiter = self.parking.take(decision.node, decision.slot)
        todo.effects.append(partial(self._assigned, task, made.live, decision.slot, made.signed, waiter))

    def _assigned(
        self, task: LiveTask, attempt: LiveAttempt, slot: int, signed: SignedAssignment, waiter: Waiter | None
    ) -> None:
        self._metrics.dispatch_s.observe(max(0.0, attempt.assigned_at - task.ready_at))
        task.attempts.append(attempt)
        task.step = 0
        self.tasks.set_status(task, TaskStatus.RUNNING, at=attempt.assigned_at)
        self.parking.deliver(waiter, slot, signed)
        log.debug("attempt given out", task=task.task_id, attempt=attempt.attempt, miner=attempt.node, slot=slot)
        self.watchers.publish(drawn_event(task, self.state, attempt.assigned_at))

    def _record_failure(self, decision: RecordFailure, todo: _Transition) -> None:
        lost = decision.kind.may_come_late
        reason = stored_reason(decision.kind, decision.reason)
        todo.commands.append(
            self._store.tasks.requeue(decision.task_id, decision.attempt, lost=lost, reason=reason, at=todo.now)
        )
        todo.effects.append(partial(self._failed_attempt, decision, reason, lost, todo.now))

    def _failed_attempt(self, decision: RecordFailure, reason: str, lost: bool, now: float) -> None:
        self._metrics.attempts.labels(decision.kind.value).inc()
        task = self._task(decision)
        attempt = task.find(decision.attempt)
        if attempt is not None:
            attempt.state = AttemptState.LOST if lost else AttemptState.FAILED
            attempt.reason = reason
        self.tasks.set_status(task, TaskStatus.QUEUED, at=now)
        log.info(
            "attempt failed",
            task=decision.task_id,
            attempt=decision.attempt,
            miner=decision.node,
            reason=sentence(decision.kind, decision.reason),
        )
        reason = f"attempt {decision.attempt}: {sentence(decision.kind, decision.reason)}"
        self.watchers.publish(queued_event(task, self.state, now, reason))

    def _complete(self, decision: CompleteTask, todo: _Transition) -> None:
        if todo.completion is None:
            raise FatalError(f"complete task {decision.task_id}: no result came with it")
        todo.commands.append(
            self._store.tasks.finish(
                decision.task_id,
                decision.attempt,
                receipt=todo.completion.receipt,
                signature=todo.completion.signature,
                pictures=todo.completion.pictures,
                at=todo.now,
            )
        )
        task = self._task(decision)
        price_wei, health = task.price_wei, self.state.miners[decision.node].health.now(todo.now)
        suspicious = todo.completion.suspicious or self._too_fast(task, decision)
        if not task.avoid and self._audits.chosen(decision.node, todo.completion.receipt, health, suspicious):
            audit = NewAudit(
                task_id=decision.task_id,
                attempt=decision.attempt,
                miner_node=decision.node,
                price_wei=price_wei,
                opened_at=todo.now,
                challenge=self._audits.challenge(task.parameters, todo.completion.receipt, suspicious),
            )
            self._purse.hold(decision.node, price_wei)
            todo.commands.append(self._store.audits.add(audit))
            todo.effects.append(partial(self._audits.opened, decision.task_id, decision.attempt))
        else:
            self._owe(decision, "result", price_wei, todo)
        self._book(task, Usage(tasks=1, pictures=task.parameters.pictures, spent_wei=price_wei), todo)
        todo.effects.append(partial(self._completed, decision, todo.now))

    def _too_fast(self, task: LiveTask, decision: CompleteTask) -> bool:
        """Tell whether a result came so much sooner than its miner takes for such work that something is odd."""
        demand = task.demand
        usual = self.state.estimator.eta(decision.node, demand.model, demand.work)
        return usual is not None and decision.seconds < usual.p50_s / TOO_FAST

    def _completed(self, decision: CompleteTask, now: float) -> None:
        task = self._task(decision)
        attempt = task.find(decision.attempt)
        if attempt is not None:
            attempt.state, attempt.reason = AttemptState.DONE, ""
        self._metrics.attempts.labels("done").inc()
        log.debug("result taken", task=decision.task_id, attempt=decision.attempt, miner=decision.node)
        task.pictures = task.parameters.pictures
        self._close(task.task_id, TaskStatus.DONE, now)

    def _cancel_attempt(self, decision: CancelAttempt, todo: _Transition) -> None:
        task = self._task(decision)
        earned_wei = part_of(task.price_wei, decision.step, decision.steps)
        self._owe(decision, "cancelled", earned_wei, todo)
        self._book(task, Usage(spent_wei=earned_wei), todo)
        todo.effects.append(partial(self._end_attempt, decision, AttemptState.CANCELLED))

    def _owe(self, decision: CompleteTask | CancelAttempt, kind: str, amount_wei: Wei, todo: _Transition) -> None:
        if amount_wei:
            owed = self._purse.owe(decision.node, decision.task_id, decision.attempt, kind, amount_wei, todo.now)
            todo.commands.append(owed)
            todo.effects.append(partial(self._purse.committed, decision.node, amount_wei))

    def _book(self, task: LiveTask, usage: Usage, todo: _Transition) -> None:
        """Book to the API key what came of its task."""
        if task.owner_key is not None and usage != NOTHING:
            todo.commands.append(self.quota.book(task.owner_key, usage, todo.now))
            todo.effects.append(partial(self.quota.booked, task.owner_key, usage, todo.now))

    def _end_attempt(self, decision: FenceAttempt | CancelAttempt, state: AttemptState) -> None:
        task = self.tasks.get(decision.task_id)
        attempt = task.find(decision.attempt) if task else None
        if attempt is not None:
            attempt.state = state

    def _close(self, task_id: TaskId, status: TaskStatus, now: float, reason: str = "") -> None:
        task = self.tasks.get(task_id)
        if task is None:
            return
        self.tasks.set_status(task, status, at=now, error=reason)
        self._metrics.ended(status.value, now)
        seconds = max(0.0, now - task.created_at)
        self._metrics.task_s.observe(seconds)
        said = {"reason": reason} if reason else {}
        log.debug("task over", task=task_id, status=status.value, seconds=round(seconds, 2), **said)
        self.watchers.publish(final_event(task))

    def _end(self, decision: EndSession) -> None:
        log.info("session ended", miner=decision.node, reason=decision.reason)
        self._end_session(decision.node)

    def _task(self, decision: AssignTask | RecordFailure | CompleteTask | CancelAttempt) -> LiveTask:
        task = self.tasks.get(decision.task_id)
        if task is None:
            raise FatalError(f"carry out {type(decision).__name__}: task {decision.task_id} is not open")
        return task


def final_event(task: LiveTask) -> TaskEvent:
    """Return the event that ends the stream of a task that is over."""
    return TaskEvent(
        kind=EventKind(task.status.value),
        task_id=task.task_id,
        reason=task.error,
        pictures=task.picture_paths(),
        steps=task.steps,
    )
