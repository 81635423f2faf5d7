"""What the scheduler knows. Only ``transition`` changes it; everybody may read it."""

from dataclasses import dataclass, field

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.decisions import AttemptFailure
from cuckoo.scheduler.drawlog import DrawLog
from cuckoo.scheduler.eligibility import Exclusion, limits_of, misfit
from cuckoo.scheduler.estimate import Estimator, Eta
from cuckoo.scheduler.events import Capability, Demand
from cuckoo.scheduler.fairness import Share, shares
from cuckoo.scheduler.health import Health
from cuckoo.scheduler.pool import Pool


class SchedulerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits in seconds and tries; the defaults are those of the main network.

    Attributes:
        silence_s: a miner, or a running attempt, that says nothing for so long is lost.
        max_attempts: tries of a task before it fails.
        deadline_factor: deadline over expected time.
        deadline_min_s, deadline_max_s: bounds of a deadline, counted from the assignment; no deadline lies further
            ahead than the longest, prefetched or not, because contracts rely on that.
    """

    silence_s: float = 20.0
    max_attempts: int = 3
    deadline_factor: float = 2.0
    deadline_min_s: float = 10.0
    deadline_max_s: float = 7_200.0


@dataclass(slots=True, eq=False)
class Attempt:
    """One try of a task on one miner.

    Attributes:
        waiting: prefetched, and as far as is known not begun: its silence means nothing.
        started_at: when it began, or was assigned.
        heard_at: last sign of life of this attempt.
        failed: it brought no result so far; a late one may still count.
        over: no result of it is taken any more.
    """

    task: "Task"
    number: int
    node: NodeId
    slot: int
    sequence: int
    deadline: int
    waiting: bool
    started_at: float
    heard_at: float
    step: int = 0
    steps: int = 0
    failed: bool = False
    over: bool = False


@dataclass(slots=True, eq=False)
class Task:
    """An open task. It waits in a queue, or its last attempt runs.

    Attributes:
        arrival: rises in order of acceptance.
        attempts: how many were assigned.
        tried: nodes that got one.
        last: the only attempt whose result may count; None before the first, and when that one is over.
    """

    task_id: TaskId
    demand: Demand
    arrival: int
    attempts: int = 0
    tried: set[NodeId] = field(default_factory=set)
    failures: list[AttemptFailure] = field(default_factory=list)
    last: Attempt | None = None


@dataclass(slots=True, eq=False)
class Miner:
    """A node as the coordinator knows it; kept after it signed out, for its health and its sequence.

    Attributes:
        sequence: the highest sequence number used for it.
        parked: models of each slot whose poll waits, by slot.
        attempts: those that run or wait on it, in order of assignment.
        escrow_wei: ring-fenced and not promised, without what is in flight.
        in_flight_wei: prices of its attempts.
        active: models for which it stands in a tree.
        watched: a timer looks at its silence.
    """

    node: NodeId
    signed_in: bool = False
    weight_wei: Wei = Wei(0)
    running_slots: int = 1
    capabilities: dict[ModelDigest, Capability] = field(default_factory=dict)
    sequence: int = 0
    escrow_wei: Wei = Wei(0)
    in_flight_wei: Wei = Wei(0)
    health: Health = field(default_factory=Health)
    parked: dict[int, tuple[ModelDigest, ...]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    active: set[ModelDigest] = field(default_factory=set)
    seen_at: float = 0.0
    watched: bool = False

    @property
    def free_escrow_wei(self) -> Wei:
        """What its escrow leaves for one more attempt."""
        return Wei(self.escrow_wei - self.in_flight_wei)


class Prospects(msgspec.Struct, frozen=True):
    """Who could do a task, busy ones included.

    Attributes:
        capable: how many signed-in miners can.
        left_out: how many that serve the model can not, by reason.
        max_pixels, max_steps: the most that any of those that serve the model takes; 0 when none does.
    """

    capable: int
    left_out: dict[Exclusion, int]
    max_pixels: int
    max_steps: int


class State:
    """All tasks, miners and models of one coordinator."""

    def __init__(self, settings: SchedulerSettings | None = None) -> None:
        """Start empty; draws wait until the first period."""
        self.settings = settings or SchedulerSettings()
        self.now = 0.0
        self.tasks: dict[TaskId, Task] = {}
        self.miners: dict[NodeId, Miner] = {}
        self.pools: dict[ModelDigest, Pool] = {}
        self.estimator = Estimator()
        self.log: DrawLog | None = None
        self.seed = b""
        self.arrivals = 0
        self.timers: list[tuple[float, int, Attempt | Miner]] = []
        self.timer_count = 0
        self.left_out: set[NodeId] = set()

    def pool(self, model: ModelDigest) -> Pool:
        """Return the pool of a model, an empty one when it is new."""
        pool = self.pools.get(model)
        if pool is None:
            pool = self.pools[model] = Pool(model)
        return pool

    def is_live(self, task_id: TaskId, attempt: int, node: NodeId) -> bool:
        """Tell whether a valid result of this attempt would be taken now."""
        task = self.tasks.get(task_id)
        last = task.last if task else None
        return last is not None and last.number == attempt and last.node == node

    def shares(self) -> dict[NodeId, Share]:
        """Return for every miner what it won and what its stake gave it reason to expect."""
        return dict(shares(pool.odds for pool in self.pools.values()))

    def waiting(self, model: ModelDigest) -> int:
        """Return how many tasks of a model wait."""
        return len(self.pools[model].queue) if model in self.pools else 0

    def open_tasks(self) -> int:
        """Return how many tasks are neither done nor failed nor cancelled."""
        return len(self.tasks)

    def active_miners(self) -> int:
        """Return how many miners are active for at least one model."""
        return sum(bool(miner.active) for miner in self.miners.values())

    def why_not(self, node: NodeId, demand: Demand) -> Exclusion | None:
        """Return why a miner would take no part in a draw of a new task now; None when it would."""
        miner = self.miners.get(node)
        if miner is None or not miner.signed_in:
            return Exclusion.NOT_SIGNED_IN
        capability = miner.capabilities.get(demand.model)
        if capability is None:
            return Exclusion.MODEL_NOT_LOADED
        if not miner.weight_wei:
            return Exclusion.NO_WEIGHT
        if miner.health.left_out:
            return Exclusion.UNHEALTHY
        reason = misfit(limits_of(capability, miner.free_escrow_wei), demand)
        if reason is None and demand.price_wei > max(0, miner.free_escrow_wei):
            return Exclusion.ESCROW_TOO_LOW
        if reason is None and demand.model not in miner.active:
            return idle_reason(miner, demand.model)
        return reason

    def prospects(self, demand: Demand) -> Prospects:
        """Count who could do a task, so that an impossible one is refused at once with the limit it breaks."""
        capable, left_out, max_pixels, max_steps = 0, dict[Exclusion, int](), 0, 0
        for miner in self.miners.values():
            if not miner.signed_in or demand.model not in miner.capabilities:
                continue
            reason = self.why_not(miner.node, demand)
            if reason in (None, Exclusion.NO_POLL, Exclusion.SLOTS_TAKEN):
                capable += 1
            elif reason is not None:
                left_out[reason] = left_out.get(reason, 0) + 1
            capability = miner.capabilities[demand.model]
            max_pixels = max(max_pixels, capability.max_pixels)
            max_steps = max(max_steps, capability.max_steps)
        return Prospects(capable, left_out, max_pixels, max_steps)

    def position(self, task_id: TaskId) -> int | None:
        """Return how many tasks of the model wait before this one; None when it does not wait."""
        task = self.tasks.get(task_id)
        if task is None or task_id not in self.pools[task.demand.model].queue:
            return None
        for position, waiting in enumerate(self.pools[task.demand.model].queue):
            if waiting.task_id == task_id:
                return position
        return None

    def eta(self, task_id: TaskId, now: float) -> Eta | None:
        """Estimate the seconds until a task is done.

        A waiting task is behind the work that waits before it and half of what runs, spread over the running slots of
        those that serve the model.

        Returns:
            None when nothing is known: the task is closed, nobody serves the model, or nobody ever did it.
        """
        task = self.tasks.get(task_id)
        if task is None:
            return None
        demand, last = task.demand, task.last
        position = self.position(task_id)
        if position is None and last is not None:
            whole = self.estimator.eta(last.node, demand.model, demand.work)
            gone = 0.0 if last.waiting else now - last.started_at
            return whole and Eta(max(0.0, whole.p50_s - gone), max(0.0, whole.p90_s - gone))
        own = self.estimator.eta(None, demand.model, demand.work)
        serving = [m for m in self.miners.values() if m.signed_in and demand.model in m.capabilities]
        slots = sum(miner.running_slots for miner in serving)
        if own is None or not slots:
            return None
        running = sum(attempt.task.demand.model == demand.model for m in serving for attempt in m.attempts)
        ahead = ((position or 0) + max(0.0, running - slots / 2)) / slots
        return Eta(own.p50_s * (1 + ahead), own.p90_s * (1 + ahead))


def idle_reason(miner: Miner, model: ModelDigest) -> Exclusion:
    """Return why a signed-in miner that serves ``model`` has no free slot for it."""
    if miner.parked:
        return Exclusion.MODEL_NOT_LOADED
    return Exclusion.SLOTS_TAKEN if len(miner.attempts) >= miner.running_slots else Exclusion.NO_POLL
