"""Readers of events: a slow one gets the newest, one that stands still is dropped."""

import pytest

from cuckoo.domain.errors import LimitReached
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol.views import EventKind, TaskEvent
from cuckoo.services.dispatch.watch import EVENTS_MAX, Watcher

TASK = TaskId("0" * 32)


def event(kind, step=0):
    return TaskEvent(kind=kind, task_id=TASK, step=step, steps=1_000)


async def test_watcher__progress_that_nobody_reads__is_replaced_by_the_newest():
    watcher = Watcher()
    watcher.push(event(EventKind.DRAWN))
    for step in range(10 * EVENTS_MAX):
        watcher.push(event(EventKind.PROGRESS, step))
    watcher.push(event(EventKind.DONE))
    kinds = [await watcher.next() for _ in range(3)]
    assert [(one.kind, one.step) for one in kinds] == [
        (EventKind.DRAWN, 0),
        (EventKind.PROGRESS, 10 * EVENTS_MAX - 1),
        (EventKind.DONE, 0),
    ]


async def test_watcher__more_events_than_it_may_hold__is_dropped():
    watcher = Watcher()
    for number in range(10 * EVENTS_MAX):
        watcher.push(event(EventKind.DRAWN, number))
    with pytest.raises(LimitReached, match="were not read"):
        await watcher.next()
    with pytest.raises(LimitReached):
        await watcher.next()
