"""Stake brings the work that its odds promise: over many draws, under churn, however it is split."""

import random

import pytest

from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import NodeId
from cuckoo.scheduler.decisions import AssignTask
from cuckoo.scheduler.fairness import OddsTally, allowed_sigmas, shares
from cuckoo.scheduler.simulate import Scenario, simulate
from tests.support.scheduling import World, of

ALPHA = 0.001


def all_within(found):
    sigmas = allowed_sigmas(len(found), ALPHA)
    return all(low <= share.won <= high for share in found.values() for low, high in [share.chance_range(sigmas)])


def chi_square(found):
    """Return the statistic, and its critical value for p = 0.001 (Wilson-Hilferty)."""
    counted = [share for share in found.values() if share.expected >= 5]
    value = sum((share.won - share.expected) ** 2 / share.expected for share in counted)
    freedom = max(1, len(counted) - 1)
    cut = 2 / (9 * freedom)
    return value, freedom * (1 - cut + 3.0902 * cut**0.5) ** 3


def churned(draws, seed):
    """Draw among miners that come, go and change their stake; every miner's wins against its odds."""
    rng = random.Random(seed)
    world = World()
    stakes = {node: rng.randrange(20_000, 400_000) for node in range(1, 21)}
    for node, stake in stakes.items():
        world.join(node, stake)
    for number in range(draws):
        if rng.random() < 0.1:
            node = rng.randrange(1, 21)
            rng.choice((world.unpark, world.park, lambda one: world.weigh(one, rng.randrange(20_000, 400_000))))(node)
        for assigned in of(world.accept(number), AssignTask):
            world.now += 1.0
            world.result(assigned)
            if rng.random() < 0.98:
                world.park(assigned.node)
        if not world.state.active_miners():
            for node in stakes:
                world.park(node)
    return world


def test_draws__under_churn__everybody_within_what_chance_allows():
    world = churned(6_000, seed=7)
    found = world.state.shares()
    assert sum(share.won for share in found.values()) >= 5_900
    assert sum(share.expected for share in found.values()) == pytest.approx(sum(share.won for share in found.values()))
    assert all_within(found)
    value, critical = chi_square(found)
    assert value < critical
    assert len(world.replay().draws) == sum(share.won for share in found.values())


def test_shares__at_low_load__follow_stake():
    outcome = simulate(Scenario(stakes=(10, 20, 70), load=0.05, prefetch=True, tasks=4_000))
    assert all_within(outcome.shares)
    for stake, done in zip((10, 20, 70), outcome.done, strict=True):
        assert done / 4_000 == pytest.approx(stake / 100, abs=0.03)


def test_stake__split_over_many_nodes__brings_nothing():
    whole = simulate(Scenario(stakes=(50, 50), load=0.02, prefetch=True, tasks=6_000))
    split = simulate(Scenario(stakes=(50, *[5] * 10), load=0.02, prefetch=True, tasks=6_000))
    assert all_within(split.shares)
    promised = sum(split.shares[NodeId(node)].expected for node in range(2, 12))
    assert promised / 6_000 == pytest.approx(whole.shares[NodeId(2)].expected / 6_000, abs=0.02)


def test_tally__one_that_wins_too_often__is_outside():
    tally = OddsTally()
    for node in (1, 2):
        tally.weigh(NodeId(node), 100 * CAI)
    for number in range(400):
        tally.drawn(NodeId(1 if number % 4 else 2), 200 * CAI, ())
    assert not all_within(shares([tally]))
