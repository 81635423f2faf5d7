"""Tasks and their attempts, on the coordinator's side."""

from collections.abc import Mapping, Sequence

from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import TaskStatus
from cuckoo.storage.blobs import Blobs
from cuckoo.storage.records import Inserted, MinerCounts, NewAttempt, NewTask, StoredTask
from cuckoo.storage.writer import Command, Reader


class TaskStore:
    """Tasks, attempts, results and per-miner counts. Times are unix seconds."""

    def __init__(self, reader: Reader, blobs: Blobs) -> None:
        """Read through ``reader``; keep pictures in ``blobs``."""
        self._reader = reader
        self._blobs = blobs

    def insert(self, task: NewTask) -> Command[Inserted]:
        """Store a new task, queued.

        An idempotency key that was used before (by the same owner key) with the same body gives the first task back.

        Raises (from the command):
            Conflict: the key was used with a different body, or the task id exists.
        """
        raise NotImplementedError

    def record_attempt(self, attempt: NewAttempt) -> Command[None]:
        """Store an attempt, fence the task's earlier ones, set the task running and raise the sequence mark.

        Raises (from the command):
            NotFound: no such task.
            Conflict: the task is final, the attempt number is not the next, or the sequence is not above the mark.
        """
        raise NotImplementedError

    def requeue(self, task_id: TaskId, attempt: int, *, lost: bool, reason: str, at: float) -> Command[None]:
        """End an attempt without a result and put its task back into the queue.

        Args:
            lost: True when the miner fell silent or the deadline passed (a late result is still taken, until the next
                attempt is recorded); False when the miner reported a failure.

        Raises (from the command):
            NotFound: no such attempt.
            Conflict: the attempt is not running, or the task is final.
        """
        raise NotImplementedError

    def finish(
        self, task_id: TaskId, attempt: int, *, receipt: bytes, signature: bytes, pictures: Sequence[bytes], at: float
    ) -> Command[tuple[bytes, ...]]:
        """Complete a task with an attempt's result; the pictures become blobs in the same commit.

        A repeat with the same receipt and signature changes nothing.

        Returns (from the command):
            The blob hashes of the pictures, in order.

        Raises (from the command):
            NotFound: no such attempt.
            Conflict: the attempt is fenced, failed or cancelled, or was finished with another receipt.
        """
        raise NotImplementedError

    def fail(self, task_id: TaskId, *, reason: str, at: float) -> Command[None]:
        """Fail a task for good; open attempts are fenced. Raises (from the command): NotFound, Conflict if final."""
        raise NotImplementedError

    def cancel(self, task_id: TaskId, *, at: float) -> Command[bool]:
        """Cancel a task and its open attempts.

        Returns (from the command):
            Whether anything changed: False when it was final already.

        Raises (from the command):
            NotFound: no such task.
        """
        raise NotImplementedError

    def add_expected(self, odds: Mapping[NodeId, tuple[float, float]]) -> Command[None]:
        """Add (sum of p, sum of p * (1 - p)) to the counts of miners that took part in draws."""
        raise NotImplementedError

    def forget_before(self, at: float) -> Command[int]:
        """Delete final tasks (with attempts) that ended before ``at``; the command returns how many."""
        raise NotImplementedError

    async def get(self, task_id: TaskId) -> StoredTask:
        """Read a task with its attempts and pictures; raises NotFound."""
        raise NotImplementedError

    async def load_open(self) -> list[StoredTask]:
        """Read all queued and running tasks with their attempts, in the order in which they came: for a restart."""
        raise NotImplementedError

    async def recent(
        self,
        *,
        limit: int,
        before: int | None = None,
        status: TaskStatus | None = None,
        owner_key: int | None = None,
    ) -> list[StoredTask]:
        """List tasks, newest first.

        Args:
            limit: at most so many, >= 1.
            before: only positions below this one (the last one's of the page before).
            status: only these.
            owner_key: only this owner's.
        """
        raise NotImplementedError

    async def status_counts(self) -> dict[TaskStatus, int]:
        """Count tasks by status; statuses without a task are left out."""
        raise NotImplementedError

    async def miner_counts(self) -> dict[NodeId, MinerCounts]:
        """Read what every miner did."""
        raise NotImplementedError
