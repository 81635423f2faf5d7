"""What a miner earns: vouchers checked and kept, work refused that nothing backs."""

import pytest

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import ChainUnreachable
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.messages import ProgressReply, SignedVoucher, SubmitReply
from cuckoo.protocol.receipts import Voucher
from cuckoo.protocol.signing import Signer
from cuckoo.services.mining.backing import UNANSWERED_MOST, UNANSWERED_S
from cuckoo.services.mining.receipts import EARNED
from cuckoo.storage.records import ReceiptState
from tests.support.mining import DOMAIN


def _voucher(coordinator, cumulative, signer=None, miner=9):
    voucher = Voucher(coordinator_node=coordinator.node_id, miner_node=NodeId(miner), cumulative=Wei(cumulative))
    signature = (signer or coordinator.signer).sign(DOMAIN.digest(voucher.struct_hash()))
    return SignedVoucher(voucher=voucher, signature=signature)


async def _earn(network, price, *vouchers):
    """Deliver a result for each voucher; returns the best one kept."""
    network.escrow.balances[network.coordinator.node_id] = (100 * CAI, 0, 0)
    network.coordinator.vouchers = list(vouchers)
    async with network.running():
        for _ in vouchers:
            assignment = network.coordinator.assign(price=price)
            await network.until(lambda: network.pool.jobs)
            network.pool.finish()
            await network.receipt_is(assignment, ReceiptState.ACCEPTED)
            network.pool.jobs.clear()
    return await network.receipts.best_voucher(network.coordinator.node_id)


async def test_voucher__with_each_answer__the_best_is_on_disk(network):
    coordinator = network.coordinator
    best = await _earn(network, CAI, _voucher(coordinator, CAI), _voucher(coordinator, 2 * CAI))
    assert best.cumulative_wei == 2 * CAI
    assert best.signature == _voucher(coordinator, 2 * CAI).signature
    async with network.running():
        await network.until(lambda: coordinator.proofs[-1].voucher)
    assert coordinator.proofs[-1].voucher == _voucher(coordinator, 2 * CAI)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda coordinator: None,
        lambda coordinator: _voucher(coordinator, CAI - 1),
        lambda coordinator: _voucher(coordinator, CAI, signer=Signer(b"\x99" * 32)),
        lambda coordinator: _voucher(coordinator, CAI, miner=8),
    ],
    ids=["none", "too low", "forged", "for another miner"],
)
async def test_voucher__not_what_is_owed__the_coordinator_is_left_alone(network, wrong):
    network.escrow.balances[network.coordinator.node_id] = (100 * CAI, 0, 0)
    network.coordinator.vouchers = [wrong(network.coordinator)]
    async with network.running() as mining:
        assignment = network.coordinator.assign(price=CAI)
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.receipt_is(assignment, ReceiptState.ACCEPTED)
        await network.until(lambda: mining._connections[network.coordinator.node_id].wait_s > 0)


@pytest.mark.parametrize("account", [(0, 0, 0), (CAI - 1, 0, 0), (2 * CAI, CAI + 1, 0)])
async def test_assignment__not_backed_on_chain__given_back_with_the_reason(network, account):
    network.escrow.balances[network.coordinator.node_id] = account
    async with network.running():
        network.coordinator.assign(price=CAI)
        await network.until(lambda: network.coordinator.failures)
    kind, reason = network.coordinator.failures[0][1].kind, network.coordinator.failures[0][1].reason
    assert kind == "not_backed"
    assert "1 CAI are offered" in reason
    assert not network.pool.jobs


async def test_assignment__chain_does_not_answer__given_back(network):
    network.escrow.error = ChainUnreachable("no answer")
    async with network.running():
        network.coordinator.assign(price=CAI)
        await network.until(lambda: network.coordinator.failures)
    assert "can not be read" in network.coordinator.failures[0][1].reason


@pytest.mark.parametrize("holds", [CAI // 4, CAI // 4 - 1], ids=["all of it", "less"])
async def test_cancelled__steps_were_done__booked_with_the_voucher(network, holds):
    coordinator = network.coordinator
    coordinator_node = coordinator.node_id
    network.escrow.balances[coordinator_node] = (100 * CAI, 0, 0)
    async with network.running() as mining:
        assignment = coordinator.assign(price=CAI)
        await network.until(lambda: coordinator.steps)
        coordinator.progress_reply = ProgressReply(
            cancelled=True, earned_wei=Wei(CAI // 4), voucher=_voucher(coordinator, holds)
        )
        network.pool.step(1)
        await network.until(lambda: network.pool.cancelled)

        async def booked():
            return await network.store.ledger.entries(EARNED, coordinator_node)

        while not (entries := await booked()):
            await network.until(lambda: True)
        if holds < CAI // 4:
            await network.until(lambda: mining._connections[coordinator_node].wait_s > 0)
        else:
            assert not mining._connections[coordinator_node].wait_s
    assert [(one.kind, one.amount_wei, one.task_id) for one in entries] == [("cancelled", CAI // 4, assignment.task_id)]
    assert (await network.receipts.best_voucher(coordinator_node)).cumulative_wei == holds


async def test_sign_in__miner_restored_from_a_backup__its_voucher_comes_back(network):
    lost = network.coordinator.sign_in_voucher = _voucher(network.coordinator, 5 * CAI)
    async with network.running():
        await network.until(network.polled(2))
    best = await network.receipts.best_voucher(network.coordinator.node_id)
    assert (best.cumulative_wei, best.signature) == (5 * CAI, lost.signature)


async def test_sign_in__voucher_forged__the_coordinator_is_left_alone(network):
    network.coordinator.sign_in_voucher = _voucher(network.coordinator, CAI, signer=Signer(b"\x99" * 32))
    async with network.running() as mining:
        await network.until(lambda: mining.chosen and network.coordinator.proofs)
        await network.until(lambda: mining._connections[network.coordinator.node_id].wait_s > 0)
    assert await network.receipts.best_voucher(network.coordinator.node_id) is None


async def test_result__of_a_task_id_that_was_paid_before__does_not_stop_the_miner(network):
    coordinator = network.coordinator
    network.escrow.balances[coordinator.node_id] = (100 * CAI, 0, 0)
    coordinator.vouchers = [_voucher(coordinator, CAI), _voucher(coordinator, 2 * CAI), _voucher(coordinator, 3 * CAI)]
    async with network.running() as mining:
        first = coordinator.assign(price=CAI)
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.receipt_is(first, ReceiptState.ACCEPTED)
        await network.until(lambda: not mining.in_flight)
        coordinator.assign(price=CAI, task_id=first.task_id)
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.until(lambda: not mining.in_flight)
        last = coordinator.assign(price=CAI)
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.receipt_is(last, ReceiptState.ACCEPTED)


async def test_voucher__withheld__nothing_more_is_taken_until_it_comes(network):
    coordinator = network.coordinator
    network.escrow.balances[coordinator.node_id] = (100 * CAI, 0, 0)
    async with network.running() as mining:
        for _ in range(3):
            coordinator.assign(price=CAI, deadline=int(network.clock.now()) + 7_200)
        await network.until(lambda: len(network.pool.jobs) == 2)
        network.pool.finish()
        connection = mining._connections[coordinator.node_id]
        await network.until(lambda: connection.debt)
        for _ in range(10):
            await network.clock.pass_(61)
        assert len(network.pool.asked) == 2, "what it had taken before it knew"
        assert len(coordinator.proofs) >= 5, "it asks for its voucher at each sign-in"
        coordinator.sign_in_voucher = _voucher(coordinator, 2 * CAI)
        await network.until(lambda: not connection.debt, passing_s=5)
        await network.until(lambda: len(network.pool.asked) == 3, passing_s=5)


async def test_voucher__missing_when_the_miner_starts__it_is_asked_for_first(network):
    coordinator = network.coordinator
    await _earn(network, CAI, None)
    network.pool.jobs.clear()
    async with network.running() as mining:
        polls = len(coordinator.polls)
        await network.until(lambda: network.coordinator.node_id in mining._connections)
        await network.until(lambda: mining._connections[coordinator.node_id].debt)
        await network.clock.pass_(120)
        assert len(coordinator.polls) == polls


async def test_results__never_settled__the_work_ends_after_a_quarter_of_an_hour(network):
    coordinator, node, task_s, served = network.coordinator, network.coordinator.node_id, 60, 0
    network.escrow.balances[node] = (10_000 * CAI, 0, 0)
    coordinator.submit_replies = [SubmitReply(audited=True)] * 10_000
    async with network.running() as mining:
        while not mining.backing.reason(node):
            assignment = coordinator.assign(price=CAI, deadline=int(network.clock.now()) + 7_200)
            await network.until(lambda: network.pool.jobs or mining.backing.reason(node), passing_s=1)
            if mining.backing.reason(node):
                break
            network.pool.finish()
            key = assignment.struct_hash()
            await network.until(lambda key=key: mining.in_flight[key].signed_at)
            await network.until(lambda: not network.pool.jobs)
            await network.clock.pass_(task_s)
            served += 1
        assert "has not settled 3 results for 15 minutes" in mining.backing.reason(node)
        assert UNANSWERED_MOST <= served <= UNANSWERED_S / task_s + UNANSWERED_MOST
        coordinator.submit_replies = []
        coordinator.vouchers = [_voucher(coordinator, 1_000 * CAI)] * 100
        await network.until(lambda: not mining.backing.reason(node), passing_s=5)


async def test_assignments__genuine_ones__are_told_to_who_compares_them_with_the_log(network):
    coordinator, told = network.coordinator, []
    async with network.running() as mining:
        mining.on_assignment = told.append
        first = coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        coordinator.assign(miner_node=NodeId(8))
        await network.until(lambda: mining._connections[coordinator.node_id].wait_s > 0)
    assert [one.assignment for one in told] == [first]
