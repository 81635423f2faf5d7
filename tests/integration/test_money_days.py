"""Random days of results, lost answers, crashes, redemptions, thaws, reorganisations and old backups: to the wei."""

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from cuckoo.domain.amounts import CAI
from tests.support.escrow_chain import Refused
from tests.support.money import World

PRICES = st.integers(1, 4 * CAI) | st.sampled_from([1, 9, 10, 11, CAI, CAI // 3])
SIDE = st.sampled_from([0, 0, 0, 1])


async def work(world, one, other, price, place="", dies=None):
    coordinator, miner = world.coordinators[one], world.miners[other]
    victims = [(coordinator, miner)[dies]] if dies is not None else []
    await world.dying(world.work(coordinator, miner, price), place, victims)


async def deliver(world, one):
    await world.dying(world.deliver_again(world.miners[one]))


async def redeem(world, one, place):
    miner = world.miners[one]
    await world.dying(miner.redeeming.look(), place, [miner])


async def refresh(world, one, place):
    coordinator = world.coordinators[one]
    await world.dying(coordinator.purse.refresh(), place, [coordinator])


async def thaw(world, one, other, tenths):
    pair = world.coordinators[one].node, world.miners[other].node
    with suppress(Refused):
        world.chain.thaw(*pair, world.chain.account(*pair).balance_wei * tenths // 10)


async def withdraw(world, one, other):
    await world.withdraw(world.coordinators[one], world.miners[other])


async def book(world, one, place):
    for party in (*world.parties[one:], *world.parties[:one]):
        await world.dying(world.book(party), place, [party])


async def blocks(world, number):
    world.chain.pass_time(1, number)


async def reorganise(world, depth, again):
    world.chain.reorganise(depth, again=again)


async def restart(world, one):
    await world.parties[one].start()


async def back_up(world, one):
    await world.parties[one].back_up()


async def restore(world, one):
    await world.parties[one].restore()


def happens(what, *how):
    return st.tuples(st.just(what), *how)


PARTY = st.integers(0, 3)
EVENTS = st.one_of(
    happens(work, SIDE, SIDE, PRICES),
    happens(work, SIDE, SIDE, PRICES),
    happens(work, SIDE, SIDE, PRICES, st.sampled_from(["before accepting", "accepted", "deposited"]), st.just(0)),
    happens(work, SIDE, SIDE, PRICES, st.sampled_from(["answer lost", "earned"]), st.just(1)),
    happens(deliver, SIDE),
    happens(redeem, SIDE, st.sampled_from(["", "before redeeming", "redeemed"])),
    happens(refresh, SIDE, st.sampled_from(["", "deposited"])),
    happens(thaw, SIDE, SIDE, st.integers(1, 10)),
    happens(withdraw, SIDE, SIDE),
    happens(book, PARTY, st.sampled_from(["", "movements read"])),
    happens(blocks, st.integers(1, 4)),
    happens(reorganise, st.integers(1, 3), st.booleans()),
    happens(restart, PARTY),
    happens(back_up, PARTY),
    happens(restore, PARTY),
)
DAYS = st.lists(st.lists(EVENTS, min_size=5, max_size=20), min_size=5, max_size=15)


async def lives(days):
    with tempfile.TemporaryDirectory() as folder, capture_logs():
        world = World(Path(folder))
        for party in world.parties:
            await party.open()
        try:
            for day in days:
                for what, *how in day:
                    await what(world, *how)
                await world.end_of_day()
        finally:
            for party in world.parties:
                await party.close()


@pytest.mark.timeout(600)  # a failure is made smaller for up to five minutes
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(DAYS)
def test_days__whatever_happens__ledgers_vouchers_and_chain_agree_to_the_wei(days):
    asyncio.run(lives(days))
