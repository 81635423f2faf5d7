"""After how many tasks a cheat is caught: production chooses what is checked, real pictures say what a check finds."""

from cuckoo.demo.cheats import Cheat
from cuckoo.domain.identifiers import NodeId
from cuckoo.services.auditing.sampling import NEWCOMER_AUDITS, Sample

PROBABILITY = 0.02
"""The default."""

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
"""What needs no audit: what finds it, and after how many tasks (or disputes); tests show each of these."""


def chances():
    """Return the probability of a check for a miner of which 0, 1, 2 ... results were found right, as production has it."""
    sample = Sample(PROBABILITY, b"")
    found = []
    for _ in range(NEWCOMER_AUDITS + 1):
        found.append(sample.chance(MINER, 1.0, False))
        sample.found_right(MINER)
    return found


def tasks_until(part, found, *, newcomer, suspicious=False):
    """Return after how many results a cheat is found with probability ``part``.

    Args:
        part: for example 0.5.
        found: how often a check finds it.
        newcomer: nothing of the miner was found right before.
        suspicious: its results are always checked.
    """
    chance = [1.0] * (NEWCOMER_AUDITS + 1) if suspicious else chances()
    free = [0.0] * len(chance)
    free[0 if newcomer else -1] = 1.0
    tasks = 0
    while sum(free) > 1 - part:
        checked = [one * probability for one, probability in zip(free, chance, strict=True)]
        passed = [one * (1 - found) for one in checked]
        free = [one - gone for one, gone in zip(free, checked, strict=True)]
        for right, one in enumerate(passed):
            free[min(right + 1, NEWCOMER_AUDITS)] += one
        tasks += 1
    return tasks


def show(found):
    """Print the table; returns the cheats that are found too late.

    Args:
        found: by cheat, how often a second run with other threads finds it.
    """
    print("\n| a miner that | is found by | tasks until then: median | 95 % | a new miner: median | 95 % |")
    print("|---|---|---|---|---|---|")
    late = []
    for name, rate in found.items():
        cheat = Cheat(name)
        odd = cheat in SUSPICIOUS
        known, most, new, new_most = (
            tasks_until(part, rate, newcomer=newcomer, suspicious=odd)
            for newcomer in (False, True)
            for part in (0.5, 0.95)
        )
        by = "its look, then a second run" if odd else "a second run"
        print(f"| {cheat.sentence} | {by} | {known} | {most} | {new} | {new_most} |")
        late += [name] if most > LATEST else []
    for cheat, (by, tasks) in BY_WHAT.items():
        print(f"| {cheat.sentence} | {by} | {tasks} | {tasks} | {tasks} | {tasks} |")
    print(f"\ncost: {PROBABILITY:.0%} of all pictures are made twice; one more for each that is doubtful")
    print(f"found later than after {LATEST} tasks (95 %): {', '.join(late) or 'none'}")
    return late
