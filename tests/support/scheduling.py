"""A scheduler in a test: events in one line each, every decision and log row kept."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.decisions import AppendLog, AssignTask, Decision
from cuckoo.scheduler.drawlog import first_head
from cuckoo.scheduler.events import (
    AttemptFailed,
    AttemptProgressed,
    Capability,
    Demand,
    Event,
    FailureKind,
    MinerParked,
    MinerSignedIn,
    MinerUnparked,
    PeriodStarted,
    ResultVerified,
    TaskAccepted,
    TaskCancelled,
    Ticked,
    WeightChanged,
)
from cuckoo.scheduler.replay import Replay, replay
from cuckoo.scheduler.state import SchedulerSettings, State
from cuckoo.scheduler.transition import transition

MODEL = ModelDigest("ab" * 32)
OTHER_MODEL = ModelDigest("cd" * 32)
TIP = hashlib.sha256(b"tip").digest()
D = TypeVar("D", bound=Decision)


def seed_of(period: int) -> bytes:
    """Return the seed that a test's period has."""
    return hashlib.sha256(b"seed %d" % period).digest()


def capability(
    model: ModelDigest = MODEL, max_pixels: int = 512 * 512, max_steps: int = 50, rate: int = 0
) -> Capability:
    return Capability(model=model, max_pixels=max_pixels, max_steps=max_steps, min_rate_wei=Wei(rate))


def demand(model: ModelDigest = MODEL, pixels: int = 64 * 64, steps: int = 20, price: int = 0) -> Demand:
    return Demand(model=model, pixels=pixels, steps=steps, price_wei=Wei(price))


def task_id(number: int) -> TaskId:
    return TaskId(f"{number:032x}")


class World:
    """A state, its clock, and everything that it decided."""

    def __init__(self, settings: SchedulerSettings | None = None, *, period: int | None = 1) -> None:
        self.state = State(settings)
        self.now = 1_000.0
        self.decisions: list[Decision] = []
        self.rows: list[bytes] = []
        self.head = first_head(TIP)
        self.seeds: dict[int, bytes] = {}
        if period is not None:
            self.period(period)

    def feed(self, event: Event) -> list[Decision]:
        decisions = transition(self.state, event)
        for position, decision in enumerate(decisions):
            if isinstance(decision, AppendLog):
                assert position == 0
                assert decision.first_row == len(self.rows)
                self.rows.extend(decision.rows)
                self.head = decision.head
        self.decisions.extend(decisions)
        return decisions

    def period(self, number: int, tip: bytes = TIP) -> list[Decision]:
        self.seeds[number] = seed_of(number)
        return self.feed(PeriodStarted(now=self.now, period=number, seed=seed_of(number), tip=tip, block=number * 10))

    def sign_in(
        self,
        node: int,
        stake: int = 20_000,
        *,
        slots: int = 1,
        capabilities: Sequence[Capability] = (capability(),),
        last_sequence: int = 0,
        escrow: int = 0,
    ) -> list[Decision]:
        return self.feed(
            MinerSignedIn(
                now=self.now,
                node=NodeId(node),
                weight_wei=Wei(stake * CAI),
                running_slots=slots,
                capabilities=tuple(capabilities),
                last_sequence=last_sequence,
                escrow_wei=Wei(escrow),
            )
        )

    def park(self, node: int, slot: int = 0, models: Sequence[ModelDigest] = (MODEL,)) -> list[Decision]:
        return self.feed(MinerParked(now=self.now, node=NodeId(node), slot=slot, models=tuple(models)))

    def unpark(self, node: int, slot: int = 0) -> list[Decision]:
        return self.feed(MinerUnparked(now=self.now, node=NodeId(node), slot=slot))

    def join(self, node: int, stake: int = 20_000, **how: object) -> None:
        """Sign in and park the first running slot."""
        self.sign_in(node, stake, **how)
        self.park(node)

    def weigh(self, node: int, stake: int) -> list[Decision]:
        return self.feed(WeightChanged(now=self.now, node=NodeId(node), weight_wei=Wei(stake * CAI)))

    def accept(self, number: int, wants: Demand | None = None, *, owner: int | None = None) -> list[Decision]:
        return self.feed(TaskAccepted(now=self.now, task_id=task_id(number), demand=wants or demand(), owner=owner))

    def cancel(self, number: int) -> list[Decision]:
        return self.feed(TaskCancelled(now=self.now, task_id=task_id(number)))

    def progress(self, assigned: AssignTask, step: int = 1, steps: int = 20) -> list[Decision]:
        return self.feed(
            AttemptProgressed(
                now=self.now,
                task_id=assigned.task_id,
                attempt=assigned.attempt,
                node=assigned.node,
                step=step,
                steps=steps,
            )
        )

    def result(self, assigned: AssignTask) -> list[Decision]:
        return self.feed(
            ResultVerified(now=self.now, task_id=assigned.task_id, attempt=assigned.attempt, node=assigned.node)
        )

    def failure(
        self, assigned: AssignTask, kind: FailureKind = FailureKind.REPORTED, reason: str = "out of memory"
    ) -> list[Decision]:
        return self.feed(
            AttemptFailed(
                now=self.now,
                task_id=assigned.task_id,
                attempt=assigned.attempt,
                node=assigned.node,
                kind=kind,
                reason=reason,
            )
        )

    def tick(self, seconds: float) -> list[Decision]:
        self.now += seconds
        return self.feed(Ticked(now=self.now))

    def assigned(self, decisions: Sequence[Decision]) -> AssignTask:
        """Return the one assignment among decisions."""
        return only(decisions, AssignTask)

    def replay(self) -> Replay:
        """Replay everything that was logged so far."""
        return replay(self.rows, self.seeds, first_head(TIP), 0)


def only(decisions: Sequence[Decision], kind: type[D]) -> D:
    """Return the one decision of a kind."""
    (found,) = of(decisions, kind)
    return found


def of(decisions: Sequence[Decision], kind: type[D]) -> list[D]:
    """Return the decisions of a kind, in order."""
    return [decision for decision in decisions if isinstance(decision, kind)]
