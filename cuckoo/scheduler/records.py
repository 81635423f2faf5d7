"""What the scheduler keeps about a task, an attempt and a miner. Only ``transition`` writes to these."""

from dataclasses import dataclass, field

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.decisions import AttemptFailure
from cuckoo.scheduler.eligibility import Exclusion
from cuckoo.scheduler.estimate import Eta, Forecast
from cuckoo.scheduler.events import Capability, Demand
from cuckoo.scheduler.health import Health

_NOTHING = Wei(0)


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
        owner: whose it is; None where nobody says.
        start: its place in the queue of its model, in the queue's virtual time; None before it first waits.
        attempts: how many were assigned.
        tried: nodes that got one.
        last: the only attempt whose result may count; None before the first, and when that one is over.
        forecast, told: what was expected and said of it when it was accepted; None where nothing was known.
    """

    task_id: TaskId
    demand: Demand
    arrival: int
    owner: int | None = None
    start: int | None = None
    attempts: int = 0
    tried: set[NodeId] = field(default_factory=set)
    failures: list[AttemptFailure] = field(default_factory=list)
    last: Attempt | None = None
    forecast: Forecast | None = None
    told: Eta | None = None


@dataclass(slots=True, eq=False)
class Miner:
    """A node as the coordinator knows it; kept after it signed out, for its health and its sequence.

    Attributes:
        sequence: the highest sequence number used for it.
        parked: models of each slot whose poll waits, by slot.
        attempts: those that run or wait on it, in order of assignment.
        escrow_wei: ring-fenced and not promised, without what is in flight.
        in_flight_wei: prices of its attempts.
        enrolled: models for which it counts as capable.
        active: models for which it stands in a tree.
        watched: a timer looks at its silence.
    """

    node: NodeId
    signed_in: bool = False
    weight_wei: Wei = _NOTHING
    running_slots: int = 1
    capabilities: dict[ModelDigest, Capability] = field(default_factory=dict)
    sequence: int = 0
    escrow_wei: Wei = _NOTHING
    in_flight_wei: Wei = _NOTHING
    health: Health = field(default_factory=Health)
    parked: dict[int, tuple[ModelDigest, ...]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    enrolled: set[ModelDigest] = field(default_factory=set)
    active: set[ModelDigest] = field(default_factory=set)
    seen_at: float = 0.0
    watched: bool = False

    @property
    def free_escrow_wei(self) -> Wei:
        """What its escrow leaves for one more attempt."""
        return Wei(self.escrow_wei - self.in_flight_wei)

    @property
    def why_inactive(self) -> Exclusion:
        """Why it is not active for a model that it serves."""
        if not self.signed_in:
            return Exclusion.NOT_SIGNED_IN
        if not self.weight_wei:
            return Exclusion.NO_WEIGHT
        if self.health.left_out:
            return Exclusion.UNHEALTHY
        if self.parked:
            return Exclusion.MODEL_NOT_LOADED
        return Exclusion.SLOTS_TAKEN if len(self.attempts) >= self.running_slots else Exclusion.NO_POLL
