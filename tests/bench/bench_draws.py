"""Draw speed against ``random.choices``; ratios first, because they hold on any machine (the two are timed in turns).

One operation draws a miner, takes it out of the tree and puts it back. u comes in ready-made: the hash that makes it and
the log row are measured apart, as neither depends on the number of miners. Run: ``python tests/bench/bench_draws.py``
(add ``--json`` for one JSON object). Exit code 1 when a bar is missed.
"""

import hashlib
import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import Callable

from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.draw import scale, uniform
from cuckoo.scheduler.drawlog import DrawLog, DrawRow
from cuckoo.scheduler.fenwick import SumTree

BARS = {100: 0.0, 10_000: 50.0, 100_000: 400.0}
_ROUNDS = 15


def _microseconds(operation: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        operation()
    return (time.perf_counter() - start) / times * 1e6


def _median_us(operation: Callable[[], object], times: int) -> float:
    return statistics.median(_microseconds(operation, times) for _ in range(_ROUNDS))


def _measure(miners: int) -> dict[str, float]:
    rng = random.Random(miners)
    weights = [rng.randrange(20_000, 1_000_000) * CAI for _ in range(miners)]
    tree = SumTree()
    for node, weight in enumerate(weights, 1):
        tree.set(node, weight)
    us = itertools.cycle([rng.getrandbits(256) for _ in range(4_096)])

    def tree_draw() -> None:
        x = scale(next(us), tree.total)
        if x is not None:
            node = tree.find(x)
            weight = tree.weight(node)
            tree.set(node, 0)
            tree.set(node, weight)

    population = range(miners)
    rounds = [
        (
            _microseconds(tree_draw, 3_000),
            _microseconds(lambda: random.choices(population, weights), max(3, 100_000 // miners)),
        )
        for _ in range(_ROUNDS)
    ]
    return {
        "miners": miners,
        "ratio": statistics.median(choices / drawn for drawn, choices in rounds),
        "tree_us": statistics.median(drawn for drawn, _ in rounds),
        "choices_us": statistics.median(choices for _, choices in rounds),
    }


def _hash_and_log() -> dict[str, float]:
    seed, indices = hashlib.sha256(b"bench").digest(), itertools.count()
    log = DrawLog(seed)
    log.begin_period(1, 1)
    model = log.model_index(ModelDigest("ab" * 32))
    row = DrawRow(0, 0, model, TaskId("cd" * 16), 1, 0, NodeId(7), 10**25, 10_000)
    return {
        "hash_us": _median_us(lambda: uniform(seed, next(indices), 0), 3_000),
        "log_row_us": _median_us(lambda: log.append(row), 3_000),
    }


def main() -> int:
    """Measure, print, and compare with the bars of the design."""
    rows = [_measure(miners) for miners in BARS]
    apart = _hash_and_log()
    missed = [row for row in rows if row["ratio"] < BARS[int(row["miners"])]]
    if "--json" in sys.argv:
        print(json.dumps({"draws": rows, **apart, "bars_met": not missed}))
        return bool(missed)
    print("miners    faster than random.choices (bar)    draw + remove + re-add    random.choices")
    for row in rows:
        bar = BARS[int(row["miners"])]
        shown = f"({bar:.0f} x)" if bar else ""
        print(
            f"{row['miners']:>7,}   {row['ratio']:>8.1f} x {shown:<12}"
            f"{row['tree_us']:>34.2f} us {row['choices_us']:>14.1f} us"
        )
    print(f"apart: hash for u {apart['hash_us']:.2f} us, log row with its head {apart['log_row_us']:.2f} us")
    return bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
