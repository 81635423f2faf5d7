"""After how many tasks a cheat is caught: production chooses what is checked, real pictures say what a check finds."""

import random
import statistics

from cuckoo.demo.cheats import Cheat
from cuckoo.domain.identifiers import NodeId
from cuckoo.services.auditing.sampling import NEWCOMER_AUDITS, Sample

PROBABILITY = 0.02
"""The default."""

TRIALS = 4_000
SEED = 1
LATEST = 150
"""Tasks, with 95 %: the bar for whatever shows in the picture."""

MINER = NodeId(2)
SUSPICIOUS = (Cheat.BLANK,)
BY_WHAT = {
    Cheat.SILENT: ("time-outs", 4),
    Cheat.TAMPERED: ("the signed hash, at once; left out", 2),
    Cheat.REPLAYED: ("the signed assignment, at once; left out", 2),
    Cheat.TWO_RESULTS: ("both signatures, on chain", 1),
    Cheat.LAZY_JUROR: ("the other jurors, on chain", 1),
}
"""What needs no audit: what finds it, and after how many tasks (or disputes). Integration tests show each of these."""


def trial(rng, found, *, newcomer, suspicious):
    """Return how many results a cheat delivers until one is found wrong, and how many were checked."""
    sample, tasks, checked = Sample(PROBABILITY, rng.randbytes(32)), 0, 0
    sample.found_right(MINER, 0 if newcomer else NEWCOMER_AUDITS)
    while True:
        tasks += 1
        if sample.chosen(MINER, rng.randbytes(200), 1.0, suspicious):
            checked += 1
            if rng.random() < found:
                return tasks, checked
            sample.found_right(MINER)


def row(cheat, found, rng):
    """Return (median, 95 %) for a miner that is known, the same for a new one, and checks for a task."""
    result = []
    for newcomer in (False, True):
        trials = [trial(rng, found, newcomer=newcomer, suspicious=cheat in SUSPICIOUS) for _ in range(TRIALS)]
        tasks = sorted(count for count, _ in trials)
        result += [statistics.median(tasks), tasks[int(0.95 * len(tasks))]]
    return (*map(round, result), sum(checked for _, checked in trials) / sum(tasks))


def show(found):
    """Print the table; returns the cheats that are found too late.

    Args:
        found: by cheat, how often a second run with other threads finds it.
    """
    rng = random.Random(SEED)
    print("\n| a miner that | is found by | tasks until then: median | 95 % | a new miner: median | 95 % |")
    print("|---|---|---|---|---|---|")
    late = []
    for name, rate in found.items():
        cheat = Cheat(name)
        known, most, new, new_most, _ = row(cheat, rate, rng)
        by = "its look, then a second run" if cheat in SUSPICIOUS else "a second run"
        print(f"| {cheat.sentence} | {by} | {known} | {most} | {new} | {new_most} |")
        late += [name] if most > LATEST else []
    for cheat, (by, tasks) in BY_WHAT.items():
        print(f"| {cheat.sentence} | {by} | {tasks} | {tasks} | {tasks} | {tasks} |")
    print(f"\n{TRIALS:,} trials each; cost: {PROBABILITY:.0%} of all pictures are made twice, a new miner's more often")
    print(f"found later than after {LATEST} tasks (95 %): {', '.join(late) or 'none'}")
    return late
