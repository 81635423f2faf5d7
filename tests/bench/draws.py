"""Row ``draws``: drawing a miner against ``random.choices`` and numpy.

One operation draws a miner, takes it out of the tree and puts it back; the others only draw. u comes in ready-made: the
hash that makes it and the log row are measured apart, as neither depends on the number of miners. The three are timed
in turns. numpy works on an array that is made once, in floating point, and so can not be replayed exactly; it has to be
rebuilt whenever a miner parks or leaves, which is part of its time here, as it is part of the tree's.
"""

import hashlib
import itertools
import random
import statistics
import time

import numpy as np

from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.draw import scale, uniform
from cuckoo.scheduler.drawlog import DrawLog, DrawRow
from cuckoo.scheduler.fenwick import SumTree
from tests.bench.figures import Figure, Row

BARS = {100: None, 1_000: None, 10_000: 50, 100_000: 400, 1_000_000: None}
ROUNDS = 15


def _microseconds(operation, times):
    start = time.perf_counter()
    for _ in range(times):
        operation()
    return (time.perf_counter() - start) / times * 1e6


def _compare(miners):
    rng = random.Random(miners)
    weights = [rng.randrange(20_000, 1_000_000) * CAI for _ in range(miners)]
    tree = SumTree()
    for node, weight in enumerate(weights, 1):
        tree.set(node, weight)
    us = itertools.cycle([rng.getrandbits(256) for _ in range(4_096)])
    population, array, generator = range(miners), np.array(weights, dtype=float), np.random.default_rng(miners)

    def tree_draw():
        x = scale(next(us), tree.total)
        if x is not None:
            node = tree.find(x)
            weight = tree.weight(node)
            tree.set(node, 0)
            tree.set(node, weight)

    def numpy_draw():
        sums = np.cumsum(array)
        np.searchsorted(sums, generator.random() * sums[-1])

    few = max(3, 100_000 // miners)
    rounds = [
        (
            _microseconds(tree_draw, 3_000),
            _microseconds(lambda: random.choices(population, weights), few),
            _microseconds(numpy_draw, few),
        )
        for _ in range(ROUNDS)
    ]
    tree_us, choices_us, numpy_us = (statistics.median(times) for times in zip(*rounds, strict=True))
    return {
        "miners": miners,
        "over_choices": statistics.median(choices / drawn for drawn, choices, _ in rounds),
        "over_numpy": statistics.median(array / drawn for drawn, _, array in rounds),
        "tree_us": tree_us,
        "choices_us": choices_us,
        "numpy_us": numpy_us,
    }


def _hash_and_log():
    seed, indices = hashlib.sha256(b"bench").digest(), itertools.count()
    log = DrawLog(seed)
    log.begin_period(1, 1)
    model = log.model_index(ModelDigest("ab" * 32))
    row = DrawRow(0, 0, model, TaskId("cd" * 16), 1, 0, NodeId(7), 10**25, 10_000)
    hash_us = statistics.median(_microseconds(lambda: uniform(seed, next(indices), 0), 3_000) for _ in range(ROUNDS))
    row_us = statistics.median(_microseconds(lambda: log.append(row), 3_000) for _ in range(ROUNDS))
    return [Figure("the hash that makes u", hash_us, "us"), Figure("the log row with its head", row_us, "us")]


def measure(options):
    """Measure the row."""
    rows = [_compare(miners) for miners in BARS]
    figures = []
    for row in rows:
        miners = row["miners"]
        figures += [
            Figure(f"random.choices over a draw, {miners:,} miners", row["over_choices"], "x", BARS[miners]),
            Figure(f"numpy over a draw, {miners:,} miners", row["over_numpy"], "x"),
            Figure(f"a draw with removal and return, {miners:,} miners", row["tree_us"], "us"),
        ]
    return Row(figures + _hash_and_log(), {"draws": rows})
