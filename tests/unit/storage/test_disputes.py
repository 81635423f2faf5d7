"""Accusations and verdicts on disk, and what retention leaves alone."""

import pytest
from msgspec.structs import replace

from cuckoo.domain.dispute import Verdict
from cuckoo.domain.errors import NotFound
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.domain.task import Mode, TaskParameters
from cuckoo.protocol.inputs import input_hash
from cuckoo.protocol.messages import encode_binary
from cuckoo.protocol.receipts import Assignment
from cuckoo.services.retention import Retention
from cuckoo.storage.accusations import AccusationState, NewAccusation
from cuckoo.storage.verdicts import NewVerdict

HOUR = 3_600.0

SOURCE = b"a packed picture"
ASSIGNMENT = Assignment(
    coordinator_node=NodeId(1),
    miner_node=NodeId(4),
    task_id=TaskId("ab" * 16),
    attempt=1,
    sequence=1,
    parameters=TaskParameters(
        salt=bytes(32),
        model_digest=ModelDigest("cd" * 32),
        prompt="a red apple",
        width_px=64,
        height_px=64,
        steps=4,
        guidance_thousandths=5_000,
        seed=7,
        mode=Mode.IMAGE,
        source_hash=input_hash(SOURCE),
        strength_millionths=500_000,
    ),
    deadline=1,
    seed_tip=bytes(32),
    draw_index=0,
    draw_head=bytes(32),
    draw_block=1,
)
ACCUSATION = NewAccusation(
    assignment_hash=b"\1" * 32,
    miner_node=NodeId(4),
    assignment=encode_binary(ASSIGNMENT),
    assignment_signature=b"\2" * 65,
    receipt=b"receipt",
    receipt_signature=b"\3" * 65,
    pictures=(b"\4" * 32, b"\5" * 32),
    at=1_000 * HOUR,
)
VERDICT = NewVerdict(
    fault_id=b"\6" * 32,
    dispute=3,
    round=0,
    miner=NodeId(4),
    seats=7,
    verdict=Verdict.GUILTY,
    digest=b"\7" * 32,
    salt=b"\x08" * 32,
    at=1_000 * HOUR,
)


class Now:
    """Time stands still; sleep passes none."""

    def __init__(self, hand):
        self._hand = hand

    def now(self):
        return self._hand()

    async def sleep(self, seconds):
        pass


async def test_accusation__recorded_twice__is_one_and_goes_on(store):
    accusations, write = store.accusations, store.writer.execute
    await write(accusations.record(ACCUSATION))
    await write(accusations.opened(ACCUSATION.assignment_hash, 3))
    await write(accusations.record(replace(ACCUSATION, at=9.0)))
    (one,) = await accusations.unfinished()
    assert (one.state, one.dispute, one.pictures, one.at) == (
        AccusationState.OPEN,
        3,
        ACCUSATION.pictures,
        ACCUSATION.at,
    )
    assert (await accusations.of_dispute(3)) == (await accusations.about(ACCUSATION.assignment_hash)) == one
    await write(accusations.close(ACCUSATION.assignment_hash, AccusationState.ENDED, "convicted"))
    assert await accusations.unfinished() == []
    assert (await accusations.disputed())[0].detail == "convicted"


async def test_verdict__recorded_again__the_first_holds(store):
    write = store.writer.execute
    assert (await write(store.verdicts.record(VERDICT))).verdict is Verdict.GUILTY
    again = replace(VERDICT, verdict=Verdict.NOT_GUILTY, salt=b"\x09" * 32)
    assert (await write(store.verdicts.record(again))).salt == VERDICT.salt
    assert [one.round for one in await store.verdicts.unsettled()] == [0]
    await write(store.verdicts.settle(VERDICT, "paid"))
    assert await store.verdicts.unsettled() == []
    assert (await store.verdicts.newest(5))[0].outcome == "paid"
    assert await store.verdicts.get(VERDICT.fault_id, 3, 1) is None


async def test_retention__open_dispute__keeps_its_pictures_until_it_is_over(store, clock):
    digest = await store.writer.execute(store.blobs.put(b"a picture"))
    source = await store.writer.execute(store.blobs.put(SOURCE))
    lost = await store.writer.execute(store.blobs.put(b"another picture"))
    accusation = replace(ACCUSATION, pictures=(digest,))
    await store.writer.execute(store.accusations.record(accusation))
    retention = Retention(store, days=7, draw_period_s=10, clock=Now(clock))
    for _ in range(3):
        clock.now += 8 * 24 * HOUR
        await retention.clean()
    assert await store.blobs.get(digest) == b"a picture"
    assert await store.blobs.get(source) == SOURCE
    with pytest.raises(NotFound):
        await store.blobs.get(lost)
    await store.writer.execute(store.accusations.close(accusation.assignment_hash, AccusationState.ENDED, ""))
    clock.now += 8 * 24 * HOUR
    await retention.clean()
    assert await store.accusations.about(accusation.assignment_hash) is None
    for gone in (digest, source):
        with pytest.raises(NotFound):
            await store.blobs.get(gone)
