"""When a miner stops taking work: before what is unpaid and in hand exceeds what is ring-fenced, or its own limit."""

import pytest
import structlog

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import ChainUnreachable
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.protocol.messages import SignedVoucher
from cuckoo.protocol.receipts import Voucher
from cuckoo.storage.records import ReceiptState
from tests.support.mining import DOMAIN

STOPS, GOES_ON = "no more work is taken from a coordinator", "work is taken again from a coordinator"


def voucher(coordinator, cumulative):
    voucher = Voucher(coordinator_node=coordinator.node_id, miner_node=NodeId(9), cumulative=Wei(cumulative))
    return SignedVoucher(voucher=voucher, signature=coordinator.signer.sign(DOMAIN.digest(voucher.struct_hash())))


async def serve(network, price, cumulative, coordinator=None, **changes):
    """Have one priced result accepted by a miner that polls."""
    coordinator = coordinator or network.coordinator
    coordinator.vouchers.append(voucher(coordinator, cumulative))
    assignment = coordinator.assign(price=price, **changes)
    await network.until(lambda: network.pool.jobs)
    network.pool.finish()
    await network.receipt_is(assignment, ReceiptState.ACCEPTED)
    await network.until(lambda: not network.pool.jobs)


def reason(mining, coordinator):
    return mining.backing.reason(coordinator.node_id)


def events(logs, *names):
    return [entry["event"] for entry in logs if entry["event"] in names]


async def test_work__used_up_what_is_ready__stops_before_polling_and_says_so_once(network):
    coordinator = network.coordinator
    network.escrow.balances[1] = (5 * CAI, 0, 0)
    with structlog.testing.capture_logs() as logs:
        async with network.running() as mining:
            await serve(network, 2 * CAI, 2 * CAI)
            await serve(network, 2 * CAI, 4 * CAI)
            await network.until(lambda: events(logs, STOPS) and not coordinator.parked, passing_s=1)
            polls = len(coordinator.polls)
            for _ in range(60):
                await network.clock.pass_(2)
                await mining.backing.review(coordinator.node_id, lambda: 0)
            assert len(coordinator.polls) == polls
            assert events(logs, STOPS, GOES_ON) == [STOPS]
            assert "holds 1 CAI ready" in next(entry for entry in logs if entry["event"] == STOPS)["reason"]
            network.escrow.balances[1] = (10 * CAI, 0, 0)
            await network.until(lambda: not reason(mining, coordinator), passing_s=1)
            assert events(logs, STOPS, GOES_ON) == [STOPS, GOES_ON]
    assert not coordinator.failures


async def test_thaw__announced__counts_at_once_and_is_named(network):
    network.escrow.balances[1] = (5 * CAI, 0, 0)
    async with network.running() as mining:
        await serve(network, CAI, CAI)
        network.escrow.balances[1] = (5 * CAI, 4 * CAI, 0)
        await network.until(lambda: reason(mining, network.coordinator), passing_s=1)
        assert "4 are being withdrawn" in reason(mining, network.coordinator)


async def test_stop__of_one_coordinator__another_is_served(network, another_coordinator):
    network.coordinators.append(another_coordinator(2))
    network.escrow.balances = {1: (CAI, 0, 0), 2: (100 * CAI, 0, 0)}
    first, second = network.coordinators
    async with network.running(draw_period_s=30) as mining:
        first.open_tasks = 1
        await serve(network, CAI, CAI, first)
        await network.until(lambda: reason(mining, first), passing_s=1)
        await network.until(lambda: mining.chosen == (2,), passing_s=1)
        await serve(network, CAI, CAI, second, task_id=TaskId("ee" * 16))
        network.escrow.balances[1] = (10 * CAI, 0, 0)
        await network.until(lambda: 1 in mining.chosen, passing_s=1)


async def test_price__too_high_for_what_is_ready__stops_it_for_ten_minutes_not_for_good(network):
    network.escrow.balances[1] = (5 * CAI, 0, 0)
    async with network.running() as mining:
        for _ in range(2):
            network.coordinator.assign(price=6 * CAI)
        await network.until(lambda: network.coordinator.failures)
        for _ in range(60):
            await network.clock.pass_(5)
            await mining.backing.review(NodeId(1), lambda: 0)
        # One for each slot that was offered when the first came.
        assert len(network.coordinator.failures) <= 2
        while network.coordinator._parked.qsize():
            network.coordinator._parked.get_nowait()
        await network.until(lambda: network.coordinator.parked, passing_s=5)
        await serve(network, CAI, CAI)


async def test_free_of_charge__nothing_ring_fenced__is_served_on(network):
    async with network.running() as mining:
        for _ in range(2):
            assignment = network.coordinator.assign()
            await network.until(lambda: network.pool.jobs)
            network.pool.finish()
            await network.receipt_is(assignment, ReceiptState.ACCEPTED)
            await network.until(lambda: not network.pool.jobs)
        assert not reason(mining, network.coordinator)
        assert not mining.backing.standings


async def test_own_limit__reached__stops_until_redeemed(network):
    network.escrow.balances[1] = (100 * CAI, 0, 0)
    async with network.running(max_unredeemed_wei=Wei(2 * CAI)) as mining:
        await serve(network, CAI, CAI)
        await serve(network, CAI, 2 * CAI)
        await network.until(lambda: reason(mining, network.coordinator), passing_s=1)
        assert "max_unredeemed is 2" in reason(mining, network.coordinator)
        assert mining.backing.capped(NodeId(1))
        network.escrow.balances[1] = (98 * CAI, 0, 2 * CAI)
        await network.until(lambda: not reason(mining, network.coordinator), passing_s=1)
        assert not mining.backing.capped(NodeId(1))


@pytest.mark.parametrize(("holds_s", "served"), [(3_600.0, True), (60.0, False)])
async def test_chain__gone_for_half_an_hour__what_was_read_holds_for_half_the_thaw(network, holds_s, served):
    network.escrow.balances[1] = (5 * CAI, 0, 0)
    async with network.running(account_holds_s=holds_s) as mining:
        await serve(network, CAI, CAI)
        network.escrow.error = ChainUnreachable("no answer")
        for _ in range(60):
            await network.clock.pass_(30)
            await mining.backing.review(NodeId(1), lambda: 0)
        assert bool(reason(mining, network.coordinator)) is not served
        if not served:
            network.escrow.error = None
            await network.until(lambda: not reason(mining, network.coordinator), passing_s=1)
        await network.until(lambda: network.coordinator.parked, passing_s=1)
        await serve(network, CAI, 2 * CAI)
    assert not network.coordinator.failures


async def test_chain__gone_for_longer_than_what_was_read_holds__what_is_offered_is_taken_back(network):
    coordinator = network.coordinator
    network.escrow.balances[1] = (5 * CAI, 0, 0)
    async with network.running(account_holds_s=15.0) as mining:
        await serve(network, CAI, CAI)
        await network.until(lambda: coordinator.parked == 2)
        network.escrow.error = ChainUnreachable("no answer")
        await network.until(lambda: not coordinator.parked, passing_s=0.5)
        assert "can not be read" in reason(mining, coordinator)
        polls = len(coordinator.polls)
        network.escrow.error = None
        await network.until(lambda: len(coordinator.polls) > polls, passing_s=1)
    assert not coordinator.failures


async def test_result__signed_before_a_restart_and_not_answered__counts_as_in_hand(network):
    network.escrow.balances[1] = (5 * CAI, 0, 0)
    network.coordinator.submit_errors = [ChainUnreachable("proxy")]
    async with network.running():
        assignment = network.coordinator.assign(price=3 * CAI)
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.receipt_is(assignment, ReceiptState.SIGNED)
        await network.until(lambda: network.coordinator.uploads)
    network.coordinator.reachable = False
    async with network.running() as mining:
        await network.until(lambda: mining.in_flight_wei(NodeId(1)) == 3 * CAI)
        network.coordinator.reachable = True
        network.coordinator.vouchers.append(voucher(network.coordinator, 3 * CAI))
        await network.until(lambda: mining.in_flight_wei(NodeId(1)) == 0, passing_s=1)
