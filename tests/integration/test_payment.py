"""What a coordinator owes: prices, vouchers, what backs them, and what a restart or an old backup must not change."""

import pytest
from msgspec.structs import replace

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import Conflict, SignatureInvalid
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.pricing import Rates, price_of
from cuckoo.protocol.messages import SignedVoucher, TaskRequest
from cuckoo.protocol.receipts import Voucher
from cuckoo.protocol.signing import Signer, check_signed_by
from tests.support.coordinating import (
    COORDINATOR,
    COORDINATOR_KEY,
    HASHER,
    LIMITS,
    OFFER,
    Escrow,
    ScriptedMiner,
    app,
    running,
)

RATES = Rates(Wei(100 * CAI))
PRICE = price_of(64 * 64 * 4, RATES.default)
APPLE = TaskRequest(prompt="a red apple", seed=7)


async def paid(coordinator, miner, times=1):
    """Have a miner serve so many tasks; returns its last voucher."""
    async with app(coordinator) as client:
        for _ in range(times):
            await client.submit(APPLE)
            signed = await miner.poll()
            upload = miner.result(signed.assignment)
            reply = await miner.submit(signed.assignment, upload)
            assert signed.assignment.price == PRICE
        assert await miner.submit(signed.assignment, upload) == reply, "a repeat brings the same"
    return reply.voucher


def signed_voucher(cumulative, key=COORDINATOR_KEY, miner=2, coordinator=COORDINATOR):
    voucher = Voucher(coordinator_node=coordinator, miner_node=miner, cumulative=Wei(cumulative))
    return SignedVoucher(voucher=voucher, signature=key.sign(HASHER.digest(voucher.struct_hash())))


async def test_result__accepted__brings_a_voucher_over_all_that_was_earned(tmp_path):
    async with running(tmp_path, rates=RATES) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        voucher = await paid(coordinator, miner, times=3)
        assert voucher.voucher == Voucher(coordinator_node=COORDINATOR, miner_node=2, cumulative=Wei(3 * PRICE))
        check_signed_by(
            HASHER.digest(voucher.voucher.struct_hash()), voucher.signature, COORDINATOR_KEY.address, "the voucher"
        )
        async with app(coordinator) as client:
            assert (await client.models()).data[0].rate_wei == RATES.default
            assert (await client.submit(APPLE)).price_wei == PRICE
        await miner.client.close()


async def test_restart__what_was_owed__goes_on(tmp_path):
    escrow = Escrow()
    for times in (1, 2):
        async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator:
            miner = ScriptedMiner(coordinator)
            miner.last_sequence = 100 * times
            await miner.sign_in()
            assert (await paid(coordinator, miner)).voucher.cumulative == times * PRICE
            await miner.client.close()


async def test_free__no_voucher_and_nothing_held_ready(tmp_path):
    escrow = Escrow()
    async with running(tmp_path, escrow=escrow) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        async with app(coordinator) as client:
            await client.submit(APPLE)
        signed = await miner.poll()
        assert (await miner.submit(signed.assignment, miner.result(signed.assignment))).voucher is None
        assert not escrow.deposits
        await miner.client.close()


async def test_sign_in__first__coordinator_holds_cai_ready(tmp_path):
    escrow = Escrow()
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        assert escrow.deposits == [[(2, 10 * CAI)]]
        await miner.client.close()


async def test_escrow__half_used__topped_up_ahead_of_need(tmp_path):
    escrow = Escrow()
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        await paid(coordinator, miner, times=4)
        await coordinator.purse.refresh()
        assert escrow.deposits[1:] == [[(2, 4 * PRICE)]]
        assert coordinator.purse.free_wei(2) == 10 * CAI
        await miner.client.close()


async def test_escrow__not_enough__the_miner_is_not_drawn_until_there_is(tmp_path):
    escrow = Escrow(wallet=0)
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator, app(coordinator) as client:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        await client.submit(APPLE)
        coordinator.dispatch.miners._long_poll_s = 0.05
        assert await miner.poll() is None
        escrow.wallet = 1_000 * CAI
        await coordinator.purse.refresh()
        assert (await miner.poll()).assignment.price == PRICE
        await miner.client.close()


async def test_escrow__thaw_begins__counts_at_once(tmp_path):
    escrow = Escrow(wallet=10 * CAI)
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        escrow.set(2, thawing_wei=Wei(9 * CAI))
        await coordinator.purse.refresh()
        assert coordinator.purse.free_wei(2) == CAI
        await miner.client.close()


async def test_miner__that_wants_more__is_not_drawn(tmp_path):
    async with running(tmp_path, rates=RATES) as coordinator, app(coordinator) as client:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in(models=(replace(OFFER, min_rate_wei=Wei(RATES.default + CAI)),))
        await client.submit(APPLE)
        coordinator.dispatch.miners._long_poll_s = 0.05
        assert await miner.poll() is None
        await miner.sign_in(models=(replace(OFFER, min_rate_wei=RATES.default),))
        assert await miner.poll() is not None
        await miner.client.close()


async def test_backup__restored__the_miners_voucher_and_the_chain_are_believed(tmp_path):
    escrow = Escrow()
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in(voucher=signed_voucher(7 * CAI))
        assert (await paid(coordinator, miner)).voucher.cumulative == 7 * CAI + PRICE
        escrow.set(2, redeemed_wei=Wei(20 * CAI))
        session = await miner.sign_in(voucher=signed_voucher(7 * CAI))
        assert session.voucher == signed_voucher(20 * CAI)
        assert (await paid(coordinator, miner)).voucher.cumulative == 20 * CAI + PRICE
        await miner.client.close()


async def test_voucher__of_a_key_that_was_replaced__is_still_ours(tmp_path):
    escrow, old = Escrow(), Signer(b"\x77" * 32)
    escrow.operators.add(old.address)
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in(voucher=signed_voucher(3 * CAI, key=old))
        assert (await paid(coordinator, miner)).voucher.cumulative == 3 * CAI + PRICE
        await miner.client.close()


@pytest.mark.parametrize(
    "voucher",
    [
        signed_voucher(10**6 * CAI, key=Signer(b"\x66" * 32)),
        signed_voucher(CAI, miner=3),
        signed_voucher(CAI, coordinator=4),
    ],
    ids=["forged", "of another miner", "of another coordinator"],
)
async def test_voucher__not_ours__the_sign_in_is_refused(tmp_path, voucher):
    async with running(tmp_path, rates=RATES) as coordinator:
        miner = ScriptedMiner(coordinator)
        with pytest.raises(SignatureInvalid, match="take a voucher"):
            await miner.sign_in(voucher=voucher)
        assert not coordinator.dispatch.miners.signed_in(2)
        await miner.client.close()


async def test_cancel__in_the_middle__the_steps_done_are_owed_once(tmp_path):
    escrow = Escrow()
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator, app(coordinator) as client:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        for task_steps, done in ((4, 3), (4, 0)):
            task = await client.submit(replace(APPLE, steps=task_steps))
            assignment = (await miner.poll()).assignment
            assert not (await miner.progress(assignment, done)).cancelled
            await client.cancel(task.task_id)
            reply = await miner.progress(assignment, task_steps)
            assert reply == await miner.progress(assignment, task_steps), "a repeat brings the same"
            assert reply.cancelled
            assert reply.earned_wei == PRICE * done // task_steps
            with pytest.raises(Conflict, match="cancelled"):
                await miner.submit(assignment, miner.result(assignment))
        assert reply.voucher is None, "nothing was done, nothing is owed"
        assert (await paid(coordinator, miner)).voucher.cumulative == PRICE * 3 // 4 + PRICE
        await miner.client.close()


async def test_cancel__of_a_miner_that_fell_silent__owes_nothing(tmp_path):
    async with running(tmp_path, rates=RATES) as coordinator, app(coordinator) as client:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        task = await client.submit(APPLE)
        assignment = (await miner.poll()).assignment
        await miner.progress(assignment, 3)
        await coordinator.tick(LIMITS.silence_s + 1)
        await client.cancel(task.task_id)
        assert coordinator.purse.voucher(2) is None
        await miner.client.close()


async def test_sign_in__miner_that_lost_its_vouchers__gets_the_best_one_back(tmp_path):
    async with running(tmp_path, rates=RATES) as coordinator:
        miner = ScriptedMiner(coordinator)
        assert (await miner.sign_in()).voucher is None
        voucher = await paid(coordinator, miner, times=2)
        assert (await miner.sign_in()).voucher == voucher
        await miner.client.close()


async def test_voucher__owed_and_not_yet_on_disk__is_not_promised(tmp_path):
    async with running(tmp_path, rates=RATES) as coordinator:
        task = TaskId("ab" * 16)
        command = coordinator.purse.owe(NodeId(2), task, 1, "result", Wei(PRICE), 1.0)
        assert coordinator.purse.voucher(NodeId(2)) is None
        await coordinator.store.writer.execute(command)
        coordinator.purse.committed(NodeId(2), Wei(PRICE))
        assert coordinator.purse.voucher(NodeId(2)).voucher.cumulative == PRICE


async def test_sign_in__enough_is_held__no_other_miner_is_looked_at(tmp_path):
    escrow = Escrow()
    async with running(tmp_path, rates=RATES, escrow=escrow) as coordinator:
        for number in (2, 3):
            miner = ScriptedMiner(coordinator, number)
            await miner.sign_in()
            await miner.client.close()
        deposited = len(escrow.deposits)
        coordinator.purse._accounts[NodeId(3)] = replace(coordinator.purse._accounts[NodeId(3)], balance_wei=Wei(0))
        await coordinator.purse.admit(NodeId(2), None)
        assert len(escrow.deposits) == deposited
