"""Tasks and their attempts, on the coordinator's side."""
# ruff: noqa: S608 - the SQL is put together from this package's own column lists, never from what anybody sent

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from cuckoo.domain.errors import Conflict
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import TaskStatus
from cuckoo.storage.blobs import Blobs
from cuckoo.storage.marks import claim
from cuckoo.storage.records import AttemptState, Inserted, MinerCounts, NewAttempt, NewTask, StoredTask
from cuckoo.storage.task_rows import insert_attempt, locate, locate_attempt, pictures_of, read_tasks, unknown
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

        def run(connection: sqlite3.Connection) -> Inserted:
            body_hash = hashlib.sha256(task.body).digest()
            if task.idempotency_key is not None and (first := _repeated(connection, task, body_hash)):
                return Inserted(task=first, created=False)
            try:
                position = connection.execute(
                    "INSERT INTO tasks (task_id, owner_key, idempotency_key, body_hash, parameters, status, "
                    "created_at, price_wei, avoid) VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?)",
                    (
                        bytes.fromhex(task.task_id),
                        task.owner_key,
                        task.idempotency_key,
                        body_hash,
                        task.parameters,
                        task.created_at,
                        str(task.price_wei),
                        msgspec.msgpack.encode(task.avoid),
                    ),
                ).lastrowid
            except sqlite3.IntegrityError as error:
                raise Conflict(f"store task {task.task_id}: {error}") from error
            for one in task.inputs:
                self._blobs.put(one)(connection)
            stored = StoredTask(
                position=position or 0,
                task_id=task.task_id,
                owner_key=task.owner_key,
                idempotency_key=task.idempotency_key,
                parameters=task.parameters,
                status=TaskStatus.QUEUED,
                created_at=task.created_at,
                price_wei=task.price_wei,
                avoid=task.avoid,
            )
            return Inserted(task=stored, created=True)

        return run

    def record_attempt(self, attempt: NewAttempt) -> Command[None]:
        """Store an attempt, fence the task's earlier ones, set the task running and raise the sequence mark.

        Raises (from the command):
            NotFound: no such task.
            Conflict: the task is final, the attempt number is not the next, or the sequence is not above the mark.
        """

        def run(connection: sqlite3.Connection) -> None:
            position, status = locate(connection, attempt.task_id)
            if status.final:
                raise Conflict(f"record attempt {attempt.attempt} of task {attempt.task_id}: the task is {status}")
            last: int = connection.execute(
                "SELECT coalesce(max(attempt), 0) FROM attempts WHERE task = ?", (position,)
            ).fetchone()[0]
            if attempt.attempt != last + 1:
                raise Conflict(f"record attempt {attempt.attempt} of task {attempt.task_id}: the next is {last + 1}")
            claim(connection, attempt.coordinator_node, attempt.miner_node, attempt.sequence)
            if last:
                _end_open(connection, position, AttemptState.FENCED, attempt.assigned_at)
            insert_attempt(connection, position, attempt)
            connection.execute("UPDATE tasks SET status = 'running' WHERE position = ?", (position,))
            _count(connection, attempt.miner_node, "assigned")

        return run

    def requeue(self, task_id: TaskId, attempt: int, *, lost: bool, reason: str, at: float) -> Command[None]:
        """End an attempt without a result and put its task back into the queue.

        Args:
            task_id: the task.
            attempt: its attempt that ended.
            lost: True when the miner fell silent or the deadline passed (a late result is still taken, until the next
                attempt is recorded); False when the miner reported a failure.
            reason: what happened, for the app if the task fails in the end.
            at: when.

        Raises (from the command):
            NotFound: no such attempt.
            Conflict: the attempt is not running, or the task is final.
        """

        def run(connection: sqlite3.Connection) -> None:
            position, status = locate(connection, task_id)
            state, miner_node = locate_attempt(connection, task_id, position, attempt)
            if status.final or state is not AttemptState.RUNNING:
                raise Conflict(f"requeue task {task_id}: it is {status}, its attempt {attempt} is {state}")
            ended = AttemptState.LOST if lost else AttemptState.FAILED
            connection.execute(
                "UPDATE attempts SET state = ?, reason = ?, ended_at = ? WHERE task = ? AND attempt = ?",
                (ended.value, reason, at, position, attempt),
            )
            connection.execute("UPDATE tasks SET status = 'queued' WHERE position = ?", (position,))
            _count(connection, miner_node, ended.value)

        return run

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

        def run(connection: sqlite3.Connection) -> tuple[bytes, ...]:
            position, _ = locate(connection, task_id)
            state, miner_node = locate_attempt(connection, task_id, position, attempt)
            if state is AttemptState.DONE:
                return _finished(connection, task_id, position, attempt, (receipt, signature))
            if state not in (AttemptState.RUNNING, AttemptState.LOST):
                raise Conflict(f"finish task {task_id}: its attempt {attempt} is {state}, another may have taken over")
            digests = tuple(self._blobs.put(picture)(connection) for picture in pictures)
            connection.executemany(
                "INSERT INTO pictures VALUES (?, ?, ?)",
                [(position, number, digest) for number, digest in enumerate(digests)],
            )
            connection.execute(
                "UPDATE attempts SET state = 'done', receipt = ?, receipt_signature = ?, reason = '', ended_at = ? "
                "WHERE task = ? AND attempt = ?",
                (receipt, signature, at, position, attempt),
            )
            connection.execute("UPDATE tasks SET status = 'done', ended_at = ? WHERE position = ?", (at, position))
            _count(connection, miner_node, "done")
            _count(connection, miner_node, "pictures", len(digests))
            return digests

        return run

    def fail(self, task_id: TaskId, *, reason: str, at: float) -> Command[None]:
        """Fail a task for good; open attempts are fenced.

        Raises (from the command):
            NotFound: no such task.
            Conflict: the task is final already.
        """

        def run(connection: sqlite3.Connection) -> None:
            position, status = locate(connection, task_id)
            if status.final:
                raise Conflict(f"fail task {task_id}: it is {status}")
            _end_open(connection, position, AttemptState.FENCED, at)
            connection.execute(
                "UPDATE tasks SET status = 'failed', reason = ?, ended_at = ? WHERE position = ?",
                (reason, at, position),
            )

        return run

    def cancel(self, task_id: TaskId, *, at: float) -> Command[bool]:
        """Cancel a task and its open attempts.

        Returns (from the command):
            Whether anything changed: False when it was final already.

        Raises (from the command):
            NotFound: no such task.
        """

        def run(connection: sqlite3.Connection) -> bool:
            position, status = locate(connection, task_id)
            if status.final:
                return False
            _end_open(connection, position, AttemptState.CANCELLED, at)
            connection.execute("UPDATE tasks SET status = 'cancelled', ended_at = ? WHERE position = ?", (at, position))
            return True

        return run

    def add_expected(self, odds: Mapping[NodeId, tuple[float, float]]) -> Command[None]:
        """Add (sum of p, sum of p * (1 - p)) to the counts of miners that took part in draws."""

        def run(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT INTO miner_counts (miner_node, expected, variance) VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
                "SET expected = expected + excluded.expected, variance = variance + excluded.variance",
                [(node, expected, variance) for node, (expected, variance) in odds.items()],
            )

        return run

    def forget_before(self, at: float, *, limit: int = 500) -> Command[int]:
        """Delete final tasks, with their attempts, that ended before ``at``.

        Args:
            at: unix seconds.
            limit: at most so many, so that no commit is held up for long.

        Returns (from the command):
            How many went: call it again until that is 0.
        """
        return lambda connection: (
            connection.execute(
                "DELETE FROM tasks WHERE position IN "
                "(SELECT position FROM tasks WHERE ended_at IS NOT NULL AND ended_at < ? LIMIT ?)",
                (at, limit),
            ).rowcount
        )

    async def get(self, task_id: TaskId) -> StoredTask:
        """Read a task with its attempts and pictures; raises NotFound."""

        def query(connection: sqlite3.Connection) -> list[StoredTask]:
            return read_tasks(connection, "WHERE task_id = ?", (bytes.fromhex(task_id),))

        found = await self._reader.execute(query)
        if not found:
            raise unknown(task_id)
        return found[0]

    async def load_open(self) -> list[StoredTask]:
        """Read all queued and running tasks with their attempts, in the order in which they came: for a restart."""
        return await self._reader.execute(
            lambda connection: read_tasks(connection, "WHERE ended_at IS NULL ORDER BY position", ())
        )

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
        wanted = {
            "position < ?": before,
            "status = ?": None if status is None else status.value,
            "owner_key = ?": owner_key,
        }
        terms = [term for term, value in wanted.items() if value is not None]
        values = [value for value in wanted.values() if value is not None]
        where = f"WHERE {' AND '.join(terms)} " if terms else ""
        return await self._reader.execute(
            lambda connection: read_tasks(connection, f"{where}ORDER BY position DESC LIMIT ?", (*values, limit))
        )

    async def ended_since(self, at: float) -> dict[TaskStatus, int]:
        """Count the tasks that ended at or after a unix time, by how they ended."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT status, count(*) FROM tasks WHERE ended_at >= ? GROUP BY status", (at,)
            ).fetchall()
        )
        return {TaskStatus(status): count for status, count in rows}

    async def miner_counts(self) -> dict[NodeId, MinerCounts]:
        """Read what every miner did."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT miner_node, assigned, done, failed, lost, expected, variance, pictures FROM miner_counts"
            ).fetchall()
        )
        return {
            NodeId(node): MinerCounts(
                miner_node=NodeId(node),
                assigned=assigned,
                done=done,
                failed=failed,
                lost=lost,
                expected=expected,
                variance=variance,
                pictures=pictures,
            )
            for node, assigned, done, failed, lost, expected, variance, pictures in rows
        }


def _repeated(connection: sqlite3.Connection, task: NewTask, body_hash: bytes) -> StoredTask | None:
    row = connection.execute(
        "SELECT position, body_hash FROM tasks WHERE coalesce(owner_key, -1) = coalesce(?, -1) AND idempotency_key = ?",
        (task.owner_key, task.idempotency_key),
    ).fetchone()
    if row is None:
        return None
    if row[1] != body_hash:
        raise Conflict(
            f'store task: idempotency key "{task.idempotency_key}" was used with a different request; '
            "send a new key with a new request"
        )
    return read_tasks(connection, "WHERE position = ?", (row[0],))[0]


def _finished(
    connection: sqlite3.Connection, task_id: TaskId, position: int, attempt: int, signed: tuple[bytes, bytes]
) -> tuple[bytes, ...]:
    """Answer a repeated result: the same receipt gets the same answer, another one is refused."""
    stored = connection.execute(
        "SELECT receipt, receipt_signature FROM attempts WHERE task = ? AND attempt = ?", (position, attempt)
    ).fetchone()
    if stored != signed:
        raise Conflict(f"finish task {task_id}: its attempt {attempt} is done with another receipt")
    return pictures_of(connection, position)


def _end_open(connection: sqlite3.Connection, position: int, state: AttemptState, at: float) -> None:
    connection.execute(
        "UPDATE attempts SET state = ?, ended_at = coalesce(ended_at, ?) "
        "WHERE task = ? AND state IN ('running', 'lost')",
        (state.value, at, position),
    )


def _count(connection: sqlite3.Connection, miner_node: NodeId, column: str, more: int = 1) -> None:
    connection.execute(
        f"INSERT INTO miner_counts (miner_node, {column}) VALUES (?1, ?2) "
        f"ON CONFLICT DO UPDATE SET {column} = {column} + ?2",
        (miner_node, more),
    )
