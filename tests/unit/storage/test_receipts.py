import pytest

from cuckoo.domain.errors import NotFound
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.records import NewReceipt, ReceiptState
from cuckoo.storage.store import open_store

HASH = b"h" * 32


def receipt(**fields):
    given = {
        "assignment_hash": HASH,
        "coordinator_node": NodeId(1),
        "task_id": TaskId("a" * 32),
        "attempt": 1,
        "sequence": 9,
        "receipt": b"receipt",
        "signature": b"signature",
        "result": b"upload",
        "signed_at": 5.0,
    }
    return NewReceipt(**{**given, **fields})


async def test_record__first__stored_with_upload_and_mark(store):
    stored = await store.writer.execute(store.receipts.record(receipt()))
    assert stored == await store.receipts.get(HASH)
    assert (stored.state, stored.receipt, stored.reply) == (ReceiptState.SIGNED, b"receipt", None)
    assert await store.receipts.result(stored) == b"upload"
    assert await store.receipts.last_sequence(NodeId(1)) == 9
    assert await store.receipts.last_sequence(NodeId(2)) == 0


async def test_record__another_over_the_same_assignment__the_first_holds(store):
    first = await store.writer.execute(store.receipts.record(receipt()))
    again = await store.writer.execute(
        store.receipts.record(receipt(receipt=b"other", signature=b"other", result=b"other", sequence=50))
    )
    assert again == first
    assert await store.receipts.result(again) == b"upload"
    assert await store.receipts.last_sequence(NodeId(1)) == 9


async def test_record__restart__found_again_with_upload(directory, clock):
    async with open_store(directory, clock=clock) as store:
        stored = await store.writer.execute(store.receipts.record(receipt()))
    async with open_store(directory, clock=clock) as store:
        assert await store.receipts.unsettled() == [stored]
        assert await store.receipts.result(stored) == b"upload"


@pytest.mark.parametrize(("accepted", "state"), [(True, ReceiptState.ACCEPTED), (False, ReceiptState.REFUSED)])
async def test_settle__reply__kept_and_upload_stays_for_a_jury(store, accepted, state):
    await store.writer.execute(store.receipts.record(receipt()))
    await store.writer.execute(store.receipts.settle(HASH, accepted=accepted, reply=b"voucher"))
    await store.writer.execute(store.receipts.settle(HASH, accepted=not accepted, reply=b"other"))
    settled = await store.receipts.get(HASH)
    assert (settled.state, settled.reply) == (state, b"voucher")
    assert await store.receipts.unsettled() == []
    assert await store.receipts.result(settled) == b"upload"


async def test_settle__nothing_signed__not_found(store):
    with pytest.raises(NotFound):
        await store.writer.execute(store.receipts.settle(HASH, accepted=True, reply=b""))


async def test_get__nothing_signed__none(store):
    assert await store.receipts.get(HASH) is None


async def test_note_sequence__out_of_order__only_rises(store):
    marks = [await store.writer.execute(store.receipts.note_sequence(NodeId(1), number)) for number in (3, 7, 5)]
    assert marks == [3, 7, 7]
    assert await store.receipts.last_sequence(NodeId(1)) == 7


async def test_forget_before__settled_and_old__gone(store):
    await store.writer.execute(store.receipts.record(receipt()))
    await store.writer.execute(store.receipts.record(receipt(assignment_hash=b"i" * 32)))
    await store.writer.execute(store.receipts.settle(HASH, accepted=True, reply=b""))
    assert await store.writer.execute(store.receipts.forget_before(5.0)) == 0
    assert await store.writer.execute(store.receipts.forget_before(6.0)) == 1
    assert [kept.assignment_hash for kept in await store.receipts.unsettled()] == [b"i" * 32]
