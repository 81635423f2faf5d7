"""How a download of a model is shown on a terminal."""

import atexit
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

    from cuckoo.inference.hub import Fetched


def download_bar() -> "Callable[[Fetched], None] | None":
    """Return what draws a bar on standard error; None where that is no terminal."""
    return _Bar().told if sys.stderr.isatty() else None


class _Bar:
    """One bar at a time: there from the first news of a model to its last byte."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._bar: TaskID | None = None

    def told(self, fetched: "Fetched") -> None:
        """Draw how far it is."""
        progress = self._progress
        if progress is None or self._bar is None:
            progress = self._progress = _progress()
            progress.start()
            atexit.register(progress.stop)  # else an error would leave the terminal without its cursor
            self._bar = progress.add_task(f"downloading {fetched.model}", total=fetched.total)
        progress.update(self._bar, completed=fetched.done)
        if fetched.done >= fetched.total:
            progress.stop()
            atexit.unregister(progress.stop)
            self._progress = self._bar = None


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(30),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
