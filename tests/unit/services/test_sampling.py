"""Which results are checked, and what follows for cheats and for honest miners; `make cheats` does more of it."""

import random

import pytest

from cuckoo.services.auditing.sampling import NEWCOMER_AUDITS, Sample
from tests.bench import until
from tests.bench.honest import judged


def rate(sample, miner, health, count=20_000):
    return sum(sample.chosen(miner, number.to_bytes(8, "big"), health, False) for number in range(count)) / count


def test_chosen__known_new_and_unhealthy__two_and_ten_percent():
    sample = Sample(0.02, b"secret")
    sample.found_right(2, NEWCOMER_AUDITS)
    assert rate(sample, 2, 1.0) == pytest.approx(0.02, rel=0.2)
    assert rate(sample, 2, 0.5) == pytest.approx(0.10, rel=0.2)
    assert rate(sample, 3, 1.0) == pytest.approx(0.10, rel=0.2)


@pytest.mark.parametrize(("probability", "expected"), [(0.02, True), (0.0, False)])
def test_chosen__suspicious__always_unless_audits_are_off(probability, expected):
    assert Sample(probability, b"secret").chosen(2, b"receipt", 1.0, True) is expected


def test_chosen__another_secret__another_choice():
    receipts = [number.to_bytes(8, "big") for number in range(1_000)]
    first, second = ([Sample(0.1, secret).chosen(2, one, 1.0, False) for one in receipts] for secret in (b"a", b"b"))
    assert first != second


def test_tasks_until__whatever_shows__is_found_within_the_bar():
    median, most = (until.tasks_until(part, 1.0, newcomer=False) for part in (0.5, 0.95))
    assert (median, most) == (35, 149)
    assert most <= until.LATEST
    assert until.tasks_until(0.5, 1.0, newcomer=True) == 7
    assert until.tasks_until(0.95, 1.0, newcomer=False, suspicious=True) == 1


def test_tasks_until__found_by_half_of_the_checks__as_production_draws_them():
    rng, counts = random.Random(1), []
    for _ in range(2_000):
        sample, tasks = Sample(0.02, rng.randbytes(32)), 0
        while True:
            tasks += 1
            if sample.chosen(2, rng.randbytes(8), 1.0, False):
                if rng.random() < 0.5:
                    break
                sample.found_right(2)
        counts.append(tasks)
    for part in (0.5, 0.9):
        measured = sorted(counts)[int(part * len(counts))]
        assert measured == pytest.approx(until.tasks_until(part, 0.5, newcomer=True), rel=0.15)


def test_judged__honest_miners_of_all_kinds__nobody_is_found_wrong():
    assert judged(200)[:2] == (0, 0)
