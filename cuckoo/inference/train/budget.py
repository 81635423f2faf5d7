"""How long a stage trains, what its learning rate is, and how its progress is shown."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_WARM_UP_STEPS = 50


@dataclass
class Budget:
    """A stage ends after so many steps, or so many seconds, whichever is first.

    Attributes:
        steps: at most.
        seconds: at most, those of earlier sittings included; infinite for no limit.
        done_steps, done_s: what earlier sittings did.
    """

    steps: int
    seconds: float = math.inf
    done_steps: int = 0
    done_s: float = 0.0
    _started_s: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far."""
        return self.done_s + time.monotonic() - self._started_s

    @property
    def share(self) -> float:
        """How much of the budget is spent, 0 .. 1."""
        return min(1.0, max(self.done_steps / self.steps, self.elapsed_s / self.seconds))

    def rate(self, highest: float, lowest: float) -> float:
        """Return the learning rate now: a short warm-up, then a cosine over the budget."""
        cosine = lowest + (highest - lowest) * (1 + math.cos(math.pi * self.share)) / 2
        return cosine * min(1.0, (self.done_steps + 1) / _WARM_UP_STEPS)

    def sitting(self, progress: Progress, title: str) -> Iterator[int]:
        """Yield step numbers until the budget is spent, and move the bar."""
        self._started_s = time.monotonic()
        bar = progress.add_task(title, total=1.0, note="")
        progress.update(bar, completed=self.share)
        while self.share < 1.0:
            yield self.done_steps
            self.done_steps += 1
            progress.update(bar, completed=self.share)

    def note(self, progress: Progress, text: str) -> None:
        """Show the step and a few words beside the newest bar."""
        progress.update(progress.task_ids[-1], note=f"step {self.done_steps + 1:,}, {text}")


def bars() -> Progress:
    """Return the display of the training."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
