"""What the demo shows while it runs: live bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, Self

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cuckoo.demo.accounts import Accounts
from cuckoo.demo.fairness import Outcome
from cuckoo.domain.amounts import CAI, format_cai

VISIBLE_TASKS = 14


class Show(Protocol):
    """What the story tells its audience."""

    def say(self, text: str) -> None:
        """Say something."""

    @contextmanager
    def stage(self, doing: str) -> Iterator[None]:
        """Name what is being prepared, and how long it took."""

    def pictures(self, count: int) -> None:
        """Start the part with the pictures."""

    def drawn(self, number: int, prompt: str, miner: str, odds: float, steps: int) -> None:
        """A miner was drawn for task ``number`` (from 1), with these odds."""

    def step(self, number: int, step: int, steps: int) -> None:
        """A task has done step n of N."""

    def done(self, number: int) -> None:
        """A task's picture is there."""

    def table(self, rows: Sequence[tuple[str, Outcome]]) -> None:
        """Show what stake promised and what happened, by miner."""

    def earned(self, accounts: Accounts) -> None:
        """Show who earned what."""


class _Printed:
    """What both have in common: stages and the last table go to the console as they are."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """Print a line; no markup."""
        self._console.print(Text(text), soft_wrap=True)

    @contextmanager
    def stage(self, doing: str) -> Iterator[None]:
        """Print what is being prepared when it is done, with the seconds it took; on a terminal, a spinner first."""
        began = time.monotonic()
        if self._console.is_terminal:
            with self._console.status(Text(doing)):
                yield
        else:
            yield
        line = Text.assemble(("✓ ", "green"), doing, (f"  {time.monotonic() - began:.1f} s", "dim"))
        self._console.print(line, soft_wrap=True)

    def table(self, rows: Sequence[tuple[str, Outcome]]) -> None:
        """Print the last table."""
        total = sum(row.stake_wei for _, row in rows)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="What stake promised, and what happened")
        for column in ("miner", "stake (CAI)", "share", "Σ of its odds", "tasks done", "chance allows"):
            table.add_column(column, justify="left" if column == "miner" else "right")
        for name, row in rows:
            table.add_row(
                name,
                format_cai(row.stake_wei),
                f"{row.stake_wei / total:.0%}",
                f"{row.expected:.1f}",
                Text(str(row.done), "green" if row.within else "red"),
                f"{row.least} to {row.most}",
            )
        self._console.print(table)

    def earned(self, accounts: Accounts) -> None:
        """Print who earned what, in CAI, and that nothing is missing."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Who earned what (CAI)", show_footer=True)
        pictures_wei = sum(row.pictures_wei for row in accounts.earned)
        stake_wei = sum(row.stake_wei for row in accounts.earned)
        table.add_column("who", "all")
        table.add_column("did what")
        table.add_column("by pictures", _rounded(pictures_wei), justify="right")
        table.add_column("by stake, so far", _rounded(stake_wei), justify="right")
        for row in accounts.earned:
            table.add_row(row.who, row.part, _rounded(row.pictures_wei), _rounded(row.stake_wei))
        self._console.print(table)
        self.say(
            f"The pictures cost {format_cai(accounts.paid_wei)} CAI, paid out of the coordinator's escrow: "
            f"{format_cai(pictures_wei)} to the miners' owners\nand {format_cai(accounts.fees_wei)} to their stakers, "
            f"who get it bit by bit; to the wei. All stakers share what the reserve pays, too."
        )


def _rounded(wei: int) -> str:
    """Write CAI with four decimals for a table, rounded down; nothing for nothing."""
    return f"{wei // (CAI // 10**4) / 10**4:,.4f}" if wei else ""


class PlainShow(_Printed):
    """For pipes and logs: one line when a miner is drawn, one when the picture is there."""

    def __init__(self, console: Console) -> None:
        """Write to ``console``."""
        super().__init__(console)
        self._count = 0
        self._tasks: dict[int, str] = {}

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def pictures(self, count: int) -> None:
        """Remember how many there will be."""
        self._count = count

    def drawn(self, number: int, prompt: str, miner: str, odds: float, steps: int) -> None:
        """Print who was drawn."""
        self._tasks[number] = f"{prompt} ({miner}, odds {odds:.0%}, {steps} steps)"
        self.say(f"  {number:>2}/{self._count}  drawn  {self._tasks[number]}")

    def step(self, number: int, step: int, steps: int) -> None:
        """Steps are too many for plain lines."""

    def done(self, number: int) -> None:
        """Print that the picture is there."""
        self.say(f"  {number:>2}/{self._count}  done   {self._tasks.pop(number, '')}")


class LiveShow(_Printed):
    """For terminals: a bar a task, and one for all."""

    def __init__(self, console: Console) -> None:
        """Prepare the bars; they appear with the pictures."""
        super().__init__(console)
        self._all = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(40, complete_style="cyan", finished_style="green"),
            TextColumn("{task.completed:.0f} of {task.total:.0f}"),
            TextColumn("[dim]{task.fields[pace]}"),
        )
        self._each = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(24, complete_style="yellow", finished_style="green"),
            TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
            TextColumn("[cyan]{task.fields[miner]}"),
            TextColumn("[dim]odds {task.fields[odds]:.0%}"),
            TextColumn("{task.fields[mark]}"),
        )
        self._live = Live(Group(self._all, self._each), console=console, refresh_per_second=12, transient=False)
        self._bars: dict[int, TaskID] = {}
        self._finished: list[TaskID] = []
        self._total: TaskID | None = None
        self._running = False

    def __enter__(self) -> Self:
        """Bars start with :meth:`pictures`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen."""
        if self._running:
            self._live.stop()
            self._running = False

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        if self._running:
            self.__exit__()
        super().say(text)

    def pictures(self, count: int) -> None:
        """Show the bars."""
        self._total = self._all.add_task("pictures", total=count, pace="")
        self._live.start()
        self._running = True

    def drawn(self, number: int, prompt: str, miner: str, odds: float, steps: int) -> None:
        """Add a bar, or begin it anew for another attempt; the oldest finished one makes room."""
        known = self._bars.pop(number, None)
        if known is not None:
            self._each.remove_task(known)
        while self._finished and len(self._each.tasks) >= VISIBLE_TASKS:
            self._each.remove_task(self._finished.pop(0))
        self._bars[number] = self._each.add_task(f"{prompt:<18}", total=steps, miner=f"{miner:<7}", odds=odds, mark="")

    def step(self, number: int, step: int, steps: int) -> None:
        """Move a bar."""
        self._each.update(self._bars[number], completed=step, total=steps)

    def done(self, number: int) -> None:
        """Fill a bar and the one for all."""
        bar = self._bars[number]
        self._finished.append(bar)
        total = next(task.total for task in self._each.tasks if task.id == bar)
        self._each.update(bar, completed=total, mark="[green]✓")
        if self._total is not None:
            self._all.advance(self._total)

    def table(self, rows: Sequence[tuple[str, Outcome]]) -> None:
        """Print the last table below the bars."""
        self.__exit__()
        super().table(rows)


def open_show(*, to_stderr: bool) -> LiveShow | PlainShow:
    """Return the show that fits where it is seen."""
    stream = sys.stderr if to_stderr else sys.stdout
    console = Console(file=stream, highlight=False)
    return LiveShow(console) if console.is_terminal else PlainShow(console)
