"""Audits with a challenge: kept, asked anew, answered once."""

from msgspec.structs import replace

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.protocol.messages import Challenge
from cuckoo.storage.audits import AuditState, NewAudit

CHALLENGE = Challenge(id=0, picture=1, step=5, history=2, deadline=1_700_000_060)
NEW = NewAudit(
    task_id=TaskId("0a" * 16),
    attempt=1,
    miner_node=NodeId(2),
    price_wei=Wei(7),
    opened_at=1_700_000_000.0,
    challenge=CHALLENGE,
)


async def test_challenge__is_read_back_with_the_audits_number(store):
    number = await store.writer.execute(store.audits.add(NEW))
    audit = await store.audits.get(number)
    assert audit.challenge == replace(CHALLENGE, id=number)
    assert audit.answer is None
    plain = await store.writer.execute(store.audits.add(replace(NEW, attempt=2, challenge=None)))
    assert (await store.audits.get(plain)).challenge is None
    assert await store.audits.get(plain + 1) is None


async def test_ask__anew__changes_an_open_one_only(store):
    number = await store.writer.execute(store.audits.add(NEW))
    later = replace(CHALLENGE, deadline=1_700_000_360)
    await store.writer.execute(store.audits.ask(number, later))
    assert (await store.audits.get(number)).challenge.deadline == 1_700_000_360
    await store.writer.execute(store.audits.close(number, AuditState.FAILED, "", 1.0))
    await store.writer.execute(store.audits.ask(number, CHALLENGE))
    assert (await store.audits.get(number)).challenge.deadline == 1_700_000_360


async def test_passed__since_the_last_that_failed__counted_by_miner(store):
    async def judged(attempt, miner, state):
        number = await store.writer.execute(store.audits.add(replace(NEW, attempt=attempt, miner_node=NodeId(miner))))
        await store.writer.execute(store.audits.close(number, state, "", 1.0))

    for attempt, state in enumerate(("passed", "passed", "failed", "passed", "undecided"), 1):
        await judged(attempt, 2, AuditState(state))
    await judged(6, 3, AuditState.PASSED)
    await judged(7, 4, AuditState.FAILED)
    assert await store.audits.passed_since_failed() == {2: 1, 3: 1}


async def test_answer__twice__the_first_counts(store):
    number = await store.writer.execute(store.audits.add(NEW))
    await store.writer.execute(store.audits.answer(number, b"first"))
    await store.writer.execute(store.audits.answer(number, b"second"))
    assert await store.blobs.get((await store.audits.get(number)).answer) == b"first"


async def test_answer__to_a_closed_one__is_not_kept(store):
    number = await store.writer.execute(store.audits.add(NEW))
    await store.writer.execute(store.audits.close(number, AuditState.FAILED, "too late", 1.0))
    await store.writer.execute(store.audits.answer(number, b"late"))
    assert (await store.audits.get(number)).answer is None
