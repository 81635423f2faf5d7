"""Each way in which a coordinator can cheat, over HTTP with the production parts, and what shows it to whom."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest
import structlog
from msgspec.structs import replace

from cuckoo.client.coordinator import CoordinatorClient
from cuckoo.demo.crooks import Crook, EmptyPurse, EndlessAudits
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.pricing import Rates, price_of
from cuckoo.inference.messages import Finished
from cuckoo.services.mining import KeptLatents, Miner, Mining, MiningOptions
from cuckoo.services.verifying.checks import State
from cuckoo.services.verifying.draws import check_draw, check_log
from cuckoo.storage.store import open_store
from tests.support.coordinating import (
    COORDINATOR,
    DOMAIN,
    MODEL,
    PROFILE,
    Escrow,
    ScriptedMiner,
    app,
    node,
    png,
    running,
)
from tests.support.crooks import APPLE, FAVOURITE, WEIGHT, town_of
from tests.support.mining import MINER_KEY, Network, Pool

RATES = Rates(Wei(100 * CAI))

TASKS = 30
"""Enough that a third of all work, missing, is no chance."""

VICTIM = 2


async def wrong(town, view):
    """Return what ``cuckoo verify period`` finds wrong, by check."""
    return {one.name: one.detail for one in await check_log(view, town.chain) if one.state is State.WRONG}


async def said(town, number):
    """Return what a miner says of its coordinator when it looks."""
    with structlog.testing.capture_logs() as entries:
        await town.watches[number].look()
    return [entry for entry in entries if entry["log_level"] in ("warning", "error")]


async def test_honest__everybody_looks__nobody_says_anything(tmp_path):
    async with town_of(tmp_path, None) as town:
        await town.serve(TASKS)
        view = await town.log()
        assert await wrong(town, view) == {}
        assert all([not await said(town, number) for number in town.watches])
        assert {check_draw(view, one).state for one in town.given} == {State.RIGHT}
        assert sum(watch.shares[1].won for watch in town.watches.values()) == TASKS


async def test_favours__log_of_honest_draws__each_given_away_is_named_and_the_loser_warns(tmp_path):
    async with town_of(tmp_path, Crook.FAVOURS) as town:
        await town.serve(TASKS)
        assert {one.miner_node for one in town.given} == {FAVOURITE}
        view = await town.log()
        assert await wrong(town, view) == {}, "the log alone is in order"
        checks = [check_draw(view, one) for one in town.given]
        stolen = [one for one in checks if one.state is State.WRONG]
        assert len(stolen) > TASKS / 3
        assert "was signed for miner 3" in stolen[0].detail
        assert "but logged for miner" in stolen[0].detail
        lost, warned = await said(town, VICTIM)
        assert "brought it no work" in lost["event"]
        assert (lost["lost"] > 3, lost["arrived"]) == (True, 0)
        assert "less or more often than chance explains" in warned["event"]
        assert warned["won"] == 0
        assert {entry["check"] for entry in await said(town, FAVOURITE)} == {"this draw"}, "an honest favourite tells"


async def test_forges__favourite_logged_as_drawn__the_first_such_draw_is_named(tmp_path):
    async with town_of(tmp_path, Crook.FORGES) as town:
        await town.serve(TASKS)
        view = await town.log()
        found = await wrong(town, view)
        assert list(found) == ["draws"]
        assert "the log says node, try, total weight, candidates = (3," in found["draws"]
        (told,) = await said(town, VICTIM)
        assert told["check"] == "draws"
        assert check_draw(view, town.given[-1]).state is State.WRONG


async def test_drops__assignments_that_never_arrive__their_miner_warns(tmp_path):
    async with town_of(tmp_path, Crook.DROPS) as town:
        await town.serve(TASKS)
        assert {one.miner_node for one in town.given} == {FAVOURITE}
        view = await town.log()
        assert await wrong(town, view) == {}
        assert {check_draw(view, one).state for one in town.given} == {State.RIGHT}
        lost, warned = await said(town, VICTIM)
        assert "brought it no work" in lost["event"]
        assert (lost["lost"] > 3, lost["arrived"]) == (True, 0)
        assert "less or more often than chance explains" in warned["event"]
        assert warned["won"] == 0
        assert await said(town, FAVOURITE) == []


@pytest.mark.parametrize(("has", "seen"), [(0, WEIGHT), (WEIGHT, 10 * WEIGHT)], ids=["jailed", "too heavy"])
async def test_overrates__weight_that_the_chain_never_recorded__node_and_weight_are_named(tmp_path, has, seen):
    async with town_of(tmp_path, Crook.OVERRATES, seen_wei=seen) as town:
        town.chain.weights_of[FAVOURITE] = {has}
        await town.serve(3)
        view = await town.log()
        found = await wrong(town, view)
        assert found == {"weights": f"node 3 took part with {seen} wei, which it did not have then"}
        assert [entry["check"] for entry in await said(town, VICTIM)] == ["weights"]


async def test_log__not_shown__who_was_given_work_says_so(tmp_path):
    async with town_of(tmp_path, None) as town:
        await town.pass_periods(3)
        await town.serve(3)
        town.coordinator.seeds._store.draws.period = nothing
        await town.pass_periods(5)
        given = town.given[0]
        (told,) = await said(town, given.miner_node)
        assert "shows no draw that replays" in told["event"]
        assert told["task"] == given.task_id
        silent = set(town.watches) - {one.miner_node for one in town.given}
        assert all([not await said(town, number) for number in silent])


class Painter(Pool):
    """Paints at once what a coordinator takes."""

    async def run(self, job, on_progress=None):
        self.asked.append(job)
        await asyncio.sleep(0)
        file, pixels = png(job.parameters.width_px, job.parameters.height_px)
        fields = {"picture_hashes": [pixels], "latents_root": b"\x02" * 32, "profile": PROFILE}
        return Finished(job_id=job.job_id, pictures=[file], step_s=[0.1] * 4, seconds=0.4, **fields)

    def loaded(self):
        (entry,) = super().loaded().values()
        return {MODEL.digest: replace(entry, model=replace(entry.model, digest=MODEL.digest))}


async def test_unpaid__voucher_never_comes__the_miner_does_what_it_had_taken_and_no_more(tmp_path):
    escrow, pool = Escrow(), Painter()
    async with (
        running(tmp_path / "coordinator", rates=RATES, purse_of=EmptyPurse, escrow=escrow) as coordinator,
        open_store(tmp_path / "miner", clock=coordinator.clock.now) as store,
        app(coordinator) as client,
    ):
        coordinator.registry.put(node(9, Role.MINER, MINER_KEY.address))
        itself = replace(
            coordinator.registry.node(COORDINATOR),
            introduction=msgspec.json.encode({"name": "c", "url": coordinator.origin}).decode(),
        )
        seen = SimpleNamespace(account=lambda _, miner: escrow.account(miner))
        network = Network(store, coordinator.clock, pool)
        mining = Mining(
            Miner(NodeId(9), MINER_KEY, DOMAIN),
            pool=pool,
            receipts=network.receipts,
            latents=KeptLatents(tmp_path / "latents"),
            escrow=seen,
            coordinators=lambda: [itself],
            connect=CoordinatorClient,
            seed=b"\x05" * 32,
            clock=coordinator.clock,
            options=MiningOptions(draw_period_s=10**9),
        )
        for _ in range(6):
            await client.submit(APPLE)
        working = asyncio.create_task(mining.run())
        async with asyncio.timeout(20):
            while not (mining._connections and mining._connections[COORDINATOR].debt and not mining.in_flight):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
        earned, holds = await network.receipts.standing(COORDINATOR)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert 1 <= len(pool.asked) <= 2, "one device has two slots"
    assert (earned, holds) == (len(pool.asked) * price_of(64 * 64 * 4, RATES.default), 0)


async def test_stalls__result_is_being_checked_for_ever__the_miner_is_told_so_each_time(tmp_path):
    async with running(tmp_path, rates=RATES, audits=EndlessAudits()) as coordinator, app(coordinator) as client:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        await client.submit(APPLE)
        assignment = (await miner.poll()).assignment
        upload = miner.result(assignment)
        for _ in range(3):
            reply = await miner.submit(assignment, upload)
            assert (reply.audited, reply.voucher) == (True, None)
        await miner.client.close()


async def nothing(period):
    """A store that has forgotten."""
    return []
