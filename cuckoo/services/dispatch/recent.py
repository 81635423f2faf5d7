"""The draws of the last hour, as references to what was decided: what came of it is worked out when somebody asks."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from cuckoo.domain.identifiers import TaskId
from cuckoo.scheduler.decisions import AppendLog, AssignTask, CancelTask, Decision
from cuckoo.scheduler.drawlog import PERIOD_KIND
from cuckoo.scheduler.events import Demand
from cuckoo.scheduler.state import State
from cuckoo.services.dispatch.live import LiveTasks

HOUR_S = 3_600.0
BYTES_MAX = 67_108_864
TAKEN_BACK_MAX = 2_000

_ROW_BYTES, _DRAW_BYTES = 64, 640
"""About what a row takes beside its bytes, and a draw with its task's demand."""


class Drawn(NamedTuple):
    """A draw, and what the task needs."""

    draw: AssignTask
    demand: Demand


class Chunk(NamedTuple):
    """The rows and draws of one transition."""

    at: float
    rows: tuple[bytes, ...]
    drawn: tuple[Drawn, ...]


class TakenBack(NamedTuple):
    """A task that its app took back before anybody was drawn."""

    at: float
    task_id: TaskId
    demand: Demand


class Recent:
    """Keeps whole draw periods, the oldest of them older than an hour; fewer where they would fill the memory.

    Attributes:
        taken_back: the newest tasks that were taken back undrawn.
        since: from when on nothing is missing, unix seconds; None before the first row.
    """

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        """Start empty; ``bytes_max``: about how much memory the rows may take."""
        self.taken_back: deque[TakenBack] = deque(maxlen=TAKEN_BACK_MAX)
        self.since: float | None = None
        self._periods: deque[list[Chunk]] = deque()
        self._bytes_max = bytes_max
        self._bytes = 0

    def note(self, now: float, decisions: Sequence[Decision], state: State, tasks: LiveTasks) -> None:
        """Remember what a transition decided."""
        first = decisions[0]
        if type(first) is AppendLog:
            self._add(
                Chunk(
                    now,
                    first.rows,
                    tuple(Drawn(one, state.tasks[one.task_id].demand) for one in decisions if type(one) is AssignTask),
                )
            )
        for one in decisions:
            if type(one) is CancelTask:
                task = tasks.get(one.task_id)
                if task is not None and not task.attempts:
                    self.taken_back.append(TakenBack(now, one.task_id, task.demand))

    def _add(self, chunk: Chunk) -> None:
        if not self._periods or chunk.rows[0][0] == PERIOD_KIND:
            self._periods.append([])
            self._forget_before(chunk.at - HOUR_S)
        self._periods[-1].append(chunk)
        self._bytes += _size(chunk)
        if self.since is None:
            self.since = chunk.at
        if self._bytes > self._bytes_max:
            self._make_room()

    def _forget_before(self, at: float) -> None:
        while len(self._periods) > 2 and self._periods[1][0].at <= at:
            self._forget(self._periods.popleft())

    def _make_room(self) -> None:
        """Forget the oldest period, or half of the only one."""
        if len(self._periods) > 1:
            self._forget(self._periods.popleft())
        else:
            only = self._periods[0]
            half = len(only) // 2 + 1
            self._forget(only[:half])
            del only[:half]

    def _forget(self, chunks: Sequence[Chunk]) -> None:
        self._bytes -= sum(map(_size, chunks))
        self.since = next((chunk.at for period in self._periods for chunk in period), None) or chunks[-1].at

    def chunks(self) -> list[Chunk]:
        """Return all that is kept, in order."""
        return [chunk for period in self._periods for chunk in period]


def _size(chunk: Chunk) -> int:
    return sum(map(len, chunk.rows)) + _ROW_BYTES * len(chunk.rows) + _DRAW_BYTES * len(chunk.drawn)
