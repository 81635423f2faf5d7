"""The coordinator over real HTTP, with its real store; the miner signs for real and is moved by hand."""

import asyncio

import pytest
from msgspec.structs import replace

from cuckoo.domain.errors import Conflict, InvalidField, NotFound, NotSignedIn, Overloaded, SignatureInvalid
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.messages import BatchRequest, Failure, TaskRequest
from cuckoo.protocol.png import with_receipt
from cuckoo.protocol.receipts import pixel_hash
from cuckoo.protocol.signing import Signer, check_signed_by
from cuckoo.protocol.views import EventKind
from tests.support.coordinating import COORDINATOR_KEY, HASHER, MODEL, PROFILE, ScriptedMiner, app, png, running

APPLE = TaskRequest(prompt="a red apple", seed=7)


async def until(condition):
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - many things bring it about
            await asyncio.sleep(0.005)


@pytest.fixture
async def coordinator(tmp_path):
    async with running(tmp_path) as coordinator:
        yield coordinator


@pytest.fixture
async def client(coordinator):
    async with app(coordinator) as client:
        yield client


@pytest.fixture
async def miner(coordinator):
    miner = ScriptedMiner(coordinator)
    await miner.sign_in()
    yield miner
    await miner.client.close()


async def test_task__served__picture_and_receipt_come_back(coordinator, client, miner):
    view = await client.submit(APPLE)
    assert view.status is TaskStatus.QUEUED
    assert (view.model, view.parameters.width_px, view.parameters.steps) == ("tiny", 64, 4)

    signed = await miner.poll()
    assert signed.assignment.task_id == view.task_id
    assert signed.assignment.parameters.prompt == "a red apple"
    digest = HASHER.digest(signed.assignment.struct_hash())
    check_signed_by(digest, signed.signature, COORDINATOR_KEY.address, "the assignment")
    assert (await miner.progress(signed.assignment, 2)).cancelled is False
    running_view = await client.get(view.task_id)
    assert (running_view.status, running_view.step) == (TaskStatus.RUNNING, 2)
    assert running_view.attempts[0].odds == 1.0

    upload = miner.result(signed.assignment)
    await miner.submit(signed.assignment, upload)
    done = await client.get(view.task_id)
    assert done.status is TaskStatus.DONE
    assert done.pictures == (f"/v1/tasks/{view.task_id}/pictures/0.png",)
    picture = await client.picture(view.task_id, 0)
    assert picture == with_receipt(upload.pictures[0], await client.receipt(view.task_id))
    receipt = await client.receipt(view.task_id)
    assert receipt.receipt == upload.receipt
    check_signed_by(
        HASHER.digest(receipt.receipt.struct_hash()), receipt.receipt_signature, miner.key.address, "receipt"
    )
    counts = (await client.miners()).miners[0]
    assert (counts.assigned, counts.done, counts.expected) == (1, 1, 1.0)


async def test_poll__before_the_task__is_answered_when_it_comes(coordinator, client, miner):
    poll = asyncio.create_task(miner.poll())
    await until(coordinator.parked)
    view = await client.submit(APPLE)
    assert (await poll).assignment.task_id == view.task_id
    assert not coordinator.parked()


async def test_poll__nothing_to_do__ends_without_an_assignment(tmp_path):
    async with running(tmp_path, settings=CoordinatorSettings(port=0, long_poll_s=0.05)) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        assert await miner.poll() is None
        assert not coordinator.parked()
        await miner.client.close()


async def test_submit__same_idempotency_key__one_task(client):
    first = await client.submit(APPLE, idempotency_key="k1")
    again = await client.submit(APPLE, idempotency_key="k1")
    assert again.task_id == first.task_id
    with pytest.raises(Conflict, match="k1"):
        await client.submit(TaskRequest(prompt="a pear"), idempotency_key="k1")


async def test_batch__taken_in__each_its_own_task_in_order_and_a_repeat_gives_the_same(coordinator, client):
    batch = BatchRequest(tasks=(APPLE, TaskRequest(prompt="a pear"), APPLE))
    first = await client.submit_batch(batch, idempotency_key="k1")
    assert [task.parameters.prompt for task in first.tasks] == ["a red apple", "a pear", "a red apple"]
    assert len({task.task_id for task in first.tasks}) == 3
    again = await client.submit_batch(batch, idempotency_key="k1")
    assert [task.task_id for task in again.tasks] == [task.task_id for task in first.tasks]
    with pytest.raises(Conflict, match="k1"):
        await client.submit_batch(BatchRequest(tasks=(APPLE,)), idempotency_key="k1")
    await client.submit(APPLE, idempotency_key="k1")
    assert coordinator.dispatch.engine.tasks.queued == 4
    await client.submit_batch(batch)
    assert coordinator.dispatch.engine.tasks.queued == 7


@pytest.mark.parametrize(
    ("tasks", "field"),
    [
        ((APPLE, TaskRequest(prompt="a fig", width_px=63)), "width_px"),
        ((), "tasks"),
        ((APPLE,) * 101, "tasks"),
    ],
)
async def test_batch__with_something_wrong__nothing_is_taken_in(coordinator, client, tasks, field):
    with pytest.raises(InvalidField) as refused:
        await client.submit_batch(BatchRequest(tasks=tasks))
    assert refused.value.field.removeprefix("$.").startswith(field)
    assert coordinator.dispatch.engine.tasks.queued == 0


async def test_batch__fails_on_disk_at_its_last_task__none_of_it_is_there(coordinator, client, monkeypatch):
    same = iter([b"\x01" * 16, b"\x02" * 16, b"\x01" * 16])
    monkeypatch.setattr(
        coordinator.dispatch.apps, "_random_bytes", lambda size: next(same) if size == 16 else b"\x07" * size
    )
    with pytest.raises(Conflict):
        await client.submit_batch(BatchRequest(tasks=(APPLE,) * 3), idempotency_key="k")
    assert coordinator.dispatch.engine.tasks.queued == 0
    assert await coordinator.store.tasks.load_open() == []


async def test_batch__more_than_the_queue_has_room_for__is_refused_whole(tmp_path):
    async with (
        running(tmp_path, settings=CoordinatorSettings(port=0, queue_limit=2)) as coordinator,
        app(coordinator) as client,
    ):
        with pytest.raises(Overloaded):
            await client.submit_batch(BatchRequest(tasks=(APPLE,) * 3))
        assert len((await client.submit_batch(BatchRequest(tasks=(APPLE,) * 2))).tasks) == 2


async def test_cancel__queued__no_miner_gets_it(coordinator, client, miner):
    view = await client.submit(APPLE)
    assert (await client.cancel(view.task_id)).status is TaskStatus.CANCELLED
    other = await client.submit(TaskRequest(prompt="a pear"))
    assert (await miner.poll()).assignment.task_id == other.task_id


async def test_cancel__running__miner_is_told_and_its_result_refused(client, miner):
    view = await client.submit(APPLE)
    assignment = (await miner.poll()).assignment
    assert (await client.cancel(view.task_id)).status is TaskStatus.CANCELLED
    assert (await miner.progress(assignment, 1)).cancelled is True
    with pytest.raises(Conflict, match="cancelled"):
        await miner.submit(assignment, miner.result(assignment))
    assert (await client.cancel(view.task_id)).status is TaskStatus.CANCELLED


async def test_result__repeated__gets_the_same_reply(client, miner):
    view = await client.submit(APPLE)
    assignment = (await miner.poll()).assignment
    upload = miner.result(assignment)
    replies = await asyncio.gather(*(miner.submit(assignment, upload) for _ in range(3)))
    replies.append(await miner.submit(assignment, upload))
    assert len(set(replies)) == 1
    with pytest.raises(Conflict, match="done"):
        await miner.submit(assignment, miner.result(assignment, finished_at=5))
    assert len((await client.get(view.task_id)).pictures) == 1


@pytest.mark.parametrize(
    ("spoil", "fault", "says"),
    [
        (lambda m, a: m.result(a, key=Signer(b"\x07" * 32)), SignatureInvalid, "signed by"),
        (lambda m, a: m.result(a, picture_hashes=(b"\x01" * 32,)), InvalidField, "must have the hash"),
        (lambda m, a: m.result(a, picture_hashes=()), InvalidField, "the task asks for 1"),
        (lambda m, a: m.result(a, profile=replace(PROFILE, device="é" * 65)), InvalidField, "receipt.profile.device"),
        (lambda m, a: m.result(a, profile=replace(PROFILE, isa="x" * 60_000)), InvalidField, "at most 128 bytes"),
        (lambda m, a: m.result(a, pictures=[png(), png()]), InvalidField, "the task asks for 1"),
        (lambda m, a: m.result(a, assignment_hash=b"\x02" * 32), InvalidField, "assignment_hash"),
        (lambda m, a: m.result(a, pictures=[png(128, 64)]), InvalidField, "must be 64 x 64 pixels"),
        (lambda m, a: m.result(a, pictures=[(b"GIF89a", b"\x03" * 32)]), InvalidField, "must be a PNG file"),
        (lambda m, a: m.result(a, pictures=[(png()[0][:-30], png()[1])]), InvalidField, "cut off"),
        (lambda m, a: m.result(a, pictures=[png(mode="L", colour=3)]), InvalidField, "8-bit RGB"),
    ],
    ids=["signature", "hash", "no-hash", "device", "isa", "two", "assignment", "size", "gif", "truncated", "grey"],
)
async def test_result__wrong__is_refused_and_the_task_goes_on(coordinator, client, miner, spoil, fault, says):
    view = await client.submit(APPLE)
    assignment = (await miner.poll()).assignment
    with pytest.raises(fault, match=says):
        await miner.submit(assignment, spoil(miner, assignment))
    after = await client.get(view.task_id)
    assert after.status is TaskStatus.QUEUED
    assert after.attempts[0].state == "failed"
    assert says in after.attempts[0].reason

    second = ScriptedMiner(coordinator, 3)
    await second.sign_in()
    assert (await second.serve_one()).attempt == 2
    await second.client.close()
    assert (await client.get(view.task_id)).status is TaskStatus.DONE


async def test_result__of_another_miners_attempt__is_refused_without_harm(coordinator, client, miner):
    view = await client.submit(APPLE)
    assignment = (await miner.poll()).assignment
    thief = ScriptedMiner(coordinator, 3)
    await thief.sign_in()
    with pytest.raises(NotFound, match="was not given to miner 3"):
        await thief.submit(assignment, thief.result(assignment))
    await thief.client.close()
    await miner.submit(assignment, miner.result(assignment))
    assert (await client.get(view.task_id)).status is TaskStatus.DONE


async def test_failure__reported_three_times__task_fails_with_each_reason(coordinator, client, miner):
    view = await client.submit(APPLE)
    for number in range(3):
        assignment = (await miner.poll()).assignment
        await miner.client.fail(
            miner.token, assignment.task_id, assignment.attempt, Failure(kind="internal", reason=f"fault {number}")
        )
    failed = await client.get(view.task_id)
    assert failed.status is TaskStatus.FAILED
    assert all(f"fault {number}" in failed.error for number in range(3))


async def test_miner__silent__task_goes_to_another_and_late_result_is_fenced(coordinator, client, miner):
    view = await client.submit(APPLE)
    assignment = (await miner.poll()).assignment
    await coordinator.tick(ahead_s=25)
    await coordinator.tick()
    assert (await client.get(view.task_id)).status is TaskStatus.QUEUED
    with pytest.raises(NotSignedIn):
        await miner.progress(assignment, 1)
    second = ScriptedMiner(coordinator, 3)
    await second.sign_in()
    taken = (await second.poll()).assignment
    await miner.sign_in()
    with pytest.raises(Conflict, match="fenced"):
        await miner.submit(assignment, miner.result(assignment))
    await second.submit(taken, second.result(taken))
    await second.client.close()
    assert (await client.get(view.task_id)).status is TaskStatus.DONE


async def test_miner__silent_but_back_before_the_next_attempt__its_result_counts(coordinator, client, miner):
    view = await client.submit(APPLE)
    assignment = (await miner.poll()).assignment
    await coordinator.tick(ahead_s=25)
    await miner.sign_in()
    await miner.submit(assignment, miner.result(assignment))
    assert (await client.get(view.task_id)).status is TaskStatus.DONE


async def test_poll__connection_closed__slot_is_no_longer_parked(coordinator, client, miner):
    gone = ScriptedMiner(coordinator, 3)
    await gone.sign_in()
    poll = asyncio.create_task(gone.poll())
    await until(coordinator.parked)
    await gone.client.close()
    poll.cancel()
    await asyncio.wait({poll})
    await until(lambda: not coordinator.parked())
    view = await client.submit(APPLE)
    assert (await miner.poll()).assignment.task_id == view.task_id


async def test_poll__answer_did_not_arrive__the_slots_next_poll_gets_it(coordinator, client, miner):
    view = await client.submit(APPLE)
    signed = await miner.poll()
    coordinator.dispatch.miners.undelivered(0, signed)
    again = await miner.poll()
    assert again == signed
    assert again.assignment.task_id == view.task_id


async def test_restart__task_running_and_task_queued__both_are_done(tmp_path):
    async with running(tmp_path) as before:
        miner = ScriptedMiner(before)
        await miner.sign_in()
        async with app(before) as client:
            first = await client.submit(APPLE)
            assignment = (await miner.poll()).assignment
            second = await client.submit(TaskRequest(prompt="a pear"), idempotency_key="pear")
        await miner.client.close()
    async with running(tmp_path) as after, app(after) as client:
        assert (await client.get(first.task_id)).status is TaskStatus.RUNNING
        miner = ScriptedMiner(after)
        await miner.sign_in()
        await miner.submit(assignment, miner.result(assignment))
        assert (await client.get(first.task_id)).status is TaskStatus.DONE
        again = await client.submit(TaskRequest(prompt="a pear"), idempotency_key="pear")
        assert again.task_id == second.task_id
        signed = await miner.poll()
        assert signed.assignment.sequence > assignment.sequence
        await miner.submit(signed.assignment, miner.result(signed.assignment))
        assert (await client.get(second.task_id)).status is TaskStatus.DONE
        await miner.client.close()


async def test_restart__miner_does_not_come_back__another_takes_over(tmp_path):
    async with running(tmp_path) as before:
        miner = ScriptedMiner(before)
        await miner.sign_in()
        async with app(before) as client:
            view = await client.submit(APPLE)
            await miner.poll()
        await miner.client.close()
    async with running(tmp_path) as after, app(after) as client:
        await after.tick(ahead_s=25)
        other = ScriptedMiner(after, 3)
        await other.sign_in()
        assert (await other.serve_one()).attempt == 2
        await other.client.close()
        assert (await client.get(view.task_id)).status is TaskStatus.DONE


async def test_events__whole_life__queued_drawn_progress_done(coordinator, client, miner):
    view = await client.submit(APPLE)
    seen = []

    async def follow():
        seen.extend([event async for event in client.events(view.task_id)])

    following = asyncio.create_task(follow())
    await until(lambda: list(coordinator.dispatch.engine.watchers))
    assignment = (await miner.poll()).assignment
    await until(lambda: coordinator.dispatch.engine.tasks.running)
    await miner.progress(assignment, 2, preview=png()[0])
    await miner.submit(assignment, miner.result(assignment))
    await following
    kinds = [event.kind for event in seen]
    assert kinds == [EventKind.QUEUED, EventKind.DRAWN, EventKind.PROGRESS, EventKind.DONE]
    assert seen[0].position == 0
    assert (seen[1].attempt.miner_node, seen[1].attempt.odds) == (2, 1.0)
    assert (seen[2].step, seen[2].steps, seen[2].preview) == (2, 4, png()[0])
    assert seen[3].pictures == (f"/v1/tasks/{view.task_id}/pictures/0.png",)
    assert [event.kind async for event in client.events(view.task_id)] == [EventKind.DONE]


async def test_events__others_wait_before_it__position_and_eta_are_told_whenever_they_change(
    coordinator, client, miner
):
    for _ in range(2):  # so that something is known about how long a picture takes
        await client.submit(APPLE)
        assignment = (await miner.poll()).assignment
        await miner.submit(assignment, miner.result(assignment))
    first = await client.submit(TaskRequest(prompt="a pear"))
    await client.submit(TaskRequest(prompt="a plum"))
    last = await client.submit(TaskRequest(prompt="a fig"))
    seen = []

    async def follow():
        async for event in client.events(last.task_id):
            seen.append(event)
            if event.kind is EventKind.DRAWN:
                return

    following = asyncio.create_task(follow())
    await until(lambda: seen)
    await coordinator.tick()
    await client.cancel(first.task_id)
    await coordinator.tick()
    await until(lambda: seen[-1].position == 1)
    told = [(event.position, event.eta_p50_s, event.eta_p90_s) for event in seen]
    assert sorted({position for position, _, _ in told}) == [1, 2]
    assert all(0 <= p50 <= p90 for _, p50, p90 in told)
    for _ in range(2):
        assignment = (await miner.poll()).assignment
        await miner.submit(assignment, miner.result(assignment))
    await following
    assert seen[-1].eta_p50_s is not None


async def test_drain__with_an_attempt_under_way__waits_for_it_and_takes_nothing_new(coordinator, client, miner):
    from cuckoo.domain.errors import Unavailable

    view = await client.submit(APPLE)
    assignment = (await miner.poll()).assignment
    parked = asyncio.create_task(miner.poll(1))
    await until(coordinator.parked)
    draining = asyncio.create_task(coordinator.dispatch.drain())
    assert await parked is None
    assert not await client.ready()
    for refused in (client.submit(APPLE), miner.poll()):
        with pytest.raises(Unavailable, match="stopping"):
            await refused
    assert not draining.done()
    await miner.submit(assignment, miner.result(assignment))
    await asyncio.wait_for(draining, 10)
    assert (await client.get(view.task_id)).status is TaskStatus.DONE


async def test_draw_log__stored__every_draw_replays(coordinator, client, miner):
    from cuckoo.scheduler.drawlog import first_head
    from cuckoo.scheduler.replay import replay
    from cuckoo.storage.logrows import decode_rows

    second = ScriptedMiner(coordinator, 3, weight=60_000)
    await second.sign_in()
    assignments = []
    for number in range(6):
        await client.submit(TaskRequest(prompt=f"apple {number}"))
        polls = {asyncio.create_task(one.poll()): one for one in (miner, second)}
        done, waiting = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        for poll in done:
            assignment = poll.result().assignment
            assignments.append(assignment)
            await polls[poll].submit(assignment, polls[poll].result(assignment))
        for poll in waiting:
            poll.cancel()
        await asyncio.wait(polls)
        await until(lambda: not coordinator.parked())
    await coordinator.tick()
    await second.client.close()

    log = coordinator.dispatch.engine.state.log
    (kept,) = await coordinator.store.draws.period(100)
    rows = [row for chunk in kept.chunks for row in decode_rows(chunk.rows)]
    seeds = {100: coordinator.dispatch.engine.state.seed}
    replayed = replay(rows, seeds, first_head(log.tip), 0)
    assert replayed.head == log.head
    assert [(d.row.index, d.head, d.row.node) for d in replayed.draws] == [
        (a.draw_index, a.draw_head, a.miner_node) for a in assignments
    ]


async def test_pixels__of_the_picture_served__have_the_hash_of_the_receipt(client, miner):
    import io

    from PIL import Image

    view = await client.submit(TaskRequest(prompt="two", pictures=2, width_px=72, height_px=80))
    await miner.serve_one()
    receipt = await client.receipt(view.task_id)
    for number, expected in enumerate(receipt.receipt.picture_hashes):
        image = Image.open(io.BytesIO(await client.picture(view.task_id, number)))
        assert pixel_hash(image.height, image.width, image.tobytes()) == expected
    assert receipt.assignment.parameters.model_digest == MODEL.digest
