"""The rows of a draw log say in which draws a node stood, and why not in the others."""

import random

import pytest

from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.decisions import AssignTask
from cuckoo.scheduler.drawlog import (
    DrawRow,
    ModelRow,
    ParkRow,
    PeriodRow,
    UnparkRow,
    WeightRow,
    encode_row,
    peek,
)
from cuckoo.scheduler.eligibility import Exclusion
from cuckoo.scheduler.pool import Pool
from cuckoo.scheduler.presence import Presence, presences
from tests.support.scheduling import MODEL, OTHER_MODEL, World, capability, demand, of

ME, OTHER = NodeId(7), NodeId(8)
BEGIN = [PeriodRow(5, 100), ModelRow(0, ModelDigest("ab" * 32)), ModelRow(1, ModelDigest("cd" * 32))]


def draw(model=0, excluded=()):
    return DrawRow(
        index=3,
        at_ms=1,
        model_index=model,
        task_id=TaskId("ef" * 16),
        attempt=1,
        tries=0,
        node=OTHER,
        total_wei=100,
        candidates=2,
        excluded=tuple(excluded),
    )


def stood(*rows, **more):
    return list(presences(map(encode_row, rows), ME, **more))


def test_node__that_polls__stands_in_the_draws_of_its_model_with_its_weight():
    rows = (*BEGIN, ParkRow(ME, 0, 40), draw(0), draw(1), WeightRow(ME, 30), draw(0))
    assert stood(*rows) == [Presence(True, None, 40), Presence(False, None), Presence(True, None, 30)]


def test_node__that_left__is_absent_for_the_reason_of_leaving_until_it_polls_again():
    rows = (*BEGIN, ParkRow(ME, 0, 40), UnparkRow(ME, 0, Exclusion.SLOTS_TAKEN), draw(), ParkRow(ME, 0, 40), draw())
    assert stood(*rows) == [Presence(False, Exclusion.SLOTS_TAKEN), Presence(True, None, 40)]


def test_node__that_a_draw_excludes__has_that_reason():
    others = [(NodeId(number), Exclusion.TOO_MANY_PIXELS) for number in range(1, 40) if number != ME]
    mine = sorted([*others, (ME, Exclusion.PRICE_TOO_LOW)])
    assert stood(*BEGIN, ParkRow(ME, 0, 40), draw(excluded=mine), draw(excluded=others)) == [
        Presence(True, Exclusion.PRICE_TOO_LOW, 40),
        Presence(True, None, 40),
    ]


def test_rows__of_other_nodes__change_nothing():
    rows = (*BEGIN, ParkRow(ME, 0, 40), UnparkRow(OTHER, 0, Exclusion.SILENT), WeightRow(OTHER, 1), draw())
    assert stood(*rows) == [Presence(True, None, 40)]


def test_period__that_begins__empties_the_trees_and_keeps_the_reason():
    gone = UnparkRow(ME, 0, Exclusion.UNHEALTHY)
    again = [PeriodRow(6, 101), ModelRow(0, ModelDigest("cd" * 32))]
    assert stood(*BEGIN, ParkRow(ME, 0, 40), *again, draw()) == [Presence(False, None)]
    assert stood(*BEGIN, ParkRow(ME, 0, 40), gone, *again, draw()) == [Presence(False, Exclusion.UNHEALTHY)]


def test_rows__that_begin_late__know_a_node_from_the_draw_that_excludes_it():
    rows = (draw(), draw(excluded=[(ME, Exclusion.ESCROW_TOO_LOW)]))
    assert stood(*rows, weight_wei=9) == [Presence(False, None), Presence(True, Exclusion.ESCROW_TOO_LOW, 9)]


def test_peek__finds_every_excluded_node_and_no_other():
    excluded = [(NodeId(number), Exclusion(1 + number % 13)) for number in range(2, 60, 3)]
    row = encode_row(draw(5, excluded))
    for number in range(70):
        assert peek(row, NodeId(number)) == (5, dict(excluded).get(number))


@pytest.mark.parametrize("seed", range(6))
def test_presences__of_a_busy_hour__are_what_the_scheduler_saw_at_every_draw(seed, monkeypatch):
    """Random events; what every node was at each draw is noted by the scheduler itself, then read from the rows."""
    dice, world, nodes = random.Random(seed), World(), range(1, 7)
    seen, drawn = [], Pool.excluded

    def noting(pool, task, miners):
        excluded = drawn(pool, task, miners)
        standing = {n: (n in pool.active, excluded.get(n), pool.tree.weight(n)) for n in nodes}
        seen.append((task.task_id, task.attempts, standing))
        return excluded

    monkeypatch.setattr(Pool, "excluded", noting)
    both = (capability(), capability(OTHER_MODEL))
    for number in range(400):
        node, running = dice.choice(nodes), [a for m in world.state.miners.values() for a in m.attempts]
        match dice.randrange(9):
            case 0:
                world.sign_in(node, dice.choice([20_000, 50_000]), capabilities=both[: dice.choice([1, 2])], escrow=500)
            case 1 | 2:
                world.park(node, models=(MODEL, OTHER_MODEL))
            case 3:
                world.unpark(node)
            case 4:
                world.weigh(node, dice.choice([0, 20_000, 90_000]))
            case 5 if running:
                one = dice.choice(running)
                (world.result if dice.random() < 0.6 else world.failure)(assignment_of(world, one))
            case 6:
                world.tick(dice.choice([1.0, 5.0, 25.0]))
                world.period(2 + number)
            case _:
                price, pixels = dice.choice([0, 100, 900]), dice.choice([4_096, 10**7])
                world.accept(number, demand(dice.choice([MODEL, OTHER_MODEL]), price=price, pixels=pixels))
    draws = of(world.decisions, AssignTask)
    assert len(draws) > 20
    by_draw = {(task, attempts + 1): standing for task, attempts, standing in seen}
    for node in nodes:
        for draw_, stood_ in zip(draws, presences(world.rows, NodeId(node)), strict=True):
            active, reason, weight = by_draw[draw_.task_id, draw_.attempt][node]
            assert (stood_.active, stood_.weight_wei) == (active, weight)
            if active:
                assert stood_.reason is reason


def assignment_of(world, attempt):
    made = of(world.decisions, AssignTask)
    return next(one for one in made if (one.task_id, one.attempt) == (attempt.task.task_id, attempt.number))
