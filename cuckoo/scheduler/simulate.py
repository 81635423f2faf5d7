"""A network on a simulated clock: how much of the work stake brings, depending on load.

Everything goes through ``transition``. ``python -m cuckoo.scheduler.simulate`` prints the table of docs/scheduler.md.
"""

import hashlib
import heapq
import random
import sys
from collections.abc import Sequence

import msgspec

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.decisions import AppendLog, AssignTask, CompleteTask, Decision
from cuckoo.scheduler.events import (
    Capability,
    Demand,
    Event,
    MinerParked,
    MinerSignedIn,
    PeriodStarted,
    ResultVerified,
    TaskAccepted,
)
from cuckoo.scheduler.fairness import Share
from cuckoo.scheduler.state import SchedulerSettings, State
from cuckoo.scheduler.transition import transition

MODEL = ModelDigest("ab" * 32)
_DEMAND = Demand(model=MODEL, pixels=64 * 64, steps=20)
_CAPABILITY = Capability(model=MODEL, max_pixels=64 * 64, max_steps=20)
_TIP = hashlib.sha256(b"simulated tip").digest()
_RUNNING_SLOT, _PREFETCH_SLOT = 0, 1


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate.

    Attributes:
        stakes: weight of each miner, any unit; miner i has node id i + 1.
        load: arrivals over capacity, above 0 and below 1.
        prefetch: whether each miner offers a prefetch slot besides its running slot.
        tasks: how many.
        seed: of arrivals, service times and draws.
        service_s: seconds of an attempt.
        uneven: service times are exponentially distributed around that instead of all equal.
    """

    stakes: Sequence[int]
    load: float
    prefetch: bool
    tasks: int
    seed: int = 1
    service_s: float = 1.0
    uneven: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        done: tasks done by each miner, in the order of the stakes.
        shares: what the scheduler tallied, by node.
        mean_wait_s: from acceptance to assignment.
        rows: the draw log, and ``head`` after it.
        within_p50, within_p90: share of the tasks that were done within what was forecast when they were accepted.
    """

    done: tuple[int, ...]
    shares: dict[NodeId, Share]
    mean_wait_s: float
    rows: tuple[bytes, ...]
    head: bytes
    within_p50: float
    within_p90: float


class _Simulation:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.random = random.Random(scenario.seed)
        self.state = State(SchedulerSettings(deadline_min_s=1e9, deadline_max_s=1e9, silence_s=1e9))
        self.seed = self.random.randbytes(32)
        self.agenda: list[tuple[float, int, Event]] = []
        self.accepted: dict[TaskId, float] = {}
        self.holding: dict[NodeId, list[AssignTask]] = {}
        self.done = [0] * len(scenario.stakes)
        self.waited_s = 0.0
        self.rows: list[bytes] = []
        self.added = 0

    def run(self) -> Outcome:
        self.feed(PeriodStarted(now=0.0, period=0, seed=self.seed, tip=_TIP, block=1))
        slots = (_RUNNING_SLOT, _PREFETCH_SLOT) if self.scenario.prefetch else (_RUNNING_SLOT,)
        for number, stake in enumerate(self.scenario.stakes, 1):
            node = NodeId(number)
            self.holding[node] = []
            self.feed(
                MinerSignedIn(
                    now=0.0,
                    node=node,
                    weight_wei=Wei(stake * CAI),
                    running_slots=1,
                    capabilities=(_CAPABILITY,),
                    last_sequence=0,
                )
            )
            for slot in slots:
                self.feed(MinerParked(now=0.0, node=node, slot=slot, models=(MODEL,)))
        self.arrive(0.0)
        while self.agenda:
            _, _, event = heapq.heappop(self.agenda)
            if isinstance(event, TaskAccepted):
                self.accepted[event.task_id] = event.now
                self.arrive(event.now)
            self.feed(event)
        return Outcome(
            tuple(self.done),
            self.state.shares(),
            self.waited_s / self.scenario.tasks,
            tuple(self.rows),
            self.state.log.head if self.state.log else b"",
            self.state.calibration.within_p50 / max(1, self.state.calibration.told),
            self.state.calibration.within_p90 / max(1, self.state.calibration.told),
        )

    def at(self, event: Event) -> None:
        self.added += 1
        heapq.heappush(self.agenda, (event.now, self.added, event))

    def arrive(self, now: float) -> None:
        if len(self.accepted) < self.scenario.tasks:
            rate = self.scenario.load * len(self.scenario.stakes) / self.scenario.service_s
            task_id = TaskId(self.random.randbytes(16).hex())
            self.at(TaskAccepted(now=now + self.random.expovariate(rate), task_id=task_id, demand=_DEMAND))

    def feed(self, event: Event) -> None:
        for decision in transition(self.state, event):
            self.carry_out(decision, event.now)

    def carry_out(self, decision: Decision, now: float) -> None:
        match decision:
            case AppendLog():
                self.rows.extend(decision.rows)
            case AssignTask():
                self.waited_s += now - self.accepted[decision.task_id]
                self.holding[decision.node].append(decision)
                if len(self.holding[decision.node]) == 1:
                    self.begin(decision, now)
            case CompleteTask():
                self.finish(decision.node, now)

    def begin(self, attempt: AssignTask, now: float) -> None:
        seconds = self.scenario.service_s
        if self.scenario.uneven:
            seconds = self.random.expovariate(1 / seconds)
        self.at(ResultVerified(now=now + seconds, task_id=attempt.task_id, attempt=attempt.attempt, node=attempt.node))

    def finish(self, node: NodeId, now: float) -> None:
        self.done[node - 1] += 1
        held = self.holding[node]
        held.pop(0)
        if held:
            self.begin(held[0], now)
            self.at(MinerParked(now=now, node=node, slot=_PREFETCH_SLOT, models=(MODEL,)))
        else:
            self.at(MinerParked(now=now, node=node, slot=_RUNNING_SLOT, models=(MODEL,)))


def simulate(scenario: Scenario) -> Outcome:
    """Run a scenario until every task is done. Equal scenarios give equal outcomes."""
    return _Simulation(scenario).run()


def share_table(
    stakes: Sequence[int] = (10, 20, 70),
    loads: Sequence[float] = (0.1, 0.2, 0.5, 0.8, 0.95),
    tasks: int = 20_000,
) -> str:
    """Return a Markdown table: share of the work by stake, for each load, with and without a prefetch slot."""
    columns = "".join(f" stake {stake} % |" for stake in stakes)
    lines = [f"| load | prefetch slot |{columns} mean wait |", "|---|---|" + "---|" * (len(stakes) + 1)]
    for load in loads:
        for prefetch in (True, False):
            outcome = simulate(Scenario(stakes=stakes, load=load, prefetch=prefetch, tasks=tasks))
            cells = "".join(f" {100 * done / tasks:.1f} % |" for done in outcome.done)
            lines.append(f"| {load} | {'yes' if prefetch else 'no'} |{cells} {outcome.mean_wait_s:.2f} |")
    return "\n".join(lines)


def eta_table(loads: Sequence[float] = (0.2, 0.5, 0.8, 0.95), tasks: int = 8_000) -> str:
    """Return a Markdown table: how often the truth fell within p50 and p90, for each load and kind of service time."""
    lines = ["| miners | service times | load | within p50 | within p90 |", "|---|---|---|---|---|"]
    for stakes in ((10, 20, 70), (1,) * 10):
        for uneven in (False, True):
            for load in loads:
                outcome = simulate(Scenario(stakes=stakes, load=load, prefetch=True, tasks=tasks, uneven=uneven))
                kind = "exponential" if uneven else "all equal"
                shares = f"{outcome.within_p50:.0%} | {outcome.within_p90:.0%}"
                lines.append(f"| {len(stakes)} | {kind} | {load} | {shares} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{share_table()}\n\n{eta_table()}\n")
