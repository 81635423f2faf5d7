"""Rewards put back to work: exactly what was claimed, once, wherever the process dies; and what they are a year."""

import secrets

import pytest
from msgspec.structs import replace

from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.staking.compounding import Compounding
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.rewards import RewardBook
from cuckoo.services.staking.wallet import Wallet, drip
from cuckoo.services.staking.yields import YEAR_S, Yields
from cuckoo.storage.ledger import COMPOUNDED, REWARDS
from cuckoo.storage.store import open_store

VOTES = 5_000 * CAI


class Killed(BaseException):
    """The process dies."""


class Mortal(Wallet):
    """A wallet whose process dies before or after one of its steps."""

    dies = ("", "")

    async def _step(self, name, act, *args):
        if self.dies == ("before", name):
            raise Killed
        answer = await act(*args)
        if self.dies == ("after", name):
            raise Killed
        return answer

    async def claim_of(self, *args):
        return await self._step("claim", super().claim_of, *args)

    async def deposit(self, *args):
        return await self._step("deposit", super().deposit, *args)

    async def vote(self, *args):
        return await self._step("vote", super().vote, *args)


async def voter_behind_a_miner(chain):
    """Return the wallet of somebody who votes for a fresh miner, and the miner's node."""
    owner = await chain.person()
    await owner.deposit(20_000 * CAI)
    new = NewNode(role=Role.MINER, introduction=Introduction(name="a miner"), amount=Wei(20_000 * CAI))
    node = await Registration(chain.client, owner.sender).register(new, Signer(secrets.token_bytes(32)))
    sender = Sender(chain.client, secrets.token_bytes(32))
    await drip(chain.client, chain.payer, sender.address)
    wallet = Mortal(chain.client, sender.address, sender)
    await wallet.deposit(VOTES)
    await wallet.vote(node.node_id, VOTES)
    return wallet, node.node_id


def compounding(chain, wallet, store):
    return Compounding(chain.client, wallet, store, at_wei=Wei(CAI), clock=SystemClock())


@pytest.mark.parametrize("step", ["claim", "deposit", "vote"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_compound__killed_at_any_step__goes_on_and_nothing_is_done_twice(chain, tmp_path, moment, step):
    wallet, node = await voter_behind_a_miner(chain)
    await chain.pass_time(600)
    rich = (await wallet.portfolio()).wallet_wei
    async with open_store(tmp_path) as store:
        wallet.dies = (moment, step)
        with pytest.raises(Killed):
            await compounding(chain, wallet, store).look(await wallet.portfolio())
    wallet.dies = ("", "")
    async with open_store(tmp_path) as store:
        before = await wallet.portfolio()
        waiting = [replace(stake, rewards_wei=Wei(0)) for stake in before.stakes]
        await compounding(chain, wallet, store).look(replace(before, stakes=tuple(waiting)))
        after = await wallet.portfolio()
        (stake,) = after.stakes
        compounded = stake.active_wei - VOTES
        assert compounded > CAI
        assert after.wallet_wei == rich, "nothing else in the wallet was touched"
        assert after.idle_wei == 0
        await chain.pass_time(1)
        await RewardBook(chain.client, wallet.address, store).advance()
        rows = await store.ledger.entries(REWARDS, node)
        assert [row.amount_wei for row in rows] == [compounded]
        assert await store.ledger.cumulative(COMPOUNDED, node) == compounded
        assert not await store.compounds.all_open()
        assert await RewardBook(chain.client, wallet.address, store).advance() == 0


async def test_compound__too_little_or_no_weight__left_alone(chain, tmp_path):
    wallet, _ = await voter_behind_a_miner(chain)
    await chain.pass_time(600)
    portfolio = await wallet.portfolio()
    async with open_store(tmp_path) as store:
        too_much = Compounding(chain.client, wallet, store, at_wei=Wei(10**6 * CAI), clock=SystemClock())
        await too_much.look(portfolio)
        (stake,) = portfolio.stakes
        jailed = replace(stake, node=replace(stake.node, weight_wei=Wei(0)))
        await compounding(chain, wallet, store).look(replace(portfolio, stakes=(jailed,)))
        assert not await store.compounds.all_open()
    assert (await wallet.portfolio()).wallet_wei == portfolio.wallet_wei


async def test_yield__claims_and_votes_in_between__is_rewards_by_stake_and_time(chain):
    wallet, node = await voter_behind_a_miner(chain)
    await chain.pass_time(86_400)
    claimed = (await wallet.portfolio()).wallet_wei
    await wallet.claim(node)
    claimed = (await wallet.portfolio()).wallet_wei - claimed
    await wallet.deposit(VOTES)
    await wallet.vote(node, VOTES)
    await chain.pass_time(86_400)
    portfolio = await wallet.portfolio()
    block = await chain.client.block(portfolio.block)
    yields = Yields(chain.client, wallet.address)
    ((whole, part),) = await yields.read(portfolio.stakes, block, (30 * 86_400, 43_200))
    (stake,) = portfolio.stakes
    assert whole.rewards_wei == stake.rewards_wei + claimed
    assert whole.span_s == pytest.approx(2 * 86_400, abs=60)
    average = 1.5 * VOTES
    assert whole.percent == pytest.approx(100 * whole.rewards_wei / average * YEAR_S / whole.span_s, rel=0.01)
    assert part.span_s == pytest.approx(43_200, abs=86_400)
    assert 0 < part.rewards_wei <= stake.rewards_wei
    assert part.percent == pytest.approx(100 * part.rewards_wei / (2 * VOTES) * YEAR_S / part.span_s, rel=0.01)
