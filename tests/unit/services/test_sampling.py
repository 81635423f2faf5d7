"""Which results are checked, and what follows for cheats and for honest miners; `make cheats` does more of it."""

import random

import pytest

from cuckoo.demo.cheats import Cheat
from cuckoo.services.auditing.sampling import NEWCOMER_AUDITS, Sample
from tests.bench import until
from tests.bench.honest import simulated


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


def test_row__whatever_shows__is_found_within_the_bar():
    median, most, new, new_most, cost = until.row(Cheat.NOISE, 1.0, random.Random(1))
    assert 30 <= median <= 39
    assert most <= until.LATEST
    assert new < median
    assert new_most < most
    assert 0.015 < cost < 0.025


def test_simulated__honest_miners_of_all_kinds__nobody_is_found_wrong():
    assert simulated(200)[:2] == (0, 0)
