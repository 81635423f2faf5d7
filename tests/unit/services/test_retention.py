"""What is over its time is deleted, and nothing else."""

import asyncio

import pytest

from cuckoo.domain.errors import NotFound
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.services.retention import Retention
from cuckoo.storage.records import NewReceipt
from cuckoo.storage.store import open_store
from tests.support.mining import Clock

DAY = 86_400


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def store(tmp_path, clock):
    async with open_store(tmp_path / "miner", clock=clock.now) as opened:
        yield opened


def receipt(number, signed_at):
    return NewReceipt(
        assignment_hash=bytes([number]) * 32,
        coordinator_node=NodeId(1),
        task_id=TaskId(f"{number:032x}"),
        attempt=1,
        sequence=number,
        receipt=b"receipt",
        signature=b"signature",
        result=b"pictures of %d" % number,
        signed_at=signed_at,
    )


async def settled(store, number, signed_at):
    stored = await store.writer.execute(store.receipts.record(receipt(number, signed_at)))
    await store.writer.execute(store.receipts.settle(stored.assignment_hash, accepted=True, reply=b""))
    return stored


async def clean(store, clock):
    cleaning = asyncio.create_task(Retention(store, days=7, draw_period_s=3_600, clock=clock).clean())
    await clock.until(cleaning.done, passing_s=1)
    await cleaning


async def test_clean__settled_receipt_of_a_miner__gone_with_its_upload_after_the_time_of_keeping(store, clock):
    old = await settled(store, 1, clock.now())
    await clock.pass_(5 * DAY)
    young = await settled(store, 2, clock.now())
    await clock.pass_(3 * DAY)
    await clean(store, clock)
    assert await store.receipts.get(old.assignment_hash) is None
    with pytest.raises(NotFound):
        await store.blobs.get(old.result_hash)
    assert await store.receipts.get(young.assignment_hash) is not None
    assert await store.blobs.get(young.result_hash) == b"pictures of 2"


async def test_clean__receipt_that_waits_for_its_coordinator__kept(store, clock):
    waiting = await store.writer.execute(store.receipts.record(receipt(1, clock.now())))
    await clock.pass_(30 * DAY)
    await clean(store, clock)
    assert await store.receipts.unsettled() == [waiting]
