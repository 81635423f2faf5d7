"""A production line: calls pass the same stages in order of arrival, one call in each stage at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

T = TypeVar("T")
STAGES = 3
"""Of a batch: text encoding, denoising, decoding."""

Advance = Callable[[], None]
"""Waits until the next stage is free, and moves the call that holds it there."""


class Line:
    """Stages numbered from 0. A call begins in stage 0; while it waits for the next stage it keeps the one it is in."""

    def __init__(self, stages: int) -> None:
        """Make a line of ``stages`` stages, each with a thread."""
        self._moved = threading.Condition()
        self._places: dict[int, int] = {}
        self._alone: set[int] = set()
        self._tickets = 0
        self._threads = ThreadPoolExecutor(stages, thread_name_prefix="stage")

    def submit(self, call: Callable[[Advance], T], *, alone: bool = False) -> Future[T]:
        """Put a call on the line.

        Args:
            call: what to run, in a thread of the line; it gets its own :data:`Advance`.
            alone: begin when every earlier call has ended, and let no later one begin before this one has ended.
        """
        with self._moved:
            ticket = self._tickets
            self._tickets += 1
            self._places[ticket] = -1
            if alone:
                self._alone.add(ticket)
            future = self._threads.submit(self._pass, ticket, call)
        future.add_done_callback(lambda _: self._leave(ticket))
        return future

    def _pass(self, ticket: int, call: Callable[[Advance], T]) -> T:
        advance = partial(self._advance, ticket)
        try:
            advance()
            return call(advance)
        finally:
            self._leave(ticket)

    def _advance(self, ticket: int) -> None:
        with self._moved:
            stage = self._places[ticket] + 1
            self._moved.wait_for(lambda: self._is_free(stage, ticket))
            self._places[ticket] = stage
            self._moved.notify_all()

    def _is_free(self, stage: int, ticket: int) -> bool:
        earlier = [other for other in self._places if other < ticket]
        if stage == 0 and (ticket in self._alone or not self._alone.isdisjoint(earlier)):
            return not earlier
        return all(self._places[other] > stage for other in earlier)

    def _leave(self, ticket: int) -> None:
        with self._moved:
            self._places.pop(ticket, None)
            self._alone.discard(ticket)
            self._moved.notify_all()
