"""What the scheduler orders: imperatives, to be carried out in the order given.

The caller makes all decisions of one transition durable in one transaction, and lets effects (an answered poll, a
cancelled attempt) out only after that.
"""

from fractions import Fraction

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.scheduler.events import FailureKind


class Decision(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something to be done."""


class AppendLog(Decision, frozen=True, kw_only=True):
    """Append rows to the draw log. Always the first decision of a transition that has any.

    Attributes:
        tip: the log they belong to.
        period: the draw period they fall in.
        first_row: number of the first of ``rows`` in the log of this tip, from 0, without gaps.
        rows: encoded rows, see docs/protocol.md.
        head: head of the log after the last of them.
    """

    tip: bytes
    period: int
    first_row: int
    rows: tuple[bytes, ...]
    head: bytes


class AssignTask(Decision, frozen=True, kw_only=True):
    """Answer the poll of ``node``'s ``slot`` with this attempt.

    Attributes:
        attempt: 1 for the first.
        sequence: rises per miner.
        assigned_at: unix seconds.
        deadline: unix seconds, whole.
        prefetched: it waits for a running attempt of this miner; the deadline allows for that.
        seed_tip, draw_index, draw_head, draw_block, period: where the draw stands in the log. The head is the one
            after the draw's own row.
        weight_wei, total_wei: the odds: the winner's weight, and that of all candidates.
        candidates: how many nodes could have won.
    """

    task_id: TaskId
    attempt: int
    node: NodeId
    slot: int
    sequence: int
    price_wei: Wei
    assigned_at: float
    deadline: int
    prefetched: bool
    seed_tip: bytes
    draw_index: int
    draw_head: bytes
    draw_block: int
    period: int
    weight_wei: int
    total_wei: int
    candidates: int

    @property
    def odds(self) -> Fraction:
        """Probability with which this miner was drawn, exact."""
        return Fraction(self.weight_wei, self.total_wei)


class FenceAttempt(Decision, frozen=True, kw_only=True):
    """Take no result of this attempt any more, and tell its miner to stop when it asks."""

    task_id: TaskId
    attempt: int
    node: NodeId


class CancelAttempt(Decision, frozen=True, kw_only=True):
    """Tell the miner to stop: the app took the task back. No result is taken any more.

    Attributes:
        step: how many of ``steps`` it has reported as done; 0 of 0 when it began nothing, or fell silent.
    """

    task_id: TaskId
    attempt: int
    node: NodeId
    step: int = 0
    steps: int = 0


class RecordFailure(Decision, frozen=True, kw_only=True):
    """Note that an attempt failed. Its task waits for another try, or fails by the ``FailTask`` that follows."""

    task_id: TaskId
    attempt: int
    node: NodeId
    kind: FailureKind
    reason: str


class CompleteTask(Decision, frozen=True, kw_only=True):
    """Store the result of this attempt: the task is done.

    Attributes:
        seconds: from the start of the attempt (its assignment, when no start was reported) to its result.
    """

    task_id: TaskId
    attempt: int
    node: NodeId
    seconds: float


class RefuseResult(Decision, frozen=True, kw_only=True):
    """Answer a result that does not count: ``reason`` says why. The attempt is fenced, or the task is closed."""

    task_id: TaskId
    attempt: int
    node: NodeId
    reason: str


class AttemptFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One failed attempt of a failed task."""

    attempt: int
    node: NodeId
    kind: FailureKind
    reason: str


class FailTask(Decision, frozen=True, kw_only=True):
    """The last attempt failed too: close the task with the reason of each."""

    task_id: TaskId
    failures: tuple[AttemptFailure, ...]


class CancelTask(Decision, frozen=True, kw_only=True):
    """Close the task as cancelled."""

    task_id: TaskId


class EndSession(Decision, frozen=True, kw_only=True):
    """Close a miner's session and its polls: it was silent for too long. It may sign in again."""

    node: NodeId
    reason: str


class LeaveOutMiner(Decision, frozen=True, kw_only=True):
    """A miner's health fell too low: it takes no part in draws until it has recovered."""

    node: NodeId
    health: float


class TakeMinerBack(Decision, frozen=True, kw_only=True):
    """A miner that was left out takes part in draws again."""

    node: NodeId
    health: float
