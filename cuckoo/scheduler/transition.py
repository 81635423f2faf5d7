"""The contract of the scheduler: ``transition(state, event) -> list[Decision]``.

* It is the only thing that changes a ``State``. It does no I/O, reads no clock and draws no random numbers of its own:
  equal states and equal events give equal decisions.
* The caller feeds events one at a time from one task, makes the decisions of a transition durable in one transaction
  together with what caused them (the task's row, the result's pictures), and only then lets effects out. When the
  commit fails, the role stops and rebuilds the state from the store.
* A start: a fresh ``State``, ``TaskRestored`` for every open task in order of acceptance, each followed by its
  ``AttemptRestored`` in rising order, then ``PeriodStarted`` under a new seed tip. Miners sign in again by themselves;
  attempts of those that do not within the silence limit are lost and tried again. An attempt whose deadline passed in
  the meantime gets as long for its result to arrive.
* A miner: ``MinerSignedIn``, then ``MinerParked`` for each waiting poll. ``AssignTask`` uses up the parked slot it
  names; a poll that ends otherwise is a ``MinerUnparked``. Events about sessions, slots, tasks or attempts that are
  no longer there are without effect, so that the caller need not know who was faster.
* A result: check ``state.is_live(task, attempt, node)`` before the expensive verification if you like; then
  ``ResultVerified``. The answer is ``CompleteTask`` or ``RefuseResult``, in the same transition, so nothing can come
  between the check and the fence. A result that is wrong is an ``AttemptFailed`` with ``BAD_RESULT``.
* Decisions of one transition stand in the order in which they take effect; ``AppendLog`` is the first.
"""

import heapq
import math
from collections.abc import Callable
from typing import Any

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId
from cuckoo.scheduler.decisions import (
    AttemptFailure,
    CancelAttempt,
    CancelTask,
    Decision,
    EndSession,
    RefuseResult,
)
from cuckoo.scheduler.drawlog import DrawLog, ParkRow, WeightRow
from cuckoo.scheduler.eligibility import Exclusion
from cuckoo.scheduler.events import (
    AttemptFailed,
    AttemptProgressed,
    AttemptRestored,
    EscrowChanged,
    Event,
    FailureKind,
    MinerParked,
    MinerSeen,
    MinerSignedIn,
    MinerSignedOut,
    MinerUnparked,
    PeriodStarted,
    ResultDisproved,
    ResultVerified,
    TaskAccepted,
    TaskCancelled,
    TaskRestored,
    Ticked,
    WeightChanged,
)
from cuckoo.scheduler.records import Attempt, Miner, Task
from cuckoo.scheduler.state import State
from cuckoo.scheduler.step import Step


def transition(state: State, event: Event) -> list[Decision]:
    """Change ``state`` by what happened, and return what has to be done, in order.

    Args:
        state: is changed; nothing else changes it.
        event: any of ``cuckoo.scheduler.events``.

    Returns:
        The decisions, ``AppendLog`` first when there are log rows.

    Raises:
        TypeError: the event is of no known kind.
    """
    handle = _HANDLERS.get(type(event))
    if handle is None:
        raise TypeError(f"{type(event).__name__} is no event of the scheduler")
    step = Step(state, event.now)
    handle(step, event)
    return step.finish()


def _period_started(step: Step, event: PeriodStarted) -> None:
    state = step.state
    if state.log is None or state.log.tip != event.tip:
        state.log = DrawLog(event.tip)
    elif event.period <= state.log.period:
        return
    state.seed = event.seed
    state.log.begin_period(event.period, event.block)
    for model in sorted(state.pools):
        tree = state.pools[model].tree
        for node, weight in tree if tree.total else ():
            state.log.append(ParkRow(NodeId(node), state.log.model_index(model), weight))
        step.touch(model)


# Tasks


def _task_accepted(step: Step, event: TaskAccepted | TaskRestored) -> None:
    state = step.state
    if event.task_id in state.tasks:
        return
    state.arrivals += 1
    task = Task(event.task_id, event.demand, state.arrivals, event.owner)
    state.tasks[task.task_id] = task
    state.pool(task.demand.model).queue.add(task)
    step.touch(task.demand.model)
    if isinstance(event, TaskAccepted):
        step.accepted.append(task)


def _task_cancelled(step: Step, event: TaskCancelled) -> None:
    task = step.state.tasks.get(event.task_id)
    if task is None:
        return
    last = task.last
    if last is not None:
        done = (0, 0) if last.failed else (last.step, last.steps)
        step.decisions.append(
            CancelAttempt(task_id=task.task_id, attempt=last.number, node=last.node, step=done[0], steps=done[1])
        )
        if not last.failed:
            step.release(last)
    step.close(task)
    step.decisions.append(CancelTask(task_id=task.task_id))


def _attempt_restored(step: Step, event: AttemptRestored) -> None:
    task = step.state.tasks.get(event.task_id)
    if task is None:
        return
    miner = step.miner(event.node)
    miner.sequence = max(miner.sequence, event.sequence)
    queue = step.state.pool(task.demand.model).queue
    queue.give(task.task_id)
    task.attempts = event.attempt
    task.tried.add(event.node)
    if task.last is not None:
        step.end(task.last)
    attempt = Attempt(
        task=task,
        number=event.attempt,
        node=event.node,
        slot=0,
        sequence=event.sequence,
        deadline=max(event.deadline, math.ceil(step.now + step.state.settings.silence_s)),
        waiting=False,
        started_at=event.assigned_at,
        heard_at=step.now,
    )
    if event.failure is None:
        step.hand_over(miner, attempt)
        step.expect(miner)
        return
    attempt.failed = True
    task.failures.append(
        AttemptFailure(attempt=event.attempt, node=event.node, kind=event.failure, reason=event.reason)
    )
    if event.failure.may_come_late:
        task.last = attempt
        step.set_escrow(miner, miner.escrow_wei, miner.in_flight_wei + task.demand.price_wei)
    queue.add(task)


# Miners


def _miner_signed_in(step: Step, event: MinerSignedIn) -> None:
    miner = step.miner(event.node)
    miner.signed_in = True
    miner.running_slots = max(1, event.running_slots)
    miner.capabilities = {capability.model: capability for capability in event.capabilities}
    miner.sequence = max(miner.sequence, event.last_sequence)
    miner.escrow_wei = event.escrow_wei
    step.expect(miner)
    _weigh(step, miner, event.weight_wei)
    step.enrol(miner)
    step.activate(miner, Exclusion.MODEL_NOT_LOADED)


def _miner_signed_out(step: Step, event: MinerSignedOut) -> None:
    miner = step.state.miners.get(event.node)
    if miner is not None and miner.signed_in:
        _leave(step, miner, Exclusion.NOT_SIGNED_IN)
        for attempt in tuple(miner.attempts):
            step.fail(attempt, FailureKind.HANDED_BACK, "the miner signed out")


def _leave(step: Step, miner: Miner, reason: Exclusion) -> None:
    miner.signed_in = False
    miner.parked.clear()
    step.enrol(miner)
    step.activate(miner, reason)


def _signed_in(step: Step, event: MinerParked | MinerUnparked | MinerSeen) -> Miner | None:
    miner = step.state.miners.get(event.node)
    if miner is None or not miner.signed_in:
        return None
    step.expect(miner)
    return miner


def _miner_parked(step: Step, event: MinerParked) -> None:
    miner = _signed_in(step, event)
    if miner is None or not 0 <= event.slot <= miner.running_slots:
        return
    for attempt in miner.attempts:
        if attempt.waiting and attempt.slot == event.slot:
            step.begin(attempt)
    miner.parked[event.slot] = event.models
    step.activate(miner, Exclusion.MODEL_NOT_LOADED)


def _miner_unparked(step: Step, event: MinerUnparked) -> None:
    miner = _signed_in(step, event)
    if miner is not None and miner.parked.pop(event.slot, None) is not None:
        step.activate(miner, Exclusion.NO_POLL)


def _miner_seen(step: Step, event: MinerSeen) -> None:
    _signed_in(step, event)


def _weight_changed(step: Step, event: WeightChanged) -> None:
    miner = step.state.miners.get(event.node)
    if miner is not None:
        _weigh(step, miner, event.weight_wei)
        step.enrol(miner)
        step.activate(miner, Exclusion.NO_WEIGHT)


def _weigh(step: Step, miner: Miner, weight_wei: int) -> None:
    changed, log = weight_wei != miner.weight_wei, step.state.log
    miner.weight_wei = Wei(weight_wei)
    if changed and weight_wei and miner.active and log is not None:
        log.append(WeightRow(miner.node, weight_wei))


def _escrow_changed(step: Step, event: EscrowChanged) -> None:
    miner = step.state.miners.get(event.node)
    if miner is not None:
        step.set_escrow(miner, event.escrow_wei, miner.in_flight_wei)


# Attempts


def _live(step: Step, event: AttemptProgressed | ResultVerified | AttemptFailed) -> Attempt | None:
    miner = step.state.miners.get(event.node)
    if miner is not None:
        miner.seen_at = step.now
    if not step.state.is_live(event.task_id, event.attempt, event.node):
        return None
    return step.state.tasks[event.task_id].last


def _attempt_progressed(step: Step, event: AttemptProgressed) -> None:
    attempt = _live(step, event)
    if attempt is None or attempt.failed:
        return
    if attempt.waiting and event.step > 0:
        step.begin(attempt)
    attempt.heard_at = step.now
    attempt.step, attempt.steps = event.step, event.steps


def _result_verified(step: Step, event: ResultVerified) -> None:
    attempt = _live(step, event)
    if attempt is not None:
        step.complete(attempt)
        return
    task = step.state.tasks.get(event.task_id)
    if task is None:
        reason = "the task is closed"
    elif event.attempt < task.attempts:
        reason = f"attempt {event.attempt} is fenced: attempt {task.attempts} was assigned after it"
    else:
        reason = f"attempt {event.attempt} of node {event.node} is not one that is waited for"
    step.decisions.append(RefuseResult(task_id=event.task_id, attempt=event.attempt, node=event.node, reason=reason))


def _attempt_failed(step: Step, event: AttemptFailed) -> None:
    attempt = _live(step, event)
    if attempt is None:
        return
    if attempt.failed:
        step.end(attempt)
    else:
        step.fail(attempt, event.kind, event.reason)


def _result_disproved(step: Step, event: ResultDisproved) -> None:
    miner = step.state.miners.get(event.node)
    if miner is not None:
        step.set_health(miner, miner.health.disproved(step.now))


# Time


def _ticked(step: Step, _: Ticked) -> None:
    state = step.state
    while state.timers and state.timers[0][0] < step.now:
        what = heapq.heappop(state.timers)[2]
        if isinstance(what, Attempt):
            _look_at_attempt(step, what)
        else:
            _look_at_miner(step, what)
    for node in sorted(state.left_out):
        miner = state.miners[node]
        step.set_health(miner, miner.health.refreshed(step.now))


def _look_at_attempt(step: Step, attempt: Attempt) -> None:
    silence_s = step.state.settings.silence_s
    if attempt.failed or attempt.over:
        return
    if step.now > attempt.deadline:
        step.fail(attempt, FailureKind.TIMED_OUT, f"no result by its deadline, step {attempt.step} of {attempt.steps}")
    elif not attempt.waiting and step.now - attempt.heard_at > silence_s:
        step.fail(attempt, FailureKind.LOST, f"no sign of life for {silence_s:.0f} s")
    else:
        step.watch(attempt, step.next_look(attempt))


def _look_at_miner(step: Step, miner: Miner) -> None:
    silence_s = step.state.settings.silence_s
    if not miner.signed_in and not miner.attempts:
        miner.watched = False
    elif miner.parked or step.now - miner.seen_at <= silence_s:
        step.watch(miner, (step.now if miner.parked else miner.seen_at) + silence_s)
    else:
        miner.watched = False
        _lose(step, miner, f"no sign of life for {silence_s:.0f} s")


def _lose(step: Step, miner: Miner, reason: str) -> None:
    if miner.signed_in:
        step.decisions.append(EndSession(node=miner.node, reason=reason))
    _leave(step, miner, Exclusion.SILENT)
    for number, attempt in enumerate(tuple(miner.attempts)):
        step.fail(attempt, FailureKind.LOST, reason, penalise=number == 0)


_HANDLERS: dict[type[Event], Callable[[Step, Any], None]] = {
    PeriodStarted: _period_started,
    TaskAccepted: _task_accepted,
    TaskRestored: _task_accepted,
    TaskCancelled: _task_cancelled,
    AttemptRestored: _attempt_restored,
    MinerSignedIn: _miner_signed_in,
    MinerSignedOut: _miner_signed_out,
    MinerParked: _miner_parked,
    MinerUnparked: _miner_unparked,
    MinerSeen: _miner_seen,
    WeightChanged: _weight_changed,
    EscrowChanged: _escrow_changed,
    AttemptProgressed: _attempt_progressed,
    ResultVerified: _result_verified,
    AttemptFailed: _attempt_failed,
    ResultDisproved: _result_disproved,
    Ticked: _ticked,
}
