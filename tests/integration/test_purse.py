"""A coordinator's wallet: warned of before it is dry, shown to people and Prometheus; and a chain that is away."""

from types import SimpleNamespace

import aiohttp
import pytest
import structlog

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import ChainUnreachable, CuckooError
from cuckoo.domain.pricing import Rates, price_of
from cuckoo.protocol.messages import TaskRequest
from cuckoo.roles.status import CoordinatorStatus
from cuckoo.services.purse import TOP_UP_GAS, TOP_UPS_AHEAD, WARNINGS
from tests.support.coordinating import COORDINATOR, Escrow, ScriptedMiner, ShiftedClock, app, running

RATES = Rates(Wei(100 * CAI))
PRICE = price_of(64 * 64 * 4, RATES.default)
APPLE = TaskRequest(prompt="a red apple", seed=7)
DAY_S = 86_400


async def earn(coordinator, miner, times=1):
    async with app(coordinator) as client:
        for _ in range(times):
            await client.submit(APPLE)
            signed = await miner.poll()
            await miner.submit(signed.assignment, miner.result(signed.assignment))


def said(logs, kind):
    return [entry for entry in logs if entry["event"] == WARNINGS[kind]]


async def test_wallet__lasts_less_than_is_asked__warned_once_and_over_when_filled(tmp_path):
    clock, escrow = ShiftedClock(), Escrow(wallet=1_000 * CAI)
    async with running(tmp_path, rates=RATES, escrow=escrow, clock=clock) as coordinator:
        miner, purse = ScriptedMiner(coordinator), coordinator.purse
        await miner.sign_in()
        with structlog.testing.capture_logs() as logs:
            await earn(coordinator, miner, 2)
            clock.ahead_s += DAY_S / 2
            await purse.refresh()
            wallet = purse.wallet_wei
            assert purse.lasts_s == pytest.approx(wallet / (2 * PRICE) * DAY_S / 2, rel=1e-3)
            assert not purse.warnings
            escrow.wallet = 10 * PRICE
            await purse.refresh()
            await purse.refresh()
            assert "2.5 days at the present rate" in purse.warnings["wallet_low"]
            assert len(said(logs, "wallet_low")) == 1
            escrow.wallet = wallet
            await purse.refresh()
            assert not purse.warnings
            assert [entry["kind"] for entry in logs if entry["event"] == "a warning is over"] == ["wallet_low"]
        await miner.client.close()


async def test_rate__work_of_more_than_a_day_ago__counts_no_more(tmp_path):
    clock = ShiftedClock()
    async with running(tmp_path, rates=RATES, clock=clock) as coordinator:
        miner, purse = ScriptedMiner(coordinator), coordinator.purse
        await miner.sign_in()
        await earn(coordinator, miner)
        await purse.refresh()
        clock.ahead_s += 3_600
        await purse.refresh()
        assert purse.lasts_s
        clock.ahead_s += DAY_S + 60
        await purse.refresh()
        assert purse.lasts_s is None
        await miner.client.close()


async def test_wallet__does_not_suffice_or_has_no_gas__warned_of_each_once(tmp_path):
    escrow = Escrow(wallet=0)
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator:
        miner, purse = ScriptedMiner(coordinator), coordinator.purse
        with structlog.testing.capture_logs() as logs:
            await miner.sign_in()
            escrow.native = TOP_UPS_AHEAD * TOP_UP_GAS * escrow.gas_price - 1
            for _ in range(3):
                await purse.refresh()
            assert set(purse.warnings) == {"wallet_short", "gas_low"}
            assert [len(said(logs, kind)) for kind in purse.warnings] == [1, 1]
            escrow.wallet, escrow.native = 100 * CAI, escrow.native + 1
            await purse.refresh()
        assert not purse.warnings
        await miner.client.close()


async def test_deposit__refused_by_the_chain__warned_once_and_work_goes_on(tmp_path):
    class Refusing(Escrow):
        refuses = False

        async def deposit(self, amounts):
            if self.refuses:
                raise CuckooError("no gas")
            await super().deposit(amounts)

    escrow = Refusing()
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator:
        miner, purse = ScriptedMiner(coordinator), coordinator.purse
        await miner.sign_in()
        escrow.refuses = True
        await earn(coordinator, miner, 4)
        with structlog.testing.capture_logs() as logs:
            await purse.refresh()
            await purse.refresh()
        assert purse.warnings == {"not_topped_up": "no gas"}
        assert len(said(logs, "not_topped_up")) == 1
        escrow.refuses = False
        await purse.refresh()
        assert not purse.warnings
        await miner.client.close()


async def test_chain__away_for_an_hour__known_miners_sign_in_and_are_paid_nothing_is_lost(tmp_path):
    clock, escrow = ShiftedClock(), Escrow()
    async with running(tmp_path, rates=RATES, escrow=escrow, clock=clock) as coordinator, app(coordinator) as client:
        miner, stranger = ScriptedMiner(coordinator), ScriptedMiner(coordinator, 3)
        await miner.sign_in()
        await earn(coordinator, miner)
        escrow.error = ChainUnreachable("no answer")
        for minutes in range(0, 60, 20):
            await coordinator.tick(20 * 60.0)
            with pytest.raises(ChainUnreachable):
                await coordinator.purse.refresh()
            await miner.sign_in()
            await earn(coordinator, miner)
            assert coordinator.purse.free_wei(2) == 10 * CAI - (2 + minutes // 20) * PRICE
        with pytest.raises(CuckooError):
            await stranger.sign_in()
        waiting = await client.submit(APPLE)
        escrow.error = None
        await coordinator.purse.refresh()
        await miner.sign_in()
        signed = await miner.poll()
        reply = await miner.submit(signed.assignment, miner.result(signed.assignment))
        assert reply.voucher.voucher.cumulative == 5 * PRICE
        assert (await client.get(waiting.task_id)).status == "done"
        assert coordinator.purse.free_wei(2) + PRICE == 10 * CAI
        for one in (miner, stranger):
            await one.client.close()


async def test_status__after_some_work__is_what_metrics_show(tmp_path):
    clock, escrow = ShiftedClock(), Escrow(wallet=100 * CAI)
    async with running(tmp_path, rates=RATES, escrow=escrow, clock=clock) as coordinator:
        miners = [ScriptedMiner(coordinator, node) for node in (2, 3)]
        for miner in miners:
            await miner.sign_in()
        await earn(coordinator, miners[0])
        await miners[1].client.close()
        escrow.set(2, redeemed_wei=Wei(PRICE // 2), balance_wei=Wei(10 * CAI - PRICE // 2))
        await coordinator.purse.refresh()
        chain = SimpleNamespace(registry=coordinator.registry, clock=clock)
        chain.registry.block = SimpleNamespace(timestamp=clock.now() - 600)
        state = await CoordinatorStatus(chain, COORDINATOR, coordinator.dispatch, coordinator.purse).read()
        assert (state.weight, state.miners, state.done_today, state.queued) == ("2000000", 2, 1, 0)
        assert (state.owed, state.redeemed, state.free_least) == ("0.8192", "0.8192", "8.3616")
        assert [(one.miner, one.owed, one.free) for one in state.accounts] == [(2, "0.8192", "8.3616"), (3, "0", "10")]
        assert state.wallet == "80"
        assert "10 minutes old" in state.warnings["chain"]
        async with aiohttp.ClientSession(coordinator.origin) as raw, raw.get("/metrics") as response:
            lines = (await response.text()).splitlines()
        assert {
            "cuckoo_owed_cai 0.8192",
            "cuckoo_redeemed_cai 0.8192",
            "cuckoo_escrow_free_least_cai 8.3616",
            "cuckoo_wallet_cai 80.0",
            "cuckoo_wallet_gas 1.0",
            "cuckoo_wallet_lasts_seconds +Inf",
            'cuckoo_warning{kind="chain"} 1.0',
            'cuckoo_warning{kind="wallet_low"} 0.0',
            'cuckoo_tasks_total{outcome="done"} 1.0',
        } <= set(lines)
        await miners[0].client.close()
