"""What a row measured, how it is shown, and on which machine."""

import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

RATIO = "x"


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        what: in words.
        value: the median where there were rounds.
        unit: "x" for a ratio.
        bar: what the design asks for, if it does; ``at_most`` says that less is better.
    """

    what: str
    value: float
    unit: str
    bar: float | None = None
    at_most: bool = False

    @property
    def met(self):
        if self.bar is None:
            return None
        return self.value <= self.bar if self.at_most else self.value >= self.bar


@dataclass
class Row:
    """A row of the table: figures, everything that was counted to get them, and what is to be said of it."""

    figures: list[Figure]
    raw: dict = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_json(self):
        return {"figures": [asdict(figure) for figure in self.figures], "raw": self.raw, "notes": self.notes}


@dataclass(frozen=True)
class Options:
    """How long to measure, and where."""

    directory: Path
    seconds: float
    rounds: int
    miners: tuple[int, ...]
    sync_miners: int


def machine():
    """Describe the machine and how busy it is now."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return {
        "load": [round(load, 2) for load in os.getloadavg()],
        "cores": os.cpu_count(),
        "cpu": cpu,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("aiohttp", "coincurve", "msgspec", "uvloop")},
    }


def show_machine(state):
    load = ", ".join(f"{one:.2f}" for one in state["load"])
    return f"{state['cores']} cores ({state['cpu']}), {state['system']}, Python {state['python']}; load before: {load}"


def show_number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show_row(name, row):
    """Write the lines of a row, ratios first."""
    lines = []
    for figure in sorted(row.figures, key=lambda figure: figure.unit != RATIO):
        value = f"{show_number(figure.value)} {figure.unit}"
        bar = ""
        if figure.bar is not None:
            sign = "<=" if figure.at_most else ">="
            bar = f"{sign} {show_number(figure.bar)} {figure.unit} {'met' if figure.met else 'MISSED'}"
        lines.append(f"{name:<8} {value:>16}  {bar:<26} {figure.what}")
    return lines + [f"{name:<8} {note}" for note in row.notes]
