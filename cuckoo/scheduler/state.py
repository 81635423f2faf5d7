"""What the scheduler knows. Only ``transition`` changes it; everybody may read it."""

from typing import TYPE_CHECKING

import msgspec

from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.eligibility import Exclusion, limits_of, misfit
from cuckoo.scheduler.estimate import (
    PREFETCHED,
    RUNS,
    Calibration,
    Estimator,
    Eta,
    Forecast,
    queue_stage,
)
from cuckoo.scheduler.events import Demand
from cuckoo.scheduler.fairness import Share, shares
from cuckoo.scheduler.pool import Pool

if TYPE_CHECKING:
    from cuckoo.scheduler.drawlog import DrawLog
    from cuckoo.scheduler.records import Attempt, Miner, Task


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


class Prospects(msgspec.Struct, frozen=True):
    """Who could do a task, busy ones included.

    Attributes:
        capable: how many signed-in miners can.
        left_out: how many others that serve the model can not, by reason.
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
        self.calibration = Calibration()
        self.log: DrawLog | None = None
        self.seed = b""
        self.arrivals = 0
        self.assignments = 0
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
        reason = misfit(limits_of(capability, miner.free_escrow_wei), demand)
        if not miner.weight_wei:
            reason = Exclusion.NO_WEIGHT
        elif miner.health.left_out:
            reason = Exclusion.UNHEALTHY
        elif reason is None and demand.price_wei > max(0, miner.free_escrow_wei):
            reason = Exclusion.ESCROW_TOO_LOW
        elif reason is None and demand.model not in miner.active:
            reason = miner.why_inactive
        return reason

    def prospects(self, demand: Demand) -> Prospects:
        """Count who could do a task, so that an impossible one is refused at once with the limit it breaks."""
        if demand.model not in self.pools:
            return Prospects(0, {}, 0, 0)
        capable = self.pools[demand.model].capable
        left_out = capable.count_misfits(demand)
        max_pixels, max_steps = capable.largest()
        return Prospects(len(capable) - sum(left_out.values()), left_out, max_pixels, max_steps)

    def position(self, task_id: TaskId) -> int | None:
        """Return how many tasks of the model would go before this one as things stand; None when it does not wait.

        It can rise: a task of an owner that has less waiting goes before the later tasks of one that has more.
        """
        task = self.tasks.get(task_id)
        return None if task is None else self.pools[task.demand.model].queue.position(task_id)

    def eta(self, task_id: TaskId, now: float) -> Eta | None:
        """Estimate the seconds until a task is done, from what tasks took that stood where it stands.

        Returns:
            None when nothing is known: the task is closed, nobody serves the model, or nobody ever did it.
        """
        task = self.tasks.get(task_id)
        forecast = None if task is None else self.forecast(task)
        if forecast is None:
            return None
        whole, gone = self.calibration.eta(forecast), max(0.0, now - forecast.at)
        return Eta(max(0.0, whole.p50_s - gone), max(0.0, whole.p90_s - gone))

    def forecast(self, task: "Task") -> Forecast | None:
        """Return when a task would be done if everything took what it usually takes; None when nothing is known.

        A waiting task is behind the work that waits before it and half of what runs, spread over the running slots of
        those that serve the model. What a miner has prefetched is behind what it runs.
        """
        demand, last = task.demand, task.last
        position = self.position(task.task_id)
        if position is None and last is not None:
            own = self.estimator.eta(last.node, demand.model, demand.work)
            if own is None:
                return None
            if not last.waiting:
                return Forecast(RUNS, own.p50_s, last.started_at)
            return Forecast(PREFETCHED, own.p50_s + self._left_s(last.node), self.now)
        own, pool = self.estimator.eta(None, demand.model, demand.work), self.pools[demand.model]
        if own is None or not pool.slots:
            return None
        ahead = ((position or 0) + max(0.0, pool.running - pool.slots / 2)) / pool.slots
        return Forecast(queue_stage(ahead), own.p50_s * (1 + ahead), self.now)

    def _left_s(self, node: NodeId) -> float:
        """Return how long the first of a miner's running attempts still takes."""
        left = []
        for one in self.miners[node].attempts:
            whole = None if one.waiting else self.estimator.eta(node, one.task.demand.model, one.task.demand.work)
            if whole is not None:
                left.append(max(0.0, whole.p50_s - (self.now - one.started_at)))
        return min(left, default=0.0)
