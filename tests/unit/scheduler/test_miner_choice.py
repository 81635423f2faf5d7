"""A miner serves coordinators by their stake, and no idle giant keeps it from the others."""

from collections import Counter

import pytest

from cuckoo.domain.identifiers import NodeId
from cuckoo.scheduler.events import FailureKind
from cuckoo.scheduler.health import Health
from cuckoo.scheduler.miner_choice import CoordinatorChoice, CoordinatorOffer, choose

SEED = bytes(range(32))


def offer(node, weight, open_tasks=1):
    return CoordinatorOffer(node=NodeId(node), weight_wei=weight, open_tasks=open_tasks)


def test_choose__many_times__follows_weight():
    offers = [offer(5, 10), offer(6, 30), offer(9, 60)]
    counts = Counter(choose(offers, 1, SEED, number)[0] for number in range(3_000))
    for node, share in ((5, 0.1), (6, 0.3), (9, 0.6)):
        assert counts[NodeId(node)] / 3_000 == pytest.approx(share, abs=0.03)


def test_choose__several_slots__each_coordinator_once():
    assert sorted(choose([offer(1, 5), offer(2, 5), offer(3, 5)], 5, SEED)) == [1, 2, 3]


def test_choose__a_giant_without_work__is_left_aside():
    assert choose([offer(1, 10**9, 0), offer(2, 1)], 4, SEED) == (2,)


def test_choose__nobody_has_work__all_with_weight_take_part():
    assert sorted(choose([offer(1, 10, 0), offer(2, 10, 0), offer(3, 0, 0)], 4, SEED)) == [1, 2]


def test_choice__is_due__at_a_new_period_or_after_a_minute_without_work():
    choice = CoordinatorChoice(SEED, 1)
    assert choice.due(1, 0.0)
    choice.renew([offer(1, 1)], 1, 0.0)
    assert not choice.due(1, 59.0)
    assert choice.due(2, 1.0)
    assert choice.due(1, 60.0)
    choice.worked(30.0)
    assert not choice.due(1, 60.0)


def test_health__falls_with_failures_and_comes_back_with_time_and_success():
    health = Health(at=0.0)
    for _ in range(4):
        health = health.after_failure(FailureKind.TIMED_OUT, 0.0)
    assert health.left_out
    assert health.refreshed(400.0).left_out
    assert not health.refreshed(700.0).left_out
    assert Health(0.5, 0.0).after_success(0.0).value == pytest.approx(0.625)
    assert Health(0.5, 0.0).after_failure(FailureKind.HANDED_BACK, 0.0).value == pytest.approx(0.5)
