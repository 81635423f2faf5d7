"""Rows of the draw log on their way to the store.

Rows need to be durable before an assignment that signs their head leaves, not before: those of parks and weight changes
wait here for the next draw, or the next tick, and go to the store together.
"""

from cuckoo.scheduler.decisions import AppendLog
from cuckoo.storage.drawlog import DrawLog
from cuckoo.storage.logrows import encode_rows
from cuckoo.storage.records import LogChunk
from cuckoo.storage.writer import Command


class LogBuffer:
    """The rows that the store has not been given yet."""

    def __init__(self, draws: DrawLog) -> None:
        """Write to ``draws``."""
        self._draws = draws
        self._tip = b""
        self._next_draw = 0
        self._first: AppendLog | None = None
        self._rows: list[bytes] = []
        self._drawn = 0
        self._head = b""

    def append(self, log: AppendLog, drawn: int) -> Command[None] | None:
        """Take rows in.

        Args:
            log: the rows of one transition.
            drawn: how many draws are among them.

        Returns:
            A command that stores the rows before them, when these begin another period or tip.
        """
        flushed = None
        if self._first is not None and (self._first.tip, self._first.period) != (log.tip, log.period):
            flushed = self.flush()
        if self._first is None:
            self._first = log
        if log.tip != self._tip:
            self._tip, self._next_draw = log.tip, 0
        self._rows += log.rows
        self._drawn += drawn
        self._head = log.head
        return flushed

    def flush(self) -> Command[None] | None:
        """Return the command that stores what waits; None when nothing does."""
        if self._first is None:
            return None
        chunk = LogChunk(
            tip=self._first.tip,
            period=self._first.period,
            first_row=self._first.first_row,
            row_count=len(self._rows),
            first_draw=self._next_draw,
            draw_count=self._drawn,
            rows=encode_rows(self._rows),
            head=self._head,
        )
        self._next_draw += self._drawn
        self._first, self._rows, self._drawn = None, [], 0
        return self._draws.append(chunk)
