"""A signed-in miner asks a real coordinator why it did not get the tasks of the last hour."""

import asyncio

import pytest
from msgspec.structs import replace

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import LimitReached, NotSignedIn
from cuckoo.domain.pricing import Rates
from cuckoo.protocol.messages import TaskRequest
from cuckoo.services.dispatch.missed import AGAIN_S
from tests.support.coordinating import OFFER, ScriptedMiner, ShiftedClock, app, running

LARGE = {"width_px": 128, "height_px": 128}


@pytest.fixture
def clock():
    return ShiftedClock()


@pytest.fixture
async def coordinator(tmp_path, clock):
    async with running(tmp_path, clock=clock, rates=Rates(default=Wei(10**9))) as coordinator:
        yield coordinator


@pytest.fixture
async def client(coordinator):
    async with app(coordinator) as client:
        yield client


@pytest.fixture
async def people(coordinator):
    """Make miners that sign in, and close them at the end."""
    made = []

    async def miner(node_id, **offer):
        one = ScriptedMiner(coordinator, node_id=node_id)
        made.append(one)
        await one.sign_in(models=(replace(OFFER, **offer),))
        return one

    yield miner
    for one in made:
        await one.client.close()


async def until_parked(coordinator, count):
    async with asyncio.timeout(10):
        while coordinator.parked() < count:  # noqa: ASYNC110 - other tasks bring it about
            await asyncio.sleep(0.005)


async def ask(client, *, count=1, **more):
    return [await client.submit(TaskRequest(prompt="a red apple", **more)) for _ in range(count)]


async def missed(miner):
    return await miner.client.missed(miner.token)


def reasons(view):
    return {one.task_id: one.reason for one in view.tasks}


async def test_missed__draws_among_two__are_lost_with_their_odds_or_won(coordinator, client, people):
    first, second = await people(2), await people(3)
    by_node = {2: 0, 3: 0}
    for _ in range(6):
        polls = {asyncio.create_task(one.poll()): one for one in (first, second)}
        await until_parked(coordinator, 2)
        (view,) = await ask(client)
        done, waiting = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        (winner,) = done
        assert winner.result().assignment.task_id == view.task_id
        by_node[winner.result().assignment.miner_node] += 1
        await polls[winner].submit(winner.result().assignment, polls[winner].result(winner.result().assignment))
        for poll in waiting:
            poll.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        async with asyncio.timeout(10):
            while coordinator.parked():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    for miner, other in ((first, 3), (second, 2)):
        view = await missed(miner)
        assert view.won == by_node[miner.node_id]
        assert view.counts == ({"lost": by_node[other]} if by_node[other] else {})
        for one in view.tasks:
            assert (one.reason, one.odds, one.winner, one.winner_odds, one.candidates) == ("lost", 0.5, other, 0.5, 2)


async def test_missed__size_price_model_and_slots__each_has_its_reason(coordinator, client, people):
    asker = await people(2, max_pixels=64 * 64)
    dear = await people(3, min_rate_wei=Wei(10**12))
    other = await people(4, digest="cd" * 32)
    taker = await people(5)
    idle = {one: asyncio.create_task(one.poll()) for one in (asker, dear)}
    idle[other] = asyncio.create_task(other.poll(models=("cd" * 32,)))
    await until_parked(coordinator, 3)
    taking = asyncio.create_task(taker.poll())
    await until_parked(coordinator, 4)
    (large,) = await ask(client, **LARGE)
    await taking
    assert reasons(await missed(asker)) == {large.task_id: "too_many_pixels"}
    assert reasons(await missed(dear)) == {large.task_id: "price_too_low"}
    assert reasons(await missed(other)) == {large.task_id: "model_not_loaded"}
    view = await missed(taker)
    assert (view.won, view.tasks, view.counts) == (1, (), {})

    # The small one that follows goes to the asker: the taker's slot is taken.
    (small,) = await ask(client)
    assert (await idle[asker]).assignment.task_id == small.task_id
    coordinator.clock.ahead_s += AGAIN_S
    assert reasons(await missed(taker)) == {small.task_id: "slots_taken"}
    for poll in idle.values():
        poll.cancel()
    await asyncio.gather(*idle.values(), return_exceptions=True)


async def test_missed__before_it_signed_in_or_polled__says_so(coordinator, client, people):
    taker = await people(2)
    (first,) = await ask(client)
    await taker.serve_one()
    late = await people(3)
    (second,) = await ask(client)
    await taker.serve_one()
    view = await missed(late)
    assert reasons(view) == {first.task_id: "not_signed_in", second.task_id: "no_poll"}
    assert [one.winner for one in view.tasks] == [2, 2]


async def test_missed__tasks_that_nobody_took__are_there_with_what_stands_against_them(coordinator, client, people):
    asker = await people(2, min_rate_wei=Wei(10**12))
    (taken_back, waits) = await ask(client, count=2)
    await client.cancel(taken_back.task_id)
    view = await missed(asker)
    assert reasons(view) == {taken_back.task_id: "taken_back", waits.task_id: "price_too_low"}
    assert {one.winner for one in view.tasks} == {None}
    assert view.counts == {"taken_back": 1, "price_too_low": 1}


async def test_missed__an_hour_later__is_forgotten(coordinator, client, people):
    asker, taker = await people(2, min_rate_wei=Wei(10**12)), await people(3)
    await ask(client)
    await taker.serve_one()
    assert len((await missed(asker)).tasks) == 1
    coordinator.clock.ahead_s += 3_601
    await asker.sign_in()
    assert (await missed(asker)).tasks == ()


async def test_missed__asked_twice_at_once__is_told_to_come_again(coordinator, people):
    asker = await people(2)
    await missed(asker)
    with pytest.raises(LimitReached):
        await missed(asker)


async def test_missed__without_a_session__is_refused(coordinator, people):
    asker = await people(2)
    with pytest.raises(NotSignedIn):
        await asker.client.missed("no such token")
