"""What goes wrong in a run: drawn from its seed, and made smaller when something was found."""

import random
from dataclasses import dataclass, replace

HORIZON_S = 60.0
"""Faults begin before this; after it everything heals."""

MINERS = (2, 3, 4)
COORDINATOR = "coordinator"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    at_s: float
    kind: str
    target: str = ""
    seconds: float = 0.0
    amount: float = 0.0
    detail: str = ""

    def __str__(self):
        more = [f"for {self.seconds:.1f} s"] * bool(self.seconds) + [f"{self.amount:g}"] * bool(self.amount)
        return " ".join([self.kind, self.target, self.detail, *more]).replace("  ", " ")


@dataclass(frozen=True)
class Plan:
    """A whole run: what apps ask for, and what goes wrong."""

    seed: int
    tasks: tuple[int, ...]
    faults: tuple[Fault, ...]

    def without_fault(self, number):
        return replace(self, faults=self.faults[:number] + self.faults[number + 1 :])

    def without_task(self, app):
        return replace(self, tasks=tuple(count - (number == app) for number, count in enumerate(self.tasks)))


def plan_of(seed):
    """Draw a run."""
    rng = random.Random(f"plan {seed}")
    apps = rng.randint(1, 3)
    tasks = tuple(rng.randint(1, 6) for _ in range(apps))
    faults = tuple(sorted((_fault(rng) for _ in range(rng.randint(2, 10))), key=lambda fault: fault.at_s))
    return Plan(seed, tasks, faults)


def _fault(rng):  # noqa: PLR0911 - one line a kind
    at_s = rng.uniform(0.5, HORIZON_S)
    miner = f"miner {rng.choice(MINERS)}"
    who = rng.choice((COORDINATOR, COORDINATOR, miner))
    match rng.randrange(12):
        case 0 | 1 | 2:
            moment = rng.choice(("before", "within", "after", "within", "after"))
            power = " power" if rng.random() < 0.5 else ""
            return Fault(at_s, "crash at write", who, amount=rng.randint(1, 12), detail=moment + power)
        case 3:
            return Fault(at_s, "kill", who)
        case 4 | 5:
            return Fault(at_s, "storm", seconds=rng.uniform(1, 20), amount=round(rng.uniform(0.05, 0.6), 2))
        case 6:
            return Fault(at_s, "cut off", miner, seconds=rng.uniform(1, 45))
        case 7:
            return Fault(at_s, "clock jump", who, seconds=rng.uniform(5, 40), amount=round(rng.uniform(-60, 60), 1))
        case 8:
            return Fault(at_s, "disk full", who, seconds=rng.uniform(1, 10))
        case 9:
            weight = rng.choice((0, 0, 20_000, 90_000))
            return Fault(
                at_s, rng.choice(("weight", "reorganisation")), miner, seconds=rng.uniform(1, 30), amount=weight
            )
        case 10:
            return Fault(at_s, "worker dies", miner)
        case _:
            return Fault(at_s, "chain down", seconds=rng.uniform(2, 40))
