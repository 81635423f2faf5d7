"""The open tasks in memory, and how a task looks from outside."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import TaskParameters, TaskStatus
from cuckoo.protocol.messages import AttemptView, AuditView, TaskView, decode_binary
from cuckoo.protocol.receipts import Assignment
from cuckoo.protocol.views import EventKind, TaskEvent
from cuckoo.scheduler.events import Demand, FailureKind
from cuckoo.scheduler.state import State
from cuckoo.storage.records import AttemptState, StoredAttempt, StoredTask

_REASON_MAX = 500
_FREE = Wei(0)


def stored_reason(kind: FailureKind, reason: str) -> str:
    """Write a failure so that ``read_reason`` finds its kind again."""
    return f"{kind.value}: {reason[:_REASON_MAX]}"


def read_reason(stored: str) -> tuple[FailureKind, str]:
    """Read what ``stored_reason`` wrote."""
    kind, _, reason = stored.partition(": ")
    try:
        return FailureKind(kind), reason
    except ValueError:
        return FailureKind.REPORTED, stored


def sentence(kind: FailureKind, reason: str) -> str:
    """Say to a person why an attempt failed."""
    return f"{kind.sentence}: {reason}" if reason and reason != kind.sentence else kind.sentence


@dataclass(slots=True)
class LiveAttempt:
    """An attempt of an open task."""

    attempt: int
    node: NodeId
    odds: float
    candidates: int
    draw_index: int
    deadline: int
    assigned_at: float
    assignment_hash: bytes
    state: AttemptState = AttemptState.RUNNING
    reason: str = ""

    def view(self) -> AttemptView:
        """Show it to the app."""
        return AttemptView(
            attempt=self.attempt,
            miner_node=self.node,
            odds=self.odds,
            candidates=self.candidates,
            draw_index=self.draw_index,
            deadline=self.deadline,
            state=self.state.value,
            reason=sentence(*read_reason(self.reason)) if self.reason else "",
        )


def _attempt_of(stored: StoredAttempt) -> LiveAttempt:
    return LiveAttempt(
        attempt=stored.attempt,
        node=stored.miner_node,
        odds=stored.odds,
        candidates=stored.candidates,
        draw_index=stored.draw_index,
        deadline=stored.deadline,
        assigned_at=stored.assigned_at,
        assignment_hash=stored.assignment_hash,
        state=stored.state,
        reason=stored.reason,
    )


@dataclass(slots=True)
class LiveTask:
    """A task as this process knows it.

    Attributes:
        ready_at: since when it waits for a miner, unix seconds.
        owner_key: id of the API key that owns it; None without one.
        loras: digests of the LoRAs that it names.
    """

    task_id: TaskId
    parameters: TaskParameters
    created_at: float
    ready_at: float
    price_wei: Wei = _FREE
    avoid: frozenset[NodeId] = frozenset()
    owner_key: int | None = None
    loras: frozenset[str] = frozenset()
    status: TaskStatus = TaskStatus.QUEUED
    finished_at: float | None = None
    step: int = 0
    attempts: list[LiveAttempt] = field(default_factory=list)
    pictures: int = 0
    error: str = ""

    @property
    def steps(self) -> int:
        """Denoising steps over all pictures."""
        return self.parameters.denoising_steps * self.parameters.pictures

    @property
    def demand(self) -> Demand:
        """What the scheduler has to know of it."""
        parameters = self.parameters
        return Demand(
            model=parameters.model_digest,
            pixels=parameters.width_px * parameters.height_px,
            steps=parameters.denoising_steps,
            pictures=parameters.pictures,
            price_wei=self.price_wei,
            avoid=self.avoid,
            loras=self.loras,
        )

    def find(self, attempt: int) -> LiveAttempt | None:
        """Return an attempt by its number."""
        return self.attempts[attempt - 1] if 0 < attempt <= len(self.attempts) else None

    def picture_paths(self) -> tuple[str, ...]:
        """Return where its pictures are served."""
        return tuple(f"/v1/tasks/{self.task_id}/pictures/{number}.png" for number in range(self.pictures))

    def view(
        self,
        model: str,
        *,
        audit: AuditView | None = None,
        position: int | None = None,
        eta_p50_s: float | None = None,
        eta_p90_s: float | None = None,
        waits_for: str = "",
    ) -> TaskView:
        """Show it to the app.

        Args:
            model: the model's name.
            audit: what came of the audit of its result.
            position: how many tasks wait before it.
            eta_p50_s, eta_p90_s: seconds until it is done, with even odds and nine in ten.
            waits_for: why nobody can take it now.
        """
        done = self.status is TaskStatus.DONE
        return TaskView(
            task_id=self.task_id,
            status=self.status,
            model=model,
            parameters=self.parameters,
            created_at=self.created_at,
            price_wei=self.price_wei,
            finished_at=self.finished_at,
            position=position,
            eta_p50_s=eta_p50_s,
            eta_p90_s=eta_p90_s,
            waits_for=waits_for,
            step=self.steps if done else self.step,
            steps=self.steps,
            attempts=tuple(attempt.view() for attempt in self.attempts),
            pictures=self.picture_paths(),
            receipt=f"/v1/tasks/{self.task_id}/receipt" if done else "",
            audit=audit,
            error=self.error,
        )


def task_of(stored: StoredTask) -> LiveTask:
    """Read a task from the store."""
    return LiveTask(
        task_id=stored.task_id,
        parameters=decode_binary(stored.parameters, TaskParameters),
        created_at=stored.created_at,
        ready_at=stored.created_at,
        price_wei=stored.price_wei,
        avoid=frozenset(stored.avoid),
        owner_key=stored.owner_key,
        status=stored.status,
        finished_at=stored.ended_at,
        attempts=[_attempt_of(attempt) for attempt in stored.attempts],
        pictures=len(stored.pictures),
        error=stored.reason,
    )


def assignment_of(stored: StoredAttempt) -> Assignment:
    """Read the signed assignment of an attempt from the store."""
    return decode_binary(stored.assignment, Assignment)


def nobody_now(task: LiveTask, state: State) -> str:
    """Say why none of the miners that are signed in could ever take a task; "" where one could."""
    found = state.prospects(task.demand)
    if found.capable:
        return ""
    if not found.left_out:
        return "a miner that has the model: none is signed in now"
    others = "; ".join(f"of {count}: {reason.sentence}" for reason, count in found.left_out.items())
    return f"a miner that can take it: those that have the model now can not ({others})"


def queued_event(task: LiveTask, state: State, now: float, reason: str = "") -> TaskEvent:
    """Return the event that says how many tasks wait before this one, how long that takes, and why it waits again."""
    eta = state.eta(task.task_id, now)
    return TaskEvent(
        kind=EventKind.QUEUED,
        task_id=task.task_id,
        position=state.position(task.task_id),
        eta_p50_s=eta.p50_s if eta else None,
        eta_p90_s=eta.p90_s if eta else None,
        reason=reason or nobody_now(task, state),
        steps=task.steps,
    )


def drawn_event(task: LiveTask, state: State, now: float) -> TaskEvent:
    """Return the event that says which miner was drawn last, with which odds, and how long it may take."""
    eta = state.eta(task.task_id, now)
    return TaskEvent(
        kind=EventKind.DRAWN,
        task_id=task.task_id,
        attempt=task.attempts[-1].view(),
        eta_p50_s=eta.p50_s if eta else None,
        eta_p90_s=eta.p90_s if eta else None,
        steps=task.steps,
    )


class LiveTasks:
    """All open tasks, with the number that waits and the number that runs."""

    def __init__(self) -> None:
        """Start empty."""
        self._tasks: dict[TaskId, LiveTask] = {}
        self._running = 0
        self._held: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        """Return how many tasks are open."""
        return len(self._tasks)

    def __iter__(self) -> Iterator[LiveTask]:
        """Go through the open tasks in the order in which they came."""
        return iter(self._tasks.values())

    @property
    def running(self) -> int:
        """Return how many tasks a miner works on."""
        return self._running

    @property
    def queued(self) -> int:
        """Return how many tasks wait for a miner."""
        return len(self._tasks) - self._running

    def get(self, task_id: TaskId) -> LiveTask | None:
        """Return an open task."""
        return self._tasks.get(task_id)

    def held_by(self, owner_key: int) -> tuple[int, int]:
        """Return how many tasks of an API key are open, or on their way to the disk, and their price in wei."""
        return self._held.get(owner_key, (0, 0))

    def hold(self, owner_key: int | None, price_wei: int) -> None:
        """Count a task of an API key as open."""
        if owner_key is not None:
            count, wei = self.held_by(owner_key)
            self._held[owner_key] = (count + 1, wei + price_wei)

    def let_go(self, owner_key: int | None, price_wei: int) -> None:
        """Count a task of an API key as open no more."""
        if owner_key is not None:
            count, wei = self._held.pop(owner_key)
            if count > 1:
                self._held[owner_key] = (count - 1, wei - price_wei)

    def add(self, task: LiveTask) -> None:
        """Take in an open task."""
        self.hold(task.owner_key, task.price_wei)
        self._tasks[task.task_id] = task
        self._running += task.status is TaskStatus.RUNNING

    def set_status(self, task: LiveTask, status: TaskStatus, *, at: float, error: str = "") -> None:
        """Move a task on; a final one is let go."""
        self._running += (status is TaskStatus.RUNNING) - (task.status is TaskStatus.RUNNING)
        task.status = status
        if status is TaskStatus.QUEUED:
            task.ready_at, task.step = at, 0
        if status.final:
            task.finished_at, task.error = at, error
            if self._tasks.pop(task.task_id, None) is not None:
                self.let_go(task.owner_key, task.price_wei)
