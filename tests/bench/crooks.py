"""What finds coordinators that cheat, and after how many tasks: by the very code with which miners look at their share.

Run: python -m tests.bench.crooks [runs of each kind]
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import structlog

from cuckoo.demo.crooks import Crook
from cuckoo.domain.identifiers import NodeId
from cuckoo.scheduler.fairness import Share
from cuckoo.services.mining.backing import UNANSWERED_MOST, UNANSWERED_S
from cuckoo.services.mining.slots import Slots
from cuckoo.services.verifying.share import ShareWatch
from tests.support.mining import Clock

OUT = Path("crooks.json")
SEED = 7
PARTS = (0.1, 0.3, 0.5)
"""Of all draws that others win, so many are steered to the favourite."""
MINERS = 5
"""Of equal stake; one of them is the favourite."""
A_PERIOD = 20
"""Tasks between two looks."""
MOST = 100_000
ME, COORDINATOR = NodeId(2), NodeId(1)


def tasks_until_warned(part: float, rng: np.random.Generator, most: int = MOST) -> int:
    """Return after how many tasks of a coordinator a miner that is not its favourite warns; ``most`` when it has not."""
    watch = ShareWatch(ME, dict, None, None, period_s=3_600, clock=Clock())
    odds = 1 / MINERS
    for task in range(A_PERIOD, most + 1, A_PERIOD):
        won = int(rng.binomial(A_PERIOD, odds * (1 - part)))
        watch.add(COORDINATOR, Share(ME, won, A_PERIOD * odds, A_PERIOD * odds * (1 - odds)))
        if watch.warned:
            return task
    return most


def steered(runs: int) -> list[dict]:
    """Simulate each part that is steered."""
    rng = np.random.default_rng(SEED)
    rows = []
    for part in PARTS:
        found = sorted(tasks_until_warned(part, rng) for _ in range(runs))
        rows.append({"part": part, "median": found[runs // 2], "most": found[int(runs * 0.95)]})
    return rows


def honest(runs: int, tasks: int = 10_000) -> float:
    """Return how many miners of honest coordinators warn within so many tasks, as a part."""
    rng = np.random.default_rng(SEED)
    return sum(tasks_until_warned(0.0, rng, tasks + A_PERIOD) <= tasks for _ in range(runs)) / runs


def until(chance: float) -> str:
    """Return in how many tasks something of this chance has happened once, in the median and with 95 %."""
    median, most = (math.ceil(math.log(1 - part) / math.log(1 - chance)) for part in (0.5, 0.95))
    return f"{median} / {most}"


def rows_of(runs: int) -> list[tuple[str, str, str]]:
    """Return (cheat, shown by, after how many tasks) of every kind."""
    share = {row["part"]: f"{row['median']:,} / {row['most']:,}" for row in steered(runs)}
    rows = []
    for part in PARTS:
        mine, any_other = (until(part * odds) for odds in (1 / MINERS, 1 - 1 / MINERS))
        for crook in (Crook.FAVOURS, Crook.DROPS):
            what = f"{crook.sentence}, {part:.0%}"
            rows.append((what, "a miner that won: draws that brought no work", mine))
            rows.append((what, "the same: its share, outside of chance", share[part]))
        rows.append((f"{Crook.FAVOURS.sentence}, {part:.0%}", "verify draw: apps, and the favourite itself", any_other))
        rows.append((f"{Crook.FORGES.sentence}, {part:.0%}", "verify period: anybody", any_other))
    taken, waits = Slots(1).total, UNANSWERED_MOST
    rows += [
        (Crook.OVERRATES.sentence, "verify period: anybody", "1 / 1"),
        ("shows nobody its log", "every miner that it gave work", "1 / 1"),
        ("signs two heads for one draw", "verify heads: on chain", "1 / 1"),
        (Crook.UNPAID.sentence, "the miner, which stops", f"{taken} / {taken}"),
        (Crook.STALLS.sentence, f"the miner, {UNANSWERED_S / 60:g} minutes after the", f"{waits} / {waits}"),
        (Crook.ACCUSES.sentence, "the jury: its bond is lost", "1 / 1"),
    ]
    return rows


def main(runs: int) -> None:
    """Simulate and print."""
    rows = rows_of(runs)
    print(f"{'what a coordinator does':<70}{'shown by':<52}{'tasks, median / 95 %':>22}")
    for what, who, tasks in rows:
        print(f"{what:<70}{who:<52}{tasks:>22}")
    false = honest(runs)
    print(f"of an honest coordinator's miners {false:.1%} warn within 10,000 tasks")
    OUT.write_text(json.dumps({"runs": runs, "seed": SEED, "rows": rows, "false": false}, indent=1))
    print(f"raw numbers: {OUT}")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
