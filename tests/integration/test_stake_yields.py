"""What stake earns a year: from the chain's own figures, over the time that they really cover."""

import asyncio
import json
import secrets
from fractions import Fraction

import pytest
from click.testing import CliRunner

from cuckoo.chain.answers import RequestRefused
from cuckoo.chain.contracts import OWN
from cuckoo.chain.deployment import write_network
from cuckoo.cli.main import cli
from cuckoo.domain.amounts import CAI, Wei, parse_cai
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.yields import YEAR_S, Yields

DAY_S = 86_400
VOTE = Wei(50_000 * CAI)


async def miner(chain):
    """Register a miner with 20,000 CAI; returns its owner's wallet and its node."""
    owner = await chain.person()
    await owner.deposit(Wei(40_000 * CAI))
    new = NewNode(role=Role.MINER, introduction=Introduction(name="a miner"), amount=Wei(20_000 * CAI))
    return owner, (
        await Registration(chain.client, owner.sender).register(new, Signer(secrets.token_bytes(32)))
    ).node_id


async def voter_behind_a_miner(chain):
    _, node = await miner(chain)
    wallet = await chain.person()
    await wallet.deposit(Wei(2 * VOTE))
    await wallet.vote(node, VOTE)
    return wallet, node


async def read(chain, wallet, *days):
    """Return the one position of a wallet, its block, and its yields over spans of so many days."""
    portfolio = await wallet.portfolio()
    (stake,) = portfolio.stakes
    block = await chain.client.block(portfolio.block)
    spans = [int(one * DAY_S) for one in days]
    (yields,) = await Yields(chain.client, wallet.address).read(portfolio.stakes, block, spans)
    return stake, block, yields


def forgets(chain, monkeypatch, before):
    """Let the chain's node forget the states of blocks before one."""
    claimable = type(chain.staking).claimable

    async def pruned(self, node_id, tranche, staker, block="latest"):
        if isinstance(block, int) and block < before:
            raise RequestRefused("missing trie node")
        return await claimable(self, node_id, tranche, staker, block)

    monkeypatch.setattr(type(chain.staking), "claimable", pruned)


def about(time):
    """Blocks may come between what a test does and its look at the clock."""
    return pytest.approx(time, abs=60)


async def test_yield__claims_and_votes_in_between__is_rewards_by_stake_and_time(chain):
    wallet, node = await voter_behind_a_miner(chain)
    began = (await chain.client.block()).timestamp
    await chain.pass_time(DAY_S)
    before = (await wallet.portfolio()).wallet_wei
    await wallet.claim(node)
    claimed = (await wallet.portfolio()).wallet_wei - before
    await wallet.vote(node, VOTE)
    await chain.pass_time(DAY_S)
    stake, block, (whole, part) = await read(chain, wallet, 30, 0.5)
    assert whole.rewards_wei == stake.rewards_wei + claimed
    assert (whole.since, whole.span_s) == (about(began), block.timestamp - whole.since)
    assert whole.average_wei == pytest.approx(1.5 * VOTE, rel=0.001)
    assert whole.yearly == Fraction(whole.rewards_wei * YEAR_S, whole.average_wei * whole.span_s)
    assert part.since <= block.timestamp - DAY_S // 2
    assert 0 < part.rewards_wei <= stake.rewards_wei
    assert part.average_wei == 2 * VOTE
    assert part.yearly == Fraction(part.rewards_wei * YEAR_S, part.average_wei * part.span_s)


async def test_yield__node_of_the_chain_has_forgotten__counts_since_what_it_is_sure_of(chain, monkeypatch):
    wallet, node = await voter_behind_a_miner(chain)
    began = (await chain.client.block()).timestamp
    await chain.pass_time(8 * DAY_S)
    await chain.pass_time(2 * DAY_S)
    _, block, _ = await read(chain, wallet, 1)
    forgets(chain, monkeypatch, block.number)
    stake, block, (one,) = await read(chain, wallet, 1)
    assert (one.since, one.span_s) == (about(began), block.timestamp - one.since), (
        "rewards of ten days are none of one day"
    )
    assert one.rewards_wei == stake.rewards_wei

    await wallet.claim(node)
    claimed_at = (await chain.client.block()).timestamp
    await chain.pass_time(2 * DAY_S)
    block = await chain.client.block()
    forgets(chain, monkeypatch, block.number)
    stake, block, (short, long) = await read(chain, wallet, 1, 11)
    assert (short.since, short.rewards_wei) == (about(claimed_at), stake.rewards_wei)
    assert long.since == about(began)
    assert long.rewards_wei > 5 * stake.rewards_wei


async def test_yield__own_stake_that_was_never_voted_with__counts_since_the_registration(chain):
    owner, node = await miner(chain)
    began = (await chain.client.block()).timestamp
    await chain.pass_time(DAY_S)
    stake, block, (one,) = await read(chain, owner, 30)
    assert stake.tranche == OWN
    assert one.since == about(began)
    began = one.since
    assert one.span_s == block.timestamp - began
    assert (one.rewards_wei, one.average_wei) == (stake.rewards_wei, 20_000 * CAI)

    await owner.vote(node, Wei(20_000 * CAI))
    await chain.pass_time(DAY_S)
    stake, block, (one,) = await read(chain, owner, 30)
    assert (one.since, one.rewards_wei) == (began, stake.rewards_wei)
    assert one.average_wei == pytest.approx(30_000 * CAI, rel=0.001)


async def test_yield__node_taken_over__counts_since_then(chain):
    owner, node = await miner(chain)
    await chain.pass_time(DAY_S)
    heir = await chain.person()
    await chain.staking.transfer_owner(owner.sender, node, heir.address)
    await chain.staking.accept_owner(heir.sender, node)
    began = (await chain.client.block()).timestamp
    await chain.pass_time(DAY_S)
    stake, block, (one,) = await read(chain, heir, 30)
    assert one.since == about(began)
    assert (one.span_s, one.rewards_wei) == (block.timestamp - one.since, stake.rewards_wei)
    assert one.average_wei == 20_000 * CAI


async def test_yield__taken_out_in_between__is_of_the_stake_that_was_there(chain):
    wallet, node = await voter_behind_a_miner(chain)
    await chain.pass_time(DAY_S)
    await wallet.unvote(node)
    await chain.pass_time(DAY_S)
    stake, _, (one,) = await read(chain, wallet, 30)
    assert stake.active_wei == 0
    assert one.rewards_wei == stake.rewards_wei > 0
    assert one.average_wei == pytest.approx(VOTE / 2, rel=0.001)
    assert one.yearly > 0


async def shown(*words):
    """Return what a command prints."""
    return (await asyncio.to_thread(CliRunner().invoke, cli, words, catch_exceptions=False)).stdout


async def test_status__json__has_strings_and_exact_shares(chain, network, tmp_path):
    wallet, node = await voter_behind_a_miner(chain)
    other = await chain.person()
    await other.deposit(Wei(2 * VOTE))
    await other.vote(node, Wei(2 * VOTE))
    await chain.pass_time(600)
    await wallet.unvote(node, Wei(5_000 * CAI))
    write_network(network, tmp_path / "network.json")
    words = [
        "stake",
        "status",
        wallet.address,
        "--network",
        str(tmp_path / "network.json"),
        "--data-dir",
        str(tmp_path),
    ]
    answer = json.loads(await shown(*words, "--json"), parse_float=lambda text: pytest.fail(f"{text} is a float"))
    (stake,) = answer["stakes"]
    assert (stake["node"], stake["tranche"], stake["active"]) == (node, "votes", "45000")
    assert (stake["share"], stake["share_percent"]) == ("9/29", "31.0345")
    assert parse_cai(stake["rewards"]) >= parse_cai(stake["yields"][0]["rewards"]) > 0
    assert [one["days"] for one in stake["yields"]] == [7, 30]
    assert all(one["covered_s"] >= 600 for one in stake["yields"])
    assert Fraction(stake["yields"][0]["percent_a_year"]) > 0
    table = await shown(*words)
    assert all(words in table for words in ("31.0 %", "min)", "UTC, in "))
