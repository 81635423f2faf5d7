"""Anybody can replay a log: an honest one holds, a log that was touched anywhere does not."""

import contextlib
import random
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuckoo.scheduler.decisions import AssignTask
from cuckoo.scheduler.drawlog import (
    DrawRow,
    LogBroken,
    ParkRow,
    PeriodRow,
    UnparkRow,
    WeightRow,
    decode_row,
    encode_row,
    first_head,
)
from cuckoo.scheduler.eligibility import Exclusion
from cuckoo.scheduler.replay import replay, share_of
from tests.support.scheduling import OTHER_MODEL, TIP, World, capability, demand, of, seed_of


@cache
def history():
    """A log with two periods, two models, retries, changing stakes: every kind of row."""
    world, rng = World(), random.Random(5)
    for node in range(1, 7):
        world.sign_in(node, 20_000 * node, slots=2, capabilities=(capability(), capability(OTHER_MODEL)))
        for slot in range(3):
            world.park(node, slot, (capability().model, OTHER_MODEL))
    for number in range(60):
        if number == 30:
            world.period(2)
        world.weigh(rng.randrange(1, 7), rng.randrange(20_000, 90_000))
        for assigned in of(world.accept(number, demand(rng.choice((capability().model, OTHER_MODEL)))), AssignTask):
            world.now += 1
            again = world.failure(assigned) if number % 4 == 0 else world.result(assigned)
            for retried in of(again, AssignTask):
                world.result(retried)
            world.park(assigned.node, assigned.slot, (capability().model, OTHER_MODEL))
    world.unpark(3, 0)
    return world


def replayed(rows, seeds=None):
    return replay(rows, seeds or history().seeds, first_head(TIP), 0)


def test_replay__honest_log__ends_at_the_signed_head_with_every_draw():
    world = history()
    found = replayed(world.rows)
    signed = {one.draw_index: one for one in of(world.decisions, AssignTask)}
    assert found.head == world.head
    assert [draw.row.index for draw in found.draws] == list(range(len(signed)))
    for draw in found.draws:
        assignment = signed[draw.row.index]
        assert (draw.head, draw.row.node, draw.block) == (assignment.draw_head, assignment.node, assignment.draw_block)
        assert (draw.weight_wei, draw.row.total_wei) == (assignment.weight_wei, assignment.total_wei)


def test_replay__kinds_of_rows_in_this_history__all():
    kinds = {type(decode_row(row)) for row in history().rows}
    assert {PeriodRow, ParkRow, UnparkRow, WeightRow, DrawRow} <= kinds


@given(data=st.data())
@settings(max_examples=150)
def test_replay__any_byte_changed__is_not_the_signed_head(data):
    rows = list(history().rows)
    number = data.draw(st.integers(0, len(rows) - 1))
    place = data.draw(st.integers(0, len(rows[number]) - 1))
    flipped = bytearray(rows[number])
    flipped[place] ^= data.draw(st.integers(1, 255))
    rows[number] = bytes(flipped)
    refused_or_other(rows)


@given(first=st.integers(0, 10_000), second=st.integers(0, 10_000), how=st.sampled_from(("omit", "swap", "double")))
@settings(max_examples=150)
def test_replay__rows_omitted_exchanged_or_doubled__is_not_the_signed_head(first, second, how):
    rows = list(history().rows)
    first, second = first % len(rows), second % len(rows)
    if how == "omit":
        del rows[first]
    elif how == "double":
        rows.insert(second, rows[first])
    elif rows[first] != rows[second]:
        rows[first], rows[second] = rows[second], rows[first]
    if rows != list(history().rows):
        refused_or_other(rows)


def refused_or_other(rows):
    try:
        found = replayed(rows)
    except LogBroken:
        return
    assert found.head != history().head


def draws_of(rows):
    return [number for number, row in enumerate(rows) if isinstance(decode_row(row), DrawRow)]


def retold(change):
    """Return the log with its tenth draw told otherwise."""
    rows = list(history().rows)
    number = draws_of(rows)[10]
    rows[number] = encode_row(msgspec.structs.replace(decode_row(rows[number]), **change(decode_row(rows[number]))))
    return rows


# What a coordinator that signs whatever it likes could claim: the chain of hashes does not help here, the seed does.
@pytest.mark.parametrize(
    "change",
    [
        lambda row: {"node": row.node % 6 + 1},
        lambda row: {"tries": row.tries + 1},
        lambda row: {"total_wei": row.total_wei + 1},
        lambda row: {"candidates": row.candidates - 1},
        lambda row: {"index": row.index + 1},
        lambda row: {"excluded": ((row.node, Exclusion.TRIED),)},
        lambda row: {"model_index": 9},
    ],
    ids=["winner", "try", "total", "candidates", "index", "winner excluded", "model"],
)
def test_replay__a_draw_told_otherwise__is_refused(change):
    with pytest.raises(LogBroken, match="replay row"):
        replayed(retold(change))


def test_replay__a_stake_told_otherwise__changes_who_wins():
    rows = list(history().rows)
    number = next(n for n, row in enumerate(rows) if isinstance(decode_row(row), ParkRow))
    row = decode_row(rows[number])
    rows[number] = encode_row(msgspec.structs.replace(row, weight_wei=row.weight_wei * 2))
    with pytest.raises(LogBroken, match="total weight"):
        replayed(rows)


def test_replay__another_seed__is_refused():
    with pytest.raises(LogBroken, match="the seed decides"):
        replayed(history().rows, {1: seed_of(77), 2: seed_of(2)})


def test_replay__seed_not_known__is_refused():
    with pytest.raises(LogBroken, match="the seed of period 2 is not known"):
        replayed(history().rows, {1: seed_of(1)})


@given(st.lists(st.binary(max_size=90), max_size=20))
def test_replay__any_bytes__a_refusal_and_nothing_worse(rows):
    with contextlib.suppress(LogBroken):
        replayed(rows)


def test_share_of__from_the_public_log__is_what_the_coordinator_counts():
    world = history()
    counted = world.state.shares()
    for node in range(1, 7):
        share = share_of(world.rows, node)
        assert share.won == counted[node].won
        assert share.expected == pytest.approx(counted[node].expected)
        assert share.variance == pytest.approx(counted[node].variance)
    assert share_of(world.rows, 99).expected == 0
