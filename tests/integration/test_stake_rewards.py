"""Rewards put back to work: exactly what was claimed, once, wherever the process dies."""

import asyncio
import json
import secrets
from functools import partial

import pytest
import structlog
from click.testing import CliRunner
from msgspec.structs import replace

from cuckoo.chain.contracts import TokenContract
from cuckoo.chain.deployment import write_network
from cuckoo.chain.events import StakingEvents
from cuckoo.chain.transactions import Sender
from cuckoo.cli.main import cli
from cuckoo.domain.amounts import CAI, Wei, parse_cai
from cuckoo.domain.errors import ChainUnreachable
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.staking.compounding import Compounding
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.rewards import RewardBook
from cuckoo.services.staking.wallet import Wallet, drip
from cuckoo.services.staking.watch import StakeWatch
from cuckoo.storage.books import open_books
from cuckoo.storage.compounds import Compounds
from cuckoo.storage.ledger import COMPOUNDED, REWARDS
from cuckoo.storage.records import Cursor
from cuckoo.storage.store import open_store
from tests.support.endpoints import Proxy
from tests.support.processes import Process, until

VOTES = 50_000 * CAI


class Killed(BaseException):
    """The process dies."""


class Mortal(Wallet):
    """A wallet whose process dies before or after one of its steps."""

    dies = ("", "")
    node_owner = None
    key = b""

    async def _step(self, name, act):
        if self.dies == ("before", name):
            raise Killed
        answer = await act()
        if self.dies == ("after", name):
            raise Killed
        return answer

    async def claim_of(self, *args, **once):
        return await self._step("claim", partial(super().claim_of, *args, **once))

    async def deposit(self, *args, **once):
        return await self._step("deposit", partial(super().deposit, *args, **once))

    async def vote(self, *args, **once):
        return await self._step("vote", partial(super().vote, *args, **once))


class MortalSender(Sender):
    """A sender whose process dies when a transaction is on disk and has not left."""

    dies_at = ""

    async def _send_first(self, account, sent):
        if self.dies_at and sent.doing.startswith(self.dies_at):
            raise Killed
        await super()._send_first(account, sent)


class Deadly(Proxy):
    """Kills a process at its n-th transaction, before or after that reaches the chain."""

    def __init__(self, upstream, number, place):
        super().__init__(upstream)
        self.left = number
        self.place = place
        self.victim = None

    async def struck(self):
        return self.left <= 0

    async def answer(self, request):
        if request["method"] != "eth_sendRawTransaction" or self.left <= 0:
            return await self.pass_on(request)
        if self.left > 1:
            self.left -= 1
            return await self.pass_on(request)
        answer = await self.pass_on(request) if self.place == "after" else None
        await asyncio.to_thread(self.victim.kill)
        self.left = 0
        return answer or {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "too late"}}


async def command(*words):
    """Run a command, and return what it prints."""
    return (await asyncio.to_thread(CliRunner().invoke, cli, words, catch_exceptions=False)).stdout


async def voter_behind_a_miner(chain):
    """Return the wallet of somebody who votes for a fresh miner, and the miner's node."""
    owner = await chain.person()
    await owner.deposit(20_000 * CAI)
    new = NewNode(role=Role.MINER, introduction=Introduction(name="a miner"), amount=Wei(20_000 * CAI))
    node = await Registration(chain.client, owner.sender).register(new, Signer(secrets.token_bytes(32)))
    key = secrets.token_bytes(32)
    sender = MortalSender(chain.client, key)
    await drip(chain.client, chain.payer, sender.address)
    wallet = Mortal(chain.client, sender.address, sender)
    await wallet.deposit(VOTES)
    await wallet.vote(node.node_id, VOTES)
    wallet.node_owner, wallet.key = owner, key
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


@pytest.mark.parametrize("doing", ["claim", "approve", "deposit", "vote"])
async def test_compound__killed_with_a_transaction_on_disk_only__it_goes_out_once(chain, tmp_path, doing):
    wallet, node = await voter_behind_a_miner(chain)
    await chain.pass_time(600)
    portfolio = await wallet.portfolio()
    async with open_store(tmp_path) as store:
        wallet.sender.dies_at = doing
        with pytest.raises(Killed):
            await compounding(chain, wallet, store).look(portfolio)
    wallet.sender.dies_at = ""
    async with open_store(tmp_path) as store:
        await compounding(chain, wallet, store).look(replace(portfolio, stakes=()))
        after = await wallet.portfolio()
        assert (after.wallet_wei, after.idle_wei) == (portfolio.wallet_wei, 0)
        compounded = after.stakes[0].active_wei - VOTES
        assert compounded > CAI
        assert await store.ledger.cumulative(COMPOUNDED, node) == compounded
        assert not await store.compounds.all_open()


async def test_compound__owner_claimed_while_the_role_was_dead__those_coins_stay_in_the_wallet(chain, tmp_path):
    wallet, node = await voter_behind_a_miner(chain)
    await chain.pass_time(600)
    portfolio = await wallet.portfolio()
    async with open_store(tmp_path) as store:
        wallet.dies = ("before", "claim")
        with pytest.raises(Killed):
            await compounding(chain, wallet, store).look(portfolio)
    wallet.dies = ("", "")
    assert await wallet.claim(node)
    claimed = (await wallet.portfolio()).wallet_wei
    assert claimed - portfolio.wallet_wei > CAI
    async with open_store(tmp_path) as store:
        await compounding(chain, wallet, store).look(replace(portfolio, stakes=()))
        after = await wallet.portfolio()
        assert after.stakes[0].active_wei == VOTES
        assert after.wallet_wei >= claimed
        assert await store.ledger.cumulative(COMPOUNDED, node) == 0
        assert not await store.compounds.all_open()


@pytest.mark.parametrize("step", ["deposit", "vote"])
async def test_compound__node_lost_its_weight_meanwhile__waits_until_it_counts_again(chain, tmp_path, step):
    wallet, node = await voter_behind_a_miner(chain)
    await chain.pass_time(600)
    portfolio = await wallet.portfolio()
    async with open_store(tmp_path) as store:
        wallet.dies = ("before", step)
        with pytest.raises(Killed):
            await compounding(chain, wallet, store).look(portfolio)
        wallet.dies = ("", "")
        await wallet.node_owner.unvote(node, Wei(1 * CAI))
        with structlog.testing.capture_logs() as logs:
            again = compounding(chain, wallet, store)
            await again.look(replace(portfolio, stakes=()))
            await again.look(replace(portfolio, stakes=()))
        assert [entry["node"] for entry in logs if "carries no weight" in entry["event"]] == [node]
        assert (await wallet.portfolio()).stakes[0].active_wei == VOTES
        await wallet.node_owner.revote(node)
        await compounding(chain, wallet, store).look(replace(portfolio, stakes=()))
        after = await wallet.portfolio()
        assert after.stakes[0].active_wei > VOTES + CAI
        assert (after.wallet_wei, after.idle_wei) == (portfolio.wallet_wei, 0)


@pytest.mark.parametrize("step", ["deposit", "vote"])
async def test_compound__owner_took_the_coins_meanwhile__is_let_be(chain, tmp_path, step):
    wallet, _ = await voter_behind_a_miner(chain)
    await chain.pass_time(600)
    portfolio = await wallet.portfolio()
    async with open_store(tmp_path) as store:
        wallet.dies = ("before", step)
        with pytest.raises(Killed):
            await compounding(chain, wallet, store).look(portfolio)
        wallet.dies = ("", "")
        if step == "deposit":
            now = await wallet.portfolio()
            await TokenContract(chain.client).transfer(wallet.sender, chain.payer.address, Wei(now.wallet_wei - 1))
        else:
            await wallet.withdraw()
        before = await wallet.portfolio()
        await compounding(chain, wallet, store).look(replace(portfolio, stakes=()))
        after = await wallet.portfolio()
        assert (after.wallet_wei, after.idle_wei) == (before.wallet_wei, 0)
        assert after.stakes[0].active_wei == VOTES
        assert not await store.compounds.all_open()


@pytest.mark.parametrize(("number", "place"), [(1, "after"), (3, "before"), (4, "before")])
async def test_staker__kill_9_around_a_transaction__the_next_process_votes_with_it_once(
    chain, network, tmp_path, number, place
):
    wallet, node = await voter_behind_a_miner(chain)
    await chain.pass_time(600)
    rich = (await wallet.portfolio()).wallet_wei
    write_network(network, tmp_path / "network.json")
    folder = tmp_path / "data" / network.name / f"staker-{wallet.address}"
    async with Deadly(network.rpc_urls[0], number, place).running() as proxy:
        words = ("staker", "--auto-compound", "--compound-at", "1", "--interval", "0.2", "--rpc", proxy.url)
        place_of = ("--network", str(tmp_path / "network.json"), "--data-dir", str(tmp_path / "data"))
        process = Process("staker", (*words, "--key", wallet.key.hex(), *place_of), tmp_path)
        proxy.victim = process.start()
        try:
            await until(proxy.struck, what="the kill")
            assert (await wallet.portfolio()).stakes[0].active_wei == VOTES
            process.start()

            async def voted():
                return (await wallet.portfolio()).stakes[0].active_wei > VOTES

            async def noted():
                async with open_books(folder) as reader:
                    return not await Compounds(reader).all_open()

            await until(voted, what="a vote")
            await until(noted, what="it to be noted")
            process.stop()
        finally:
            if process.runs:
                process.kill()
    after = await wallet.portfolio()
    shown = json.loads(await command("ledger", "show", "--staker", wallet.address, "--json", *place_of))
    voted = [parse_cai(row["cai"]) for row in shown if (row["account"], row["with"]) == (COMPOUNDED, node)]
    assert sum(voted) == after.stakes[0].active_wei - VOTES
    assert (after.wallet_wei, after.idle_wei) == (rich, 0)


async def test_watch__folder_of_another_run_of_the_chain__books_and_compounds_nothing(chain, tmp_path):
    wallet, _ = await voter_behind_a_miner(chain)
    await chain.pass_time(600)
    before = await wallet.portfolio()
    async with open_store(tmp_path) as store:
        await store.writer.execute(store.ledger.book([], Cursor(genesis="another", block=10**9)))
        rewards = RewardBook(chain.client, wallet.address, store)
        watch = StakeWatch(wallet, rewards, compounding(chain, wallet, store), SystemClock(), interval_s=1)
        with structlog.testing.capture_logs() as logs:
            await watch.look()
        assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [
            "nothing is booked or compounded: move this staker's folder away"
        ]
        assert not await store.compounds.all_open()
    assert (await wallet.portfolio()).stakes[0].active_wei == before.stakes[0].active_wei


async def test_claim__all__pays_votes_and_own_stake_with_its_commission_to_the_wei(chain, network, tmp_path):
    wallet, node = await voter_behind_a_miner(chain)
    own = NewNode(role=Role.MINER, introduction=Introduction(name="its own"), amount=Wei(20_000 * CAI))
    await wallet.deposit(Wei(20_000 * CAI))
    mine = (await Registration(chain.client, wallet.sender).register(own, Signer(secrets.token_bytes(32)))).node_id
    other = await chain.person()
    await other.deposit(VOTES)
    await other.vote(mine, VOTES)
    await chain.pass_time(600)
    before = await wallet.portfolio()
    write_network(network, tmp_path / "network.json")
    place = ("--network", str(tmp_path / "network.json"), "--data-dir", str(tmp_path))
    answer = json.loads(await command("stake", "claim", "--all", "--json", "--key", wallet.key.hex(), *place))
    after = await wallet.portfolio()
    details = [one["detail"] for one in answer["transactions"]]
    assert [words.split()[-1] for words in details] == [str(node), str(mine)]
    paid = [parse_cai(words.split()[1]) for words in details]
    assert sum(paid) == after.wallet_wei - before.wallet_wei
    last = max(one["block"] for one in answer["transactions"])
    events = await StakingEvents(chain.client).of_staker(wallet.address, last, before.block)
    assert [event.arguments["amount"] for event in events if event.name == "Claimed"] == paid
    # Of 7 parts of the own node's rewards its owner has 2, and a tenth of the other 5.
    voters = await chain.staking.claimable(mine, 1, other.address, last)
    assert paid[1] == pytest.approx(voters / 0.9 / 5 * 7 - voters, rel=0.01)


async def test_claim__neither_a_node_nor_all__says_what_to_name(tmp_path):
    refused = await asyncio.to_thread(CliRunner().invoke, cli, ["stake", "claim", "--data-dir", str(tmp_path)])
    assert refused.exit_code == 2
    assert "claim rewards: name one node, or --all" in refused.output


async def test_watch__chain_goes_down_between_claim_and_vote__goes_on_when_it_is_back(chain, tmp_path, monkeypatch):
    wallet, node = await voter_behind_a_miner(chain)
    await chain.pass_time(600)
    before = await wallet.portfolio()
    asked, run, deposit = [], chain.client.run, wallet.deposit

    async def unreachable(call, *, doing="ask the chain"):
        asked.append(doing)
        if len(asked) < 12:
            raise ChainUnreachable("no answer")
        return await run(call, doing=doing)

    async def goes_down(*args, **once):
        if not asked:
            monkeypatch.setattr(chain.client, "run", unreachable)
        return await deposit(*args, **once)

    monkeypatch.setattr(wallet, "deposit", goes_down)
    async with open_store(tmp_path) as store:
        rewards = RewardBook(chain.client, wallet.address, store)
        watch = StakeWatch(wallet, rewards, compounding(chain, wallet, store), SystemClock(), interval_s=0.01)
        watching = asyncio.create_task(watch.run())

        async def voted():
            return await store.ledger.cumulative(COMPOUNDED, node) or watching.done()

        await until(voted, what="a vote")
        watching.cancel()
        compounded = await store.ledger.cumulative(COMPOUNDED, node)
    assert len(asked) > 12
    after = await wallet.portfolio()
    assert after.stakes[0].active_wei - VOTES == compounded > 0
    assert (after.wallet_wei, after.idle_wei) == (before.wallet_wei, 0)


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
