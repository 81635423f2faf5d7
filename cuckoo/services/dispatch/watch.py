"""Who watches which task: server-sent events on their way to apps."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from cuckoo.domain.errors import LimitReached
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol.views import EventKind, TaskEvent

EVENTS_MAX = 64
_REPLACEABLE = (EventKind.PROGRESS, EventKind.QUEUED)
_RETRY_AFTER_S = 1.0


class Watcher:
    """One reader of a task's events.

    A slow one misses progress that is out of date; one for whom too many others wait is dropped.
    """

    __slots__ = ("_dropped", "_events", "_more")

    def __init__(self) -> None:
        """Start without events."""
        self._dropped = False
        self._events: deque[TaskEvent] = deque()
        self._more = asyncio.Event()

    def push(self, event: TaskEvent) -> None:
        """Hand over an event."""
        if self._events and self._events[-1].kind is event.kind and event.kind in _REPLACEABLE:
            self._events.pop()
        if len(self._events) >= EVENTS_MAX:
            self._events.clear()
            self._dropped = True
        elif not self._dropped:
            self._events.append(event)
        self._more.set()

    async def next(self) -> TaskEvent:
        """Wait for the next event.

        Raises:
            LimitReached: so many wait that this reader was dropped; it may start again from where the task stands.
        """
        while not self._events:
            if self._dropped:
                raise LimitReached(f"follow a task: {EVENTS_MAX} events were not read", _RETRY_AFTER_S)
            self._more.clear()
            await self._more.wait()
        return self._events.popleft()


class Watchers:
    """The watchers of all tasks."""

    def __init__(self) -> None:
        """Start without watchers."""
        self._by_task: dict[TaskId, set[Watcher]] = {}

    def __iter__(self) -> Iterator[TaskId]:
        """Go through the tasks that somebody watches."""
        return iter(tuple(self._by_task))

    @contextmanager
    def watch(self, task_id: TaskId) -> Iterator[Watcher]:
        """Watch a task's events from now on."""
        watcher = Watcher()
        self._by_task.setdefault(task_id, set()).add(watcher)
        try:
            yield watcher
        finally:
            watchers = self._by_task[task_id]
            watchers.discard(watcher)
            if not watchers:
                del self._by_task[task_id]

    def publish(self, event: TaskEvent) -> None:
        """Hand an event to everybody who watches its task."""
        for watcher in self._by_task.get(event.task_id, ()):
            watcher.push(event)
