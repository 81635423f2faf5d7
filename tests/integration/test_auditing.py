"""Results that others make again before they are paid: who is asked, who is paid, who is left out."""

import asyncio
import io
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from PIL import Image

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import Conflict, NotFound
from cuckoo.domain.pricing import Rates, price_of
from cuckoo.protocol.messages import EvidenceUpload, SignedAssignment, TaskRequest
from cuckoo.protocol.receipts import pixel_hash
from cuckoo.scheduler.eligibility import Exclusion
from cuckoo.services.auditing import service
from cuckoo.services.auditing.sampling import NEWCOMER_AUDITS
from cuckoo.storage.audits import AuditState
from tests.support.coordinating import Escrow, ScriptedMiner, app, audit_states, png, running
from tests.support.processes import until

RATES = Rates(Wei(100 * CAI))
PRICE = price_of(64 * 64 * 4, RATES.default)
APPLE = TaskRequest(prompt="a red apple", seed=7)
WRONG = png(colour=(9, 9, 9))
ALWAYS = {"probability": 1.0}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(service, "LOOK_S", 0.01)


@asynccontextmanager
async def auditing(folder, escrow=None, miners=3, audits=ALWAYS, last_sequence=0):
    """Run a coordinator that checks every result, with miners 2, 3, 4."""
    async with running(folder, rates=RATES, escrow=escrow or Escrow(), audits=audits) as coordinator:
        work = asyncio.create_task(coordinator.auditing.run())
        people = [ScriptedMiner(coordinator, node_id) for node_id in range(2, 2 + miners)]
        for one in people:
            one.last_sequence = last_sequence
            await one.sign_in()
        try:
            yield coordinator, people
        finally:
            for one in people:
                await one.client.close()
            work.cancel()
            await asyncio.wait({work})


async def asked(coordinator, miner):
    """Ask for an apple that this miner draws; returns its assignment."""
    await miner.sign_in()
    async with app(coordinator) as client:
        await client.submit(APPLE)
    return (await miner.poll()).assignment


async def serve(miner, **result):
    """Have a miner take what comes next and answer it; returns assignment and reply."""
    await miner.sign_in()
    assignment = (await miner.poll()).assignment
    return assignment, await miner.submit(assignment, miner.result(assignment, **result))


async def settled(miner, assignment, upload):
    """Repeat a submit until the check is over; returns the answer."""
    async with asyncio.timeout(20):
        while True:
            reply = await miner.submit(assignment, upload)
            if not reply.audited:
                return reply
            await asyncio.sleep(0.01)


async def test_honest__made_again_by_another__paid_when_that_is_known(tmp_path):
    async with auditing(tmp_path) as (coordinator, (one, two, _)):
        assignment = await asked(coordinator, one)
        upload = one.result(assignment)
        first = await one.submit(assignment, upload)
        assert (first.audited, first.voucher) == (True, None)
        assert coordinator.purse.free_wei(2) == 10 * CAI - PRICE, "its price is kept free"
        again, reply = await serve(two)
        assert again.parameters == replace(assignment.parameters, salt=again.parameters.salt)
        assert (again.task_id != assignment.task_id, again.price) == (True, PRICE), "it looks like any other task"
        assert reply.voucher.voucher.cumulative == PRICE, "who checks is paid at once"
        assert (await settled(one, assignment, upload)).voucher.voucher.cumulative == PRICE
        assert coordinator.purse.free_wei(2) == 10 * CAI - PRICE
        assert await audit_states(coordinator) == {(2, "passed"): 1}


async def test_wrong_picture__two_others_agree__not_paid_and_left_out(tmp_path):
    async with auditing(tmp_path) as (coordinator, (cheat, *others)):
        assignment = await asked(coordinator, cheat)
        upload = cheat.result(assignment, pictures=[WRONG])
        assert (await cheat.submit(assignment, upload)).audited
        for other in others:
            await serve(other)
        with pytest.raises(Conflict, match="made again by miner 3, miner 4"):
            await settled(cheat, assignment, upload)
        assert coordinator.purse.voucher(2) is None
        assert coordinator.purse.free_wei(2) == 10 * CAI
        assert await audit_states(coordinator) == {(2, "failed"): 1}
        demand = coordinator.dispatch.engine.state
        assert demand.miners[2].health.left_out
        assert demand.miners[2].why_inactive is Exclusion.UNHEALTHY


async def shown(coordinator, task_id):
    """Return what an app is told of a task's audit."""
    async with app(coordinator) as client:
        return (await client.get(task_id)).audit


async def test_owner__while_it_is_checked__learns_nothing_and_then_that_it_passed(tmp_path):
    async with auditing(tmp_path) as (coordinator, (one, two, _)):
        assignment = await asked(coordinator, one)
        assert await shown(coordinator, assignment.task_id) is None
        upload = one.result(assignment)
        assert (await one.submit(assignment, upload)).audited
        assert await shown(coordinator, assignment.task_id) is None
        again, _ = await serve(two)
        await settled(one, assignment, upload)
        audit = await shown(coordinator, assignment.task_id)
        assert (audit.state, audit.detail) == ("passed", "")
        assert abs(audit.closed_at - coordinator.clock.now()) < 60
        assert await shown(coordinator, again.task_id) is None, "the checking task looks like any other"


async def test_owner__of_a_result_that_was_wrong__is_told_how_it_was_found(tmp_path):
    async with auditing(tmp_path) as (coordinator, (cheat, *others)):
        assignment = await asked(coordinator, cheat)
        upload = cheat.result(assignment, pictures=[WRONG])
        await cheat.submit(assignment, upload)
        for other in others:
            await serve(other)
        with pytest.raises(Conflict):
            await settled(cheat, assignment, upload)
        audit = await shown(coordinator, assignment.task_id)
        assert audit.state == "failed"
        assert audit.detail == "made again by miner 3, miner 4: other pixels or latents"


async def test_wrong_picture__with_disputes__is_an_accusation_on_disk_whose_evidence_can_be_fetched(tmp_path):
    async with auditing(tmp_path, audits=ALWAYS | {"disputes": True}) as (coordinator, (cheat, *others)):
        assignment = await asked(coordinator, cheat)
        upload = cheat.result(assignment, pictures=[WRONG])
        await cheat.submit(assignment, upload)
        for other in others:
            await serve(other)
        with pytest.raises(Conflict, match="made again"):
            await settled(cheat, assignment, upload)
        accusations = coordinator.store.accusations
        (one,) = await accusations.unfinished()
        assert (one.miner_node, one.state.value, one.dispute) == (2, "recorded", None)
        with pytest.raises(NotFound):
            await cheat.client.evidence(7)
        await coordinator.store.writer.execute(accusations.opened(one.assignment_hash, 7))
        shown = await cheat.client.evidence(7)
        assert (shown.signed.assignment, shown.signed.receipt) == (assignment, upload.receipt)
        assert shown.signed.receipt_signature == upload.signature
        assert await cheat.client.evidence_picture(7, shown.pictures[0]) == WRONG[0]
        with pytest.raises(NotFound):
            await cheat.client.evidence_picture(7, bytes(32))
        signed = SignedAssignment(assignment=assignment, signature=bytes(65))
        with pytest.raises(NotFound, match="no such dispute is open"):
            await cheat.client.file_evidence(7, EvidenceUpload(assignment=signed, result=upload))


async def test_wrong_opinion__third_agrees_with_the_first__the_second_is_at_fault(tmp_path):
    async with auditing(tmp_path) as (coordinator, (honest, liar, third)):
        assignment = await asked(coordinator, honest)
        upload = honest.result(assignment)
        await honest.submit(assignment, upload)
        await serve(liar, pictures=[WRONG])
        await serve(third)
        assert (await settled(honest, assignment, upload)).voucher.voucher.cumulative == PRICE

        async def both_known():
            return await audit_states(coordinator) == {(2, "passed"): 1, (3, "failed"): 1}

        await until(both_known, what="both to be known")
        assert coordinator.dispatch.engine.state.miners[3].health.left_out
        assert await coordinator.store.accusations.unfinished() == [], "disputes are off"
        assert not coordinator.dispatch.engine.state.miners[2].health.left_out


async def test_same_owner__is_never_asked(tmp_path):
    async with auditing(tmp_path) as (coordinator, (one, twin, other)):
        row = coordinator.registry.node(3)
        coordinator.registry.put(replace(row, owner=coordinator.registry.node(2).owner))
        assignment = await asked(coordinator, one)
        await one.submit(assignment, one.result(assignment))
        coordinator.dispatch.miners._long_poll_s = 0.05
        for _ in range(20):
            assert await twin.poll() is None
        coordinator.dispatch.miners._long_poll_s = 5.0
        again, _ = await serve(other)
        assert again.miner_node == 4


async def test_restart__in_the_middle__goes_on_and_pays_once(tmp_path):
    escrow = Escrow()
    async with auditing(tmp_path, escrow) as (coordinator, (one, two, _)):
        assignment = await asked(coordinator, one)
        upload = one.result(assignment)
        await one.submit(assignment, upload)
        await two.sign_in()
        again = (await two.poll()).assignment
    async with auditing(tmp_path, escrow, last_sequence=100) as (coordinator, (one, two, _)):
        assert coordinator.purse.free_wei(2) == 10 * CAI - PRICE
        await two.submit(again, two.result(again))
        assert (await settled(one, assignment, upload)).voucher.voucher.cumulative == PRICE
        assert await audit_states(coordinator) == {(2, "passed"): 1}


async def test_nobody_else__there_at_all__paid_unchecked_at_once(tmp_path):
    async with auditing(tmp_path, miners=1) as (coordinator, (one,)):
        assignment = await asked(coordinator, one)
        upload = one.result(assignment)
        await one.submit(assignment, upload)
        assert (await settled(one, assignment, upload)).voucher.voucher.cumulative == PRICE
        assert await audit_states(coordinator) == {(2, AuditState.UNDECIDED.value): 1}


async def test_nobody_else__takes_it_for_long__paid_unchecked(tmp_path):
    async with auditing(tmp_path, miners=2) as (coordinator, (one, _)):
        assignment = await asked(coordinator, one)
        upload = one.result(assignment)
        assert (await one.submit(assignment, upload)).audited

        async def asked_for():
            return (await coordinator.store.audits.all_open())[0].opinions

        await until(asked_for, what="an opinion to be asked for")
        coordinator.clock.ahead_s += service.PATIENCE_S + 1
        assert (await settled(one, assignment, upload)).voucher.voucher.cumulative == PRICE
        assert await audit_states(coordinator) == {(2, AuditState.UNDECIDED.value): 1}


async def test_probability__newcomers_and_the_unhealthy__are_checked_more(tmp_path):
    async with auditing(tmp_path, audits={"probability": 0.02, "secret": b"s"}) as (coordinator, _):
        chosen = coordinator.auditing.chosen

        def rate(miner, health):
            return sum(chosen(miner, number.to_bytes(8, "big"), health, False) for number in range(20_000)) / 20_000

        coordinator.auditing.sample.found_right(2, NEWCOMER_AUDITS)
        assert rate(2, 1.0) == pytest.approx(0.02, rel=0.2)
        assert rate(2, 0.5) == pytest.approx(0.10, rel=0.2)
        assert rate(3, 1.0) == pytest.approx(0.10, rel=0.2)
        coordinator.auditing._distrust(2)
        assert rate(2, 1.0) == pytest.approx(0.10, rel=0.2), "found wrong: it begins anew"


async def test_blank_picture__is_always_checked(tmp_path):
    async with auditing(tmp_path, audits={"probability": 1e-9}) as (coordinator, (one, two, _)):
        assignment = await asked(coordinator, one)
        assert not (await one.submit(assignment, one.result(assignment, pictures=[_gradient()]))).audited
        assignment = await asked(coordinator, one)
        assert (await one.submit(assignment, one.result(assignment, pictures=[WRONG]))).audited
        del two


def _gradient():
    image = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), pixel_hash(64, 64, image.tobytes())
