"""What a terminal shows while pictures are drawn: a bar for each task, and the pictures where it can show them."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.segment import Segment
from rich.table import Column
from rich.text import Text

from cuckoo.cli.inline import Protocol, escape
from cuckoo.client.asking import Listener
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.views import EventKind, TaskEvent

PREVIEWS = 3
"""Previews that are shown of a task."""

PICTURES_SHOWN = 8
"""Finished pictures that are shown at most."""


class _Left(ProgressColumn):
    """How long it will take: by the steps that were seen, before by what the coordinator says."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        if left is None and task.fields["due"] is not None:
            left = task.fields["due"] - time.monotonic()
        return Text("" if left is None or task.finished else f"about {max(1, round(left))} s left")


class _Shown:
    """A picture as something that rich prints."""

    def __init__(self, sequence: str) -> None:
        self._sequence = sequence

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._sequence, None, [])


class Bars:
    """Bars on standard error, one for each task."""

    def __init__(self, protocol: Protocol | None) -> None:
        """Take how this terminal shows pictures; None: not at all."""
        console = Console(stderr=True)
        self._protocol = protocol if console.is_terminal else None
        self._shown = 0
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(max_width=40, no_wrap=True)),
            BarColumn(24),
            TextColumn("{task.fields[doing]}", markup=False),
            _Left(),
            console=console,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        sys.stderr.flush()

    def follow(self, prompt: str, names: Mapping[NodeId, str], *, previews: bool) -> Listener:
        """Add a bar that moves as the events of a task come in.

        Args:
            prompt: what is drawn.
            names: what miners call themselves.
            previews: whether to show how the picture stands, where the terminal can.
        """
        bar = self._progress.add_task(prompt, total=None, doing="queued", due=None)
        drawn, shown = "", 0

        def listen(event: TaskEvent) -> None:
            nonlocal drawn, shown
            if event.kind is EventKind.QUEUED:
                place = f"{event.position:,} before it" if event.position else "queued"
                self._update(bar, event, doing=f"{place}: {event.reason}" if event.reason else place)
            elif event.kind is EventKind.DRAWN and event.attempt is not None:
                node = event.attempt.miner_node
                drawn, shown = f"{names.get(node, f'node {node}')}, odds {event.attempt.odds:.0%}", 0
                self._progress.reset(bar, total=None)
                self._update(bar, event, doing=drawn)
            elif event.kind is EventKind.PROGRESS:
                doing = f"step {event.step} of {event.steps}, {drawn}"
                self._progress.update(bar, completed=event.step, total=event.steps, doing=doing)
                if previews and event.preview and event.step * PREVIEWS >= (shown + 1) * event.steps:
                    shown += 1
                    self._print(event.preview)
            elif event.kind.final:
                self._progress.remove_task(bar)

        return listen

    def _update(self, bar: TaskID, event: TaskEvent, *, doing: str) -> None:
        due = None if event.eta_p50_s is None else time.monotonic() + event.eta_p50_s
        self._progress.update(bar, doing=doing, due=due)

    def show(self, png: bytes) -> None:
        """Show a finished picture, where the terminal can."""
        if self._shown < PICTURES_SHOWN:
            self._shown += 1
            self._print(png)

    def _print(self, png: bytes) -> None:
        if self._protocol is not None:
            self._progress.console.print(_Shown(escape(self._protocol, png)))
