"""The moves that transitions are made of: who is active, who is drawn, how an attempt ends."""

import heapq
import math
from collections.abc import Callable, Iterator
from itertools import islice

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.scheduler.decisions import (
    AppendLog,
    AssignTask,
    AttemptFailure,
    CompleteTask,
    Decision,
    FailTask,
    FenceAttempt,
    LeaveOutMiner,
    RecordFailure,
    TakeMinerBack,
)
from cuckoo.scheduler.draw import Drawn, draw
from cuckoo.scheduler.drawlog import DrawLog, DrawRow, ParkRow, Row, UnparkRow
from cuckoo.scheduler.eligibility import Exclusion, limits_of
from cuckoo.scheduler.events import Demand, FailureKind
from cuckoo.scheduler.health import Health
from cuckoo.scheduler.pool import Pool
from cuckoo.scheduler.records import Attempt, Miner, Task
from cuckoo.scheduler.state import State


class Step:
    """One transition while it happens: it changes the state and collects the decisions."""

    def __init__(self, state: State, now: float) -> None:
        """Begin at ``now``, or at the latest time the state has seen."""
        state.now = max(state.now, now)
        self.state = state
        self.now = state.now
        self.decisions: list[Decision] = []
        self._touched: dict[ModelDigest, None] = {}
        self._escrow_freed = False
        self.accepted: list[Task] = []

    def finish(self) -> list[Decision]:
        """Draw for every task that can be drawn for, and return all decisions."""
        log = self.state.log
        if log is not None:
            self._draw_all(log)
        for task in self.accepted:
            task.forecast = self.state.forecast(task)
            task.told = None if task.forecast is None else self.state.calibration.eta(task.forecast)
        return self.decisions

    def _draw_all(self, log: DrawLog) -> None:
        self._dispatch(log)
        while self._escrow_freed:
            self._dispatch(log)
        rows = log.take()
        if rows:
            first = log.rows - len(rows)
            self.decisions.insert(
                0,
                AppendLog(tip=log.tip, period=log.period, first_row=first, rows=rows, head=log.head),
            )

    def touch(self, model: ModelDigest) -> None:
        """Look at the queue of a model at the end of this transition."""
        self._touched[model] = None

    def watch(self, what: Attempt | Miner, at: float) -> None:
        """Look at an attempt or a miner at the first tick after ``at``."""
        self.state.timer_count += 1
        heapq.heappush(self.state.timers, (at, self.state.timer_count, what))

    # Who is there

    def miner(self, node: NodeId) -> Miner:
        """Return the record of a node, a new one when it was never met."""
        miner = self.state.miners.get(node)
        if miner is None:
            miner = self.state.miners[node] = Miner(node)
        return miner

    def expect(self, miner: Miner) -> None:
        """Note a sign of life, and watch for silence from now on."""
        miner.seen_at = self.now
        if not miner.watched:
            miner.watched = True
            self.watch(miner, self.now + self.state.settings.silence_s)

    def enrol(self, miner: Miner) -> None:
        """Bring up to date for which models a miner counts as capable, and with which limits."""
        present = miner.signed_in and miner.weight_wei > 0 and not miner.health.left_out
        wanted = set(miner.capabilities) if present else set[ModelDigest]()
        for model in sorted(miner.enrolled - wanted):
            self.state.pool(model).set_incapable(miner.node)
            self.touch(model)
        for model in sorted(wanted):
            limits = limits_of(miner.capabilities[model], miner.free_escrow_wei)
            self.state.pool(model).set_capable(miner.node, limits, miner.running_slots)
            self.touch(model)
        miner.enrolled = wanted

    def activate(self, miner: Miner, reason: Exclusion) -> None:
        """Bring up to date in which trees a miner stands; ``reason`` is logged where it leaves one."""
        wanted = {model for models in miner.parked.values() for model in models} & miner.enrolled
        for model in sorted(miner.active - wanted) if miner.active else ():
            self.state.pool(model).set_inactive(miner.node)
            self._log_row(model, lambda index: UnparkRow(miner.node, index, reason))
        for model in sorted(wanted):
            pool = self.state.pool(model)
            pool.set_active(miner.node, limits_of(miner.capabilities[model], miner.free_escrow_wei), miner.weight_wei)
            if model not in miner.active:
                self._log_row(model, lambda index: ParkRow(miner.node, index, miner.weight_wei))
            self.touch(model)
        miner.active = wanted

    def set_health(self, miner: Miner, health: Health) -> None:
        """Change a miner's health, and leave it out or take it back where that follows."""
        before, miner.health = miner.health, health
        if health.left_out == before.left_out:
            return
        if health.left_out:
            self.state.left_out.add(miner.node)
            self.decisions.append(LeaveOutMiner(node=miner.node, health=health.value))
        else:
            self.state.left_out.discard(miner.node)
            self.decisions.append(TakeMinerBack(node=miner.node, health=health.value))
        self.enrol(miner)
        self.activate(miner, Exclusion.UNHEALTHY)

    def set_escrow(self, miner: Miner, escrow_wei: int, in_flight_wei: int) -> None:
        """Change what a miner's escrow holds and what is in flight."""
        if (escrow_wei, in_flight_wei) != (miner.escrow_wei, miner.in_flight_wei):
            before = miner.free_escrow_wei
            miner.escrow_wei, miner.in_flight_wei = Wei(escrow_wei), Wei(in_flight_wei)
            self._escrow_freed |= miner.free_escrow_wei > before
            self.enrol(miner)
            self.activate(miner, Exclusion.NO_POLL)

    def _log_row(self, model: ModelDigest, row: Callable[[int], Row]) -> None:
        if self.state.log is not None:
            self.state.log.append(row(self.state.log.model_index(model)))

    # How an attempt ends

    def fail(self, attempt: Attempt, kind: FailureKind, reason: str, *, penalise: bool = True) -> None:
        """End an attempt without a result: its task waits for another, or fails."""
        task, miner = attempt.task, self.miner(attempt.node)
        failure = AttemptFailure(attempt=attempt.number, node=attempt.node, kind=kind, reason=reason)
        task.failures.append(failure)
        self.decisions.append(
            RecordFailure(task_id=task.task_id, attempt=attempt.number, node=attempt.node, kind=kind, reason=reason)
        )
        attempt.failed = True
        self.release(attempt)
        if attempt.step and kind is FailureKind.TIMED_OUT:
            seconds = (self.now - attempt.started_at) * attempt.steps / attempt.step
            self.state.estimator.observe(attempt.node, task.demand.model, task.demand.work, seconds)
        if task.attempts >= self.state.settings.max_attempts:
            if kind.may_come_late:
                self.fence(attempt)
            self.close(task)
            self.decisions.append(FailTask(task_id=task.task_id, failures=tuple(task.failures)))
        else:
            if not kind.may_come_late:
                self.end(attempt)
            self.state.pool(task.demand.model).queue.add(task)
            self.touch(task.demand.model)
        if penalise:
            self.set_health(miner, miner.health.after_failure(kind, self.now))

    def complete(self, attempt: Attempt) -> None:
        """Take the result of an attempt; its task is done."""
        task, miner, demand = attempt.task, self.miner(attempt.node), attempt.task.demand
        seconds = self.now - attempt.started_at
        self.state.estimator.observe(attempt.node, demand.model, demand.work, seconds)
        if task.forecast is not None and task.told is not None:
            self.state.calibration.observe(task.forecast, task.told, self.now - task.forecast.at)
        if not attempt.failed:
            self.release(attempt)
        self.set_escrow(miner, miner.escrow_wei - demand.price_wei, miner.in_flight_wei)
        self.close(task)
        self.decisions.append(
            CompleteTask(task_id=task.task_id, attempt=attempt.number, node=attempt.node, seconds=seconds)
        )
        self.set_health(miner, miner.health.after_success(self.now))

    def release(self, attempt: Attempt) -> None:
        """Take an attempt off its miner; the oldest one that waits there begins."""
        attempts = self.miner(attempt.node).attempts
        attempts.remove(attempt)
        self.state.pool(attempt.task.demand.model).running -= 1
        if not attempt.waiting:
            for other in attempts:
                if other.waiting:
                    self.begin(other)
                    break

    def begin(self, attempt: Attempt) -> None:
        """Note that a prefetched attempt runs from now on."""
        attempt.waiting = False
        attempt.started_at = attempt.heard_at = self.now
        self.watch(attempt, self.now + self.state.settings.silence_s)

    def end(self, attempt: Attempt) -> None:
        """Take no result of an attempt any more."""
        attempt.over = True
        attempt.task.last = None
        miner = self.miner(attempt.node)
        self.set_escrow(miner, miner.escrow_wei, miner.in_flight_wei - attempt.task.demand.price_wei)

    def fence(self, attempt: Attempt) -> None:
        """End an attempt from which a late result could still come."""
        self.end(attempt)
        self.decisions.append(FenceAttempt(task_id=attempt.task.task_id, attempt=attempt.number, node=attempt.node))

    def close(self, task: Task) -> None:
        """Forget a task that is done, failed or cancelled."""
        self.state.pool(task.demand.model).queue.remove(task.task_id)
        if task.last is not None:
            self.end(task.last)
        del self.state.tasks[task.task_id]

    # Draws

    def _dispatch(self, log: DrawLog) -> None:
        self._escrow_freed = False
        pools = [pool for model in self._touched if (pool := self.state.pools.get(model)) and pool.queue]
        if not pools:
            return
        waiting = iter(pools[0].queue) if len(pools) == 1 else _in_turn(pools)
        drawn: list[Task] = []
        hopeless: set[Demand] = set()
        for task in waiting:
            pool = self.state.pools[task.demand.model]
            if not pool.tree.total:
                if not any(other.tree.total for other in pools):
                    break
            elif task.tried or task.demand not in hopeless:
                if self._draw(log, pool, task):
                    drawn.append(task)
                elif not task.tried:
                    hopeless.add(task.demand)
        for task in drawn:
            self.state.pools[task.demand.model].queue.give(task.task_id)

    def _draw(self, log: DrawLog, pool: Pool, task: Task) -> bool:
        excluded = pool.excluded(task, self.state.miners)
        index = log.draws
        drawn = draw(pool.tree, self.state.seed, index, excluded)
        if drawn is None:
            return False
        candidates = len(pool.active) - len(excluded)
        log.append(
            DrawRow(
                index=index,
                at_ms=int(self.now * 1000),
                model_index=log.model_index(pool.model),
                task_id=task.task_id,
                attempt=task.attempts + 1,
                tries=drawn.tries,
                node=drawn.node,
                total_wei=drawn.total,
                candidates=candidates,
                excluded=tuple(sorted(excluded.items())),
            )
        )
        pool.odds.drawn(drawn.node, drawn.total, excluded)
        self.state.assignments += 1
        pool.turn = self.state.assignments
        self._assign(log, task, drawn, index, candidates)
        return True

    def _assign(self, log: DrawLog, task: Task, drawn: Drawn, index: int, candidates: int) -> None:
        if task.last is not None:
            self.fence(task.last)
        miner, demand, head = self.miner(drawn.node), task.demand, log.head
        slot = min(slot for slot, models in miner.parked.items() if demand.model in models)
        del miner.parked[slot]
        running = [attempt.deadline for attempt in miner.attempts if not attempt.waiting]
        waiting = slot >= miner.running_slots and bool(running)
        deadline = self._deadline(miner.node, demand, max(self.now, min(running)) if waiting else self.now)
        task.attempts += 1
        task.tried.add(miner.node)
        miner.sequence += 1
        miner.seen_at = self.now
        attempt = Attempt(
            task=task,
            number=task.attempts,
            node=miner.node,
            slot=slot,
            sequence=miner.sequence,
            deadline=deadline,
            waiting=waiting,
            started_at=self.now,
            heard_at=self.now,
        )
        self.activate(miner, Exclusion.SLOTS_TAKEN)
        self.hand_over(miner, attempt)
        self.decisions.append(
            AssignTask(
                task_id=task.task_id,
                attempt=attempt.number,
                node=miner.node,
                slot=slot,
                sequence=attempt.sequence,
                price_wei=demand.price_wei,
                assigned_at=self.now,
                deadline=deadline,
                prefetched=waiting,
                seed_tip=log.tip,
                draw_index=index,
                draw_head=head,
                draw_block=log.block,
                period=log.period,
                weight_wei=drawn.weight,
                total_wei=drawn.total,
                candidates=candidates,
            )
        )

    def hand_over(self, miner: Miner, attempt: Attempt) -> None:
        """Put an attempt on its miner, and watch it."""
        attempt.task.last = attempt
        miner.attempts.append(attempt)
        self.state.pool(attempt.task.demand.model).running += 1
        self.watch(attempt, self.next_look(attempt))
        self.set_escrow(miner, miner.escrow_wei, miner.in_flight_wei + attempt.task.demand.price_wei)

    def next_look(self, attempt: Attempt) -> float:
        """Return when an attempt can be found overdue or silent at the earliest."""
        silent = math.inf if attempt.waiting else attempt.heard_at + self.state.settings.silence_s
        return min(attempt.deadline, silent)

    def _deadline(self, node: NodeId, demand: Demand, start: float) -> int:
        settings = self.state.settings
        expected = self.state.estimator.expected_s(node, demand.model, demand.work)
        seconds = max(settings.deadline_min_s, settings.deadline_factor * expected)
        return math.ceil(min(start + seconds, self.now + settings.deadline_max_s))


def _in_turn(pools: list[Pool]) -> Iterator[Task]:
    """Yield the waiting tasks of several models: the model that has waited longest for an assignment comes next."""
    queues = [(pool, iter(pool.queue)) for pool in pools]
    heads = [(pool.turn, task.arrival, task, pool, queue) for pool, queue in queues for task in islice(queue, 1)]
    heapq.heapify(heads)
    while heads:
        _, _, task, pool, queue = heads[0]
        yield task
        following = next(queue, None)
        if following is None:
            heapq.heappop(heads)
        else:
            heapq.heapreplace(heads, (pool.turn, following.arrival, following, pool, queue))
