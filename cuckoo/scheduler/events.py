"""What the scheduler is told: facts in the past tense.

Every event carries ``now``, unix seconds; the scheduler has no clock of its own, and time never runs backwards for it
(an earlier ``now`` counts as the latest one seen).
"""

from enum import StrEnum

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId


class FailureKind(StrEnum):
    """Why an attempt brought no result. The first two are found by the scheduler itself."""

    TIMED_OUT = "timed-out"
    LOST = "lost"
    REPORTED = "reported"
    BAD_RESULT = "bad-result"
    HANDED_BACK = "handed-back"

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        return _SENTENCES[self]

    @property
    def may_come_late(self) -> bool:
        """Whether a valid result is still taken until the next attempt is assigned."""
        return self in (FailureKind.TIMED_OUT, FailureKind.LOST)


_SENTENCES = {
    FailureKind.TIMED_OUT: "the deadline passed without a result",
    FailureKind.LOST: "the miner fell silent",
    FailureKind.REPORTED: "the miner reported a failure",
    FailureKind.BAD_RESULT: "the result was refused",
    FailureKind.HANDED_BACK: "the miner handed the task back, busy or leaving",
}


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a task needs from a miner: all that the scheduler knows about it.

    Attributes:
        model: digest of the model that must be loaded.
        pixels: width x height of one picture.
        steps: denoising steps.
        pictures: how many pictures.
        price_wei: what the coordinator pays for the attempt.
        avoid: nodes that may not do it: their own work, or their owner's, is checked by it.
        loras: digests of the LoRAs that must be there.
    """

    model: ModelDigest
    pixels: int
    steps: int
    pictures: int = 1
    price_wei: Wei = Wei(0)
    avoid: frozenset[NodeId] = frozenset()
    loras: frozenset[str] = frozenset()

    @property
    def work(self) -> int:
        """Pixels x steps over all pictures."""
        return self.pixels * self.steps * self.pictures


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a miner serves, the largest task it takes, and the least it wants for one.

    Attributes:
        max_pixels: largest width x height of one picture that fits its memory.
        max_steps: most denoising steps.
        min_rate_wei: least price of a megapixel-step.
        loras: digests of the LoRAs that it has for the model.
    """

    model: ModelDigest
    max_pixels: int
    max_steps: int
    min_rate_wei: Wei = Wei(0)
    loras: frozenset[str] = frozenset()


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that has happened. ``now``: unix seconds."""

    now: float


class PeriodStarted(Event, frozen=True, kw_only=True):
    """A draw period began and its seed is known; draws wait until the first of these.

    A ``tip`` other than the one before starts a new log: draw index 0, head sha256(tip).

    Attributes:
        period: unix time // period length.
        seed: keccak(link, block hash, coordinator node), 32 bytes; secret until the period's audits close.
        tip: tip of the hash chain that the link belongs to, 32 bytes.
        block: number of the block whose hash went into the seed.
    """

    period: int
    seed: bytes
    tip: bytes
    block: int


class TaskAccepted(Event, frozen=True, kw_only=True):
    """A task was validated; it is made durable with the decisions that follow. The caller bounds the queue.

    Attributes:
        owner: id of the API key that it came with; owners are served fairly. None: nobody in particular.
    """

    task_id: TaskId
    demand: Demand
    owner: int | None = None


class TaskCancelled(Event, frozen=True, kw_only=True):
    """The app that owns a task took it back."""

    task_id: TaskId


class TaskRestored(Event, frozen=True, kw_only=True):
    """After a start: an open task from the store. In order of acceptance, before its attempts, before any period.

    Attributes:
        owner: as in ``TaskAccepted``.
    """

    task_id: TaskId
    demand: Demand
    owner: int | None = None


class AttemptRestored(Event, frozen=True, kw_only=True):
    """After a start: an attempt of a restored task, in rising order.

    Attributes:
        failure: None for the attempt that was still expected to bring a result.
        reason: what was stored about the failure.
        assigned_at: unix seconds.
        deadline: unix seconds, as signed.
    """

    task_id: TaskId
    attempt: int
    node: NodeId
    sequence: int
    assigned_at: float
    deadline: int
    failure: FailureKind | None = None
    reason: str = ""


class MinerSignedIn(Event, frozen=True, kw_only=True):
    """A miner opened a session, or renewed it: what it says here replaces what it said before.

    Its attempts stay; its parked slots stay only while their polls do (the caller reports those).

    Attributes:
        weight_wei: recorded weight on chain.
        running_slots: attempts it runs at the same time; one more is prefetched.
        capabilities: the models it serves, one entry each.
        last_sequence: highest sequence number that either side remembers.
        escrow_wei: ring-fenced for this miner and not yet promised, without the attempts in flight.
    """

    node: NodeId
    weight_wei: Wei
    running_slots: int
    capabilities: tuple[Capability, ...]
    last_sequence: int
    escrow_wei: Wei = Wei(0)


class MinerSignedOut(Event, frozen=True, kw_only=True):
    """A miner closed its session; what it still had counts as handed back."""

    node: NodeId


class MinerParked(Event, frozen=True, kw_only=True):
    """A poll waits: this slot of the miner is free. A second poll for the same slot replaces the first.

    Attributes:
        slot: running slots from 0, the prefetch slot last.
        models: those loaded for this slot.
    """

    node: NodeId
    slot: int
    models: tuple[ModelDigest, ...]


class MinerUnparked(Event, frozen=True, kw_only=True):
    """A poll ended without an assignment: it ran out, or its connection closed."""

    node: NodeId
    slot: int


class MinerSeen(Event, frozen=True, kw_only=True):
    """A sign of life that is no other event."""

    node: NodeId


class WeightChanged(Event, frozen=True, kw_only=True):
    """The chain shows another weight for a miner; 0 when it lost its eligibility."""

    node: NodeId
    weight_wei: Wei


class EscrowChanged(Event, frozen=True, kw_only=True):
    """Another amount is ring-fenced for a miner and not yet promised (attempts in flight not subtracted)."""

    node: NodeId
    escrow_wei: Wei


class AttemptProgressed(Event, frozen=True, kw_only=True):
    """A miner said how far an attempt is; step 0 when it begins. Doubles as its sign of life."""

    task_id: TaskId
    attempt: int
    node: NodeId
    step: int
    steps: int


class ResultVerified(Event, frozen=True, kw_only=True):
    """A result arrived whose signature, hashes and pictures are right. Whether it still counts is decided here."""

    task_id: TaskId
    attempt: int
    node: NodeId


class AttemptFailed(Event, frozen=True, kw_only=True):
    """A miner reported a failure, handed the task back, or its result was refused."""

    task_id: TaskId
    attempt: int
    node: NodeId
    kind: FailureKind
    reason: str


class ResultDisproved(Event, frozen=True, kw_only=True):
    """Others made a miner's result again, and it was wrong: nobody works for it until time has healed that."""

    node: NodeId


class Ticked(Event, frozen=True, kw_only=True):
    """Time passed: deadlines, silence and recovery are looked at. Send one at least every second."""
