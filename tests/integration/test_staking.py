"""A staker's life on a real chain, through the use cases that the command line calls."""

import asyncio
import secrets
from unittest.mock import AsyncMock

import pytest

from cuckoo.chain.contracts import OWN, VOTES
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import ChainUnreachable, ConfigError
from cuckoo.domain.identifiers import Role
from cuckoo.domain.network import DEVNET
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.follower import Follower
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.rewards import RewardBook
from cuckoo.services.staking.watch import StakeWatch
from cuckoo.storage.store import open_store

MINER = NewNode(role=Role.MINER, introduction=Introduction(name="a miner"), amount=20_000 * CAI)


async def _miner(chain, **changes):
    owner = await chain.person()
    await owner.deposit(50_000 * CAI)
    operator = Signer(secrets.token_bytes(32))
    registered = await Registration(chain.client, owner.sender).register(MINER, operator)
    return owner, operator, registered.node_id


async def test_register__idle_stake_too_low__says_how_much_to_deposit(chain):
    owner = await chain.person()
    await owner.deposit(12_000 * CAI)
    with pytest.raises(ConfigError) as caught:
        await Registration(chain.client, owner.sender).register(MINER, Signer(secrets.token_bytes(32)))
    assert (
        "a miner needs 20,000 CAI of its own; this wallet has 12,000 staked: cuckoo stake deposit 8000"
        in str(caught.value)
    )  # fmt: skip


async def test_register__operator_has_a_node__asks_for_a_new_key(chain):
    owner, operator, node_id = await _miner(chain)
    with pytest.raises(ConfigError, match=f"belongs to node {node_id} for ever"):
        await Registration(chain.client, owner.sender).register(MINER, operator)


async def test_life__register_vote_unvote_release_withdraw__money_comes_back(chain):
    _, operator, node_id = await _miner(chain)
    node = await chain.staking.node(node_id)
    assert node.eligible
    assert node.weight_wei == 20_000 * CAI
    assert await chain.staking.operator_of(operator.address) == (node_id, 0)

    voter = await chain.person()
    await voter.deposit(30_000 * CAI)
    await voter.vote(node_id, 30_000 * CAI)
    assert (await chain.staking.node(node_id)).weight_wei == 50_000 * CAI
    portfolio = await voter.portfolio()
    assert [(stake.node.node_id, stake.tranche, stake.active_wei) for stake in portfolio.stakes] == [
        (node_id, VOTES, 30_000 * CAI),
    ]

    await voter.unvote(node_id, 10_000 * CAI)
    await voter.unvote(node_id)
    portfolio = await voter.portfolio()
    assert not any(stake.active_wei for stake in portfolio.stakes), "what it earned in that second may still wait"
    assert sum(item.wei for item in portfolio.unbonding) == 30_000 * CAI
    assert await voter.release() == []
    await chain.pass_time(DEVNET.unbonding + 2 * DEVNET.release_bucket)
    assert await voter.release()
    portfolio = await voter.portfolio()
    assert (portfolio.idle_wei, portfolio.unbonding) == (30_000 * CAI, ())
    await voter.withdraw()
    assert (await voter.portfolio()).wallet_wei == 3_000_000 * CAI


async def test_vote__for_ones_own_node__goes_into_the_own_tranche(chain):
    owner, _, node_id = await _miner(chain)
    await owner.vote(node_id, 5_000 * CAI)
    node = await chain.staking.node(node_id)
    assert (node.own_active_wei, node.votes_active_wei) == (25_000 * CAI, 0)
    assert [stake.tranche for stake in (await owner.portfolio()).stakes] == [OWN]


async def test_revote__while_unbonding__counts_again(chain):
    owner, _, node_id = await _miner(chain)
    await owner.unvote(node_id, 1 * CAI)
    assert not (await chain.staking.node(node_id)).eligible
    await owner.revote(node_id)
    assert (await chain.staking.node(node_id)).eligible


async def test_owner__introduces_rotates_and_changes_commission(chain):
    owner, operator, node_id = await _miner(chain)
    registration = Registration(chain.client, owner.sender)
    await registration.introduce(node_id, Introduction(name="renamed", location="Seoul"))
    fresh = Signer(secrets.token_bytes(32))
    await registration.rotate_operator(node_id, fresh)
    await registration.set_commission(node_id, 500)
    follower = Follower(chain.client, SystemClock())
    await follower.start()
    node = follower.node(node_id)
    assert "renamed" in node.introduction
    assert node.operator == fresh.address
    assert node.commission_bps == 500
    assert follower.by_operator(operator.address) is None
    assert follower.by_operator(fresh.address) == node


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda w, n: w.deposit(4_000_000 * CAI), "this wallet has 3,000,000 CAI; cuckoo faucet"),
        (lambda w, n: w.withdraw(1 * CAI), "0 CAI of idle stake"),
        (lambda w, n: w.vote(n, CAI // 2), "at least 1 CAI"),
        (lambda w, n: w.vote(n, 7 * CAI), "cuckoo stake deposit 7"),
        (lambda w, n: w.vote(10**6, 7 * CAI), "there is no node 1000000"),
        (lambda w, n: w.unvote(n), "no active stake behind it"),
        (lambda w, n: w.revote(n), "nothing of this wallet is on its way out"),
    ],
)
async def test_wallet__what_can_not_be_done__says_why_and_what_to_do(chain, act, words):
    _, _, node_id = await _miner(chain)
    wallet = await chain.person()
    with pytest.raises(ConfigError, match=words):
        await act(wallet, node_id)


async def test_follower__events_arrive__view_follows(chain):
    follower = Follower(chain.client, SystemClock())
    await follower.start()
    seen = []
    follower.subscribe(lambda events: seen.extend(event.name for event in events))
    owner, operator, node_id = await _miner(chain)
    await follower.advance()
    assert follower.by_operator(operator.address).node_id == node_id
    assert follower.node(node_id).introduction == '{"name":"a miner"}'
    await owner.unvote(node_id)
    await follower.advance()
    assert not follower.node(node_id).eligible
    assert {"Registered", "Unvoted", "Weighed"} <= set(seen)


async def test_follower__real_reorganisation__view_is_rolled_back(chain):
    _, _, node_id = await _miner(chain)
    follower = Follower(chain.client, SystemClock())
    await follower.start()
    snapshot = (await chain.client.web3.provider.make_request("evm_snapshot", []))["result"]
    voter = await chain.person()
    await voter.deposit(9_000 * CAI)
    await voter.vote(node_id, 9_000 * CAI)
    _, operator, second = await _miner(chain)
    await follower.advance()
    assert follower.node(node_id).weight_wei == 29_000 * CAI
    assert follower.node(second) is not None

    await chain.client.web3.provider.make_request("evm_revert", [snapshot])
    await chain.pass_time(1)
    await follower.advance()
    assert follower.rollbacks == 1
    assert follower.node(node_id).weight_wei == 20_000 * CAI
    assert follower.node(second) is None
    assert follower.by_operator(operator.address) is None


async def test_follower__chain_fails_in_the_middle_of_a_rollback__rolls_back_at_the_next_try(chain, monkeypatch):
    _, _, node_id = await _miner(chain)
    follower = Follower(chain.client, SystemClock())
    await follower.start()
    snapshot = (await chain.client.web3.provider.make_request("evm_snapshot", []))["result"]
    voter = await chain.person()
    await voter.deposit(9_000 * CAI)
    await voter.vote(node_id, 9_000 * CAI)
    await follower.advance()

    await chain.client.web3.provider.make_request("evm_revert", [snapshot])
    await chain.pass_time(1)
    with monkeypatch.context() as broken:
        broken.setattr(chain.client, "logs", AsyncMock(side_effect=ChainUnreachable("no answer")))
        with pytest.raises(ChainUnreachable):
            await follower.advance()
    await follower.advance()
    assert follower.node(node_id).weight_wei == 20_000 * CAI


async def test_portfolio__node_taken_over__shows_what_unbonds_there_to_its_new_owner(chain):
    owner, _, node_id = await _miner(chain)
    heir = await chain.person()
    await owner.unvote(node_id, 5_000 * CAI)
    await chain.staking.transfer_owner(owner.sender, node_id, heir.address)
    await chain.staking.accept_owner(heir.sender, node_id)
    assert (await owner.portfolio()).unbonding == ()
    portfolio = await heir.portfolio()
    assert [item.wei for item in portfolio.unbonding] == [5_000 * CAI]
    assert [stake.active_wei for stake in portfolio.stakes] == [15_000 * CAI]
    await chain.pass_time(DEVNET.unbonding + 2 * DEVNET.release_bucket)
    assert await heir.release()
    assert (await heir.portfolio()).idle_wei == 5_000 * CAI


async def test_watch__matured_stake__is_released_by_itself(chain, tmp_path):
    _, _, node_id = await _miner(chain)
    voter = await chain.person()
    await voter.deposit(2 * CAI)
    await voter.vote(node_id, 2 * CAI)
    await voter.unvote(node_id)
    async with open_store(tmp_path) as store:
        rewards = RewardBook(chain.client, voter.address, store)
        watch = StakeWatch(voter, rewards, None, SystemClock(), interval_s=1)
        await watch.look()
        assert (await voter.portfolio()).idle_wei == 0
        await chain.pass_time(DEVNET.unbonding + 2 * DEVNET.release_bucket)
        await asyncio.gather(watch.look(), watch.look())
        assert (await voter.portfolio()).idle_wei == 2 * CAI
