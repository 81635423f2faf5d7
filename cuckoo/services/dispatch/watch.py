"""Who watches which task: server-sent events on their way to apps."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol.views import EventKind, TaskEvent

_REPLACEABLE = (EventKind.PROGRESS, EventKind.QUEUED)


class Watcher:
    """One reader of a task's events. A slow one misses progress that is out of date, and nothing else."""

    __slots__ = ("_events", "_more")

    def __init__(self) -> None:
        """Start without events."""
        self._events: deque[TaskEvent] = deque()
        self._more = asyncio.Event()

    def push(self, event: TaskEvent) -> None:
        """Hand over an event."""
        if self._events and self._events[-1].kind is event.kind and event.kind in _REPLACEABLE:
            self._events.pop()
        self._events.append(event)
        self._more.set()

    async def next(self) -> TaskEvent:
        """Wait for the next event."""
        while not self._events:
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
