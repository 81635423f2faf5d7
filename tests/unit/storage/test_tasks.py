import asyncio
import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuckoo.domain.errors import Conflict, CuckooError, NotFound
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import TaskStatus
from cuckoo.storage.records import AttemptState, MinerCounts, NewAttempt, NewTask
from cuckoo.storage.store import open_store
from cuckoo.storage.writer import together

RESULT = {"receipt": b"receipt", "signature": b"signed", "pictures": [b"one", b"two"], "at": 30.0}


@pytest.fixture
async def running(store, new_task, new_attempt):
    """Task 1 with a running attempt 1."""
    await store.writer.execute(store.tasks.insert(new_task(1)))
    await store.writer.execute(store.tasks.record_attempt(new_attempt(1, 1)))
    return new_task(1).task_id


async def test_insert__new__queued_and_readable(store, new_task):
    inserted = await store.writer.execute(store.tasks.insert(new_task(1, owner_key=5, idempotency_key="k")))
    assert inserted.created
    assert inserted.task == await store.tasks.get(inserted.task.task_id)
    assert inserted.task.status is TaskStatus.QUEUED
    assert (inserted.task.owner_key, inserted.task.idempotency_key) == (5, "k")


async def test_insert__key_repeated_same_body__same_task(store, new_task):
    first = await store.writer.execute(store.tasks.insert(new_task(1, idempotency_key="k", body=b"b")))
    again = await store.writer.execute(store.tasks.insert(new_task(2, idempotency_key="k", body=b"b")))
    assert not again.created
    assert again.task == first.task


async def test_insert__key_repeated_other_body__conflict(store, new_task):
    await store.writer.execute(store.tasks.insert(new_task(1, idempotency_key="k", body=b"b")))
    with pytest.raises(Conflict, match="different request"):
        await store.writer.execute(store.tasks.insert(new_task(2, idempotency_key="k", body=b"c")))


async def test_insert__key_of_another_owner__another_task(store, new_task):
    for number, owner_key in enumerate((None, 0, 1)):
        made = await store.writer.execute(
            store.tasks.insert(new_task(number, idempotency_key="k", body=bytes([number]), owner_key=owner_key))
        )
        assert made.created


async def test_insert__same_id__conflict(store, new_task):
    await store.writer.execute(store.tasks.insert(new_task(1)))
    with pytest.raises(Conflict):
        await store.writer.execute(store.tasks.insert(new_task(1)))


async def test_get__unknown__not_found(store, new_task):
    with pytest.raises(NotFound):
        await store.tasks.get(new_task(9).task_id)


async def test_record_attempt__stored__every_field_comes_back(store, running, new_attempt):
    task = await store.tasks.get(running)
    assert task.status is TaskStatus.RUNNING
    (attempt,) = task.attempts
    given_attempt = new_attempt(1, 1)
    assert {name: getattr(attempt, name) for name in NewAttempt.__struct_fields__} == {
        name: getattr(given_attempt, name) for name in NewAttempt.__struct_fields__
    }
    assert attempt.state is AttemptState.RUNNING


async def test_record_attempt__raises_the_mark__and_refuses_a_used_sequence(store, running, new_task, new_attempt):
    assert await store.marks.highest(NodeId(1), NodeId(7)) == 101
    await store.writer.execute(store.tasks.insert(new_task(2)))
    with pytest.raises(Conflict, match="numbers up to 101 are used"):
        await store.writer.execute(store.tasks.record_attempt(new_attempt(2, 1, sequence=101)))
    assert (await store.tasks.get(new_task(2).task_id)).status is TaskStatus.QUEUED


@pytest.mark.parametrize("number", [1, 3])
async def test_record_attempt__number_not_the_next__conflict(store, running, new_attempt, number):
    with pytest.raises(Conflict, match="the next is 2"):
        await store.writer.execute(store.tasks.record_attempt(new_attempt(1, number, sequence=500)))


async def test_record_attempt__unknown_task__not_found(store, new_attempt):
    with pytest.raises(NotFound):
        await store.writer.execute(store.tasks.record_attempt(new_attempt(1, 1)))


async def test_finish__running__done_with_pictures(store, running):
    digests = await store.writer.execute(store.tasks.finish(running, 1, **RESULT))
    task = await store.tasks.get(running)
    assert task.status is TaskStatus.DONE
    assert task.pictures == digests
    assert [await store.blobs.get(digest) for digest in digests] == [b"one", b"two"]
    (attempt,) = task.attempts
    assert (attempt.state, attempt.receipt, attempt.receipt_signature) == (AttemptState.DONE, b"receipt", b"signed")
    assert await store.tasks.load_open() == []


async def test_finish__repeat__same_answer_and_nothing_counted_twice(store, running):
    first = await store.writer.execute(store.tasks.finish(running, 1, **RESULT))
    assert await store.writer.execute(store.tasks.finish(running, 1, **RESULT)) == first
    assert (await store.tasks.miner_counts())[NodeId(7)].done == 1


async def test_finish__another_receipt__conflict(store, running):
    await store.writer.execute(store.tasks.finish(running, 1, **RESULT))
    with pytest.raises(Conflict, match="another receipt"):
        await store.writer.execute(store.tasks.finish(running, 1, **{**RESULT, "receipt": b"other"}))


async def test_finish__lost_but_not_yet_replaced__taken(store, running):
    await store.writer.execute(store.tasks.requeue(running, 1, lost=True, reason="silent for 20 s", at=25.0))
    assert (await store.tasks.get(running)).status is TaskStatus.QUEUED
    await store.writer.execute(store.tasks.finish(running, 1, **RESULT))
    assert (await store.tasks.get(running)).status is TaskStatus.DONE


async def test_finish__after_the_next_attempt__fenced(store, running, new_attempt):
    await store.writer.execute(store.tasks.requeue(running, 1, lost=True, reason="silent", at=25.0))
    await store.writer.execute(store.tasks.record_attempt(new_attempt(1, 2)))
    with pytest.raises(Conflict, match="fenced"):
        await store.writer.execute(store.tasks.finish(running, 1, **RESULT))
    task = await store.tasks.get(running)
    assert [attempt.state for attempt in task.attempts] == [AttemptState.FENCED, AttemptState.RUNNING]
    assert task.attempts[0].ended_at == 25.0
    assert task.attempts[0].reason == "silent"


async def test_finish__reported_failure__conflict(store, running):
    await store.writer.execute(store.tasks.requeue(running, 1, lost=False, reason="out of memory", at=25.0))
    with pytest.raises(Conflict, match="failed"):
        await store.writer.execute(store.tasks.finish(running, 1, **RESULT))


async def test_finish__unknown_attempt__not_found(store, running):
    with pytest.raises(NotFound):
        await store.writer.execute(store.tasks.finish(running, 2, **RESULT))


async def test_finish__with_a_failing_neighbour_in_the_command__nothing_happened(store, running):
    def refuse(connection):
        raise Conflict("on purpose")

    with pytest.raises(Conflict):
        await store.writer.execute(together(store.tasks.finish(running, 1, **RESULT), refuse))
    assert (await store.tasks.get(running)).status is TaskStatus.RUNNING


async def test_requeue__twice__conflict(store, running):
    await store.writer.execute(store.tasks.requeue(running, 1, lost=True, reason="silent", at=25.0))
    with pytest.raises(Conflict):
        await store.writer.execute(store.tasks.requeue(running, 1, lost=False, reason="late", at=26.0))


async def test_fail__running__reason_kept_and_final(store, running, new_attempt):
    await store.writer.execute(store.tasks.fail(running, reason="3 attempts failed", at=40.0))
    task = await store.tasks.get(running)
    assert (task.status, task.reason, task.ended_at) == (TaskStatus.FAILED, "3 attempts failed", 40.0)
    assert task.attempts[0].state is AttemptState.FENCED
    for command in (store.tasks.fail(running, reason="", at=1.0), store.tasks.record_attempt(new_attempt(1, 2))):
        with pytest.raises(Conflict):
            await store.writer.execute(command)


async def test_cancel__running__attempt_cancelled_and_result_refused(store, running):
    assert await store.writer.execute(store.tasks.cancel(running, at=40.0)) is True
    assert await store.writer.execute(store.tasks.cancel(running, at=41.0)) is False
    task = await store.tasks.get(running)
    assert (task.status, task.attempts[0].state) == (TaskStatus.CANCELLED, AttemptState.CANCELLED)
    with pytest.raises(Conflict, match="cancelled"):
        await store.writer.execute(store.tasks.finish(running, 1, **RESULT))


async def test_load_open__restart__queued_and_running_in_order(directory, clock, new_task, new_attempt):
    async with open_store(directory, clock=clock) as store:
        for number in (3, 1, 2):
            await store.writer.execute(store.tasks.insert(new_task(number)))
        await store.writer.execute(store.tasks.record_attempt(new_attempt(1, 1)))
        await store.writer.execute(store.tasks.cancel(new_task(2).task_id, at=1.0))
    async with open_store(directory, clock=clock) as store:
        reloaded = await store.tasks.load_open()
    assert [(task.task_id, task.status) for task in reloaded] == [
        (new_task(3).task_id, TaskStatus.QUEUED),
        (new_task(1).task_id, TaskStatus.RUNNING),
    ]
    assert reloaded[1].attempts[0].assignment == b"assignment"


async def test_recent__pages_and_filters__newest_first(store, new_task):
    for number in range(5):
        await store.writer.execute(store.tasks.insert(new_task(number, owner_key=number % 2)))
    await store.writer.execute(store.tasks.cancel(new_task(4).task_id, at=1.0))
    page = await store.tasks.recent(limit=2)
    rest = await store.tasks.recent(limit=9, before=page[-1].position)
    assert [task.task_id for task in page + rest] == [new_task(number).task_id for number in (4, 3, 2, 1, 0)]
    assert [task.task_id for task in await store.tasks.recent(limit=9, owner_key=1)] == [
        new_task(3).task_id,
        new_task(1).task_id,
    ]
    assert len(await store.tasks.recent(limit=9, status=TaskStatus.QUEUED, owner_key=0)) == 2


async def test_miner_counts__attempts_and_odds__added_up(store, running, new_attempt):
    await store.writer.execute(store.tasks.requeue(running, 1, lost=True, reason="silent", at=25.0))
    await store.writer.execute(store.tasks.record_attempt(new_attempt(1, 2)))
    await store.writer.execute(store.tasks.requeue(running, 2, lost=False, reason="broken", at=26.0))
    await store.writer.execute(store.tasks.record_attempt(new_attempt(1, 3)))
    await store.writer.execute(store.tasks.finish(running, 3, **RESULT))
    for _ in range(2):
        await store.writer.execute(store.tasks.add_expected({NodeId(7): (0.5, 0.25), NodeId(8): (0.25, 0.125)}))
    assert await store.tasks.miner_counts() == {
        NodeId(7): MinerCounts(
            miner_node=NodeId(7), assigned=3, done=1, failed=1, lost=1, expected=1.0, variance=0.5, pictures=2
        ),
        NodeId(8): MinerCounts(miner_node=NodeId(8), expected=0.5, variance=0.25),
    }


async def test_forget_before__final_and_old__gone_with_attempts(store, running, new_task):
    await store.writer.execute(store.tasks.finish(running, 1, **RESULT))
    await store.writer.execute(store.tasks.insert(new_task(2)))
    assert await store.writer.execute(store.tasks.forget_before(30.0)) == 0
    assert await store.writer.execute(store.tasks.forget_before(31.0)) == 1
    assert await store.writer.execute(store.tasks.forget_before(31.0)) == 0
    with pytest.raises(NotFound):
        await store.tasks.get(running)
    left = await store.reader.execute(
        lambda connection: connection.execute(
            "SELECT (SELECT count(*) FROM attempts), (SELECT count(*) FROM pictures), (SELECT count(*) FROM tasks)"
        ).fetchone()
    )
    assert left == (0, 0, 1)


REQUESTS = st.lists(
    st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, 0, 1]), st.sampled_from([b"x", b"y"])),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(REQUESTS)
def test_insert__any_requests_at_once__one_task_per_key_and_owner(requests):
    async def scenario():
        with tempfile.TemporaryDirectory() as folder:
            async with open_store(Path(folder)) as store:
                commands = [
                    store.tasks.insert(
                        NewTask(
                            task_id=TaskId(f"{number:032x}"),
                            parameters=body,
                            created_at=float(number),
                            body=body,
                            idempotency_key=key,
                            owner_key=owner,
                        )
                    )
                    for number, (key, owner, body) in enumerate(requests)
                ]
                answers = await asyncio.gather(
                    *(store.writer.execute(command) for command in commands), return_exceptions=True
                )
                return answers, await store.tasks.recent(limit=100)

    answers, stored = asyncio.run(scenario())
    first: dict[tuple[str, int | None], tuple[str, bytes]] = {}
    created = 0
    for number, ((key, owner, body), answer) in enumerate(zip(requests, answers, strict=True)):
        own_id = f"{number:032x}"
        if key is None or (key, owner) not in first:
            first[key or own_id, owner] = (own_id, body)
            created += 1
            assert answer.created
            assert answer.task.task_id == own_id
        elif first[key, owner][1] == body:
            assert not answer.created
            assert answer.task.task_id == first[key, owner][0]
        else:
            assert isinstance(answer, Conflict)
    assert len(stored) == created


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["assign", "lose", "report", "finish", "fail", "cancel"]), st.integers(1, 3), st.integers(1, 2)
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_attempts__any_order_of_events__at_most_one_result_and_one_open_attempt(steps):
    task_id = TaskId("0" * 32)

    async def scenario():
        with tempfile.TemporaryDirectory() as folder:
            async with open_store(Path(folder)) as store:
                await store.writer.execute(store.tasks.insert(NewTask(task_id=task_id, parameters=b"", created_at=0.0)))
                for number, (step, attempt, receipt) in enumerate(steps, 1):
                    before = await store.tasks.get(task_id)
                    with contextlib.suppress(CuckooError):
                        await store.writer.execute(command(store, step, attempt, receipt, float(number)))
                    check(before, await store.tasks.get(task_id))

    def command(store, step, attempt, receipt, at):
        tasks = store.tasks
        match step:
            case "assign":
                return tasks.record_attempt(
                    NewAttempt(
                        task_id=task_id,
                        attempt=attempt,
                        coordinator_node=NodeId(1),
                        miner_node=NodeId(receipt),
                        sequence=int(at),
                        assignment=b"",
                        assignment_hash=b"",
                        signature=b"",
                        deadline=0,
                        assigned_at=at,
                        seed_tip=b"",
                        draw_index=0,
                        draw_head=b"",
                        draw_block=0,
                        odds=1.0,
                        candidates=1,
                    )
                )
            case "finish":
                return tasks.finish(
                    task_id, attempt, receipt=bytes([receipt]), signature=b"", pictures=[bytes([receipt])], at=at
                )
            case "fail":
                return tasks.fail(task_id, reason="", at=at)
            case "cancel":
                return tasks.cancel(task_id, at=at)
            case _:
                return tasks.requeue(task_id, attempt, lost=step == "lose", reason="", at=at)

    def check(before, after):
        states = [attempt.state for attempt in after.attempts]
        unfinished = {AttemptState.RUNNING, AttemptState.LOST}
        assert states.count(AttemptState.DONE) == (after.status is TaskStatus.DONE)
        assert not unfinished & set(states[:-1])
        assert len(after.pictures) == (after.status is TaskStatus.DONE)
        assert (after.ended_at is not None) == after.status.final
        if before.status.final:
            assert after == before
        if after.status.final:
            assert not unfinished & set(states)
        else:
            assert (after.status is TaskStatus.RUNNING) == (AttemptState.RUNNING in states)

    asyncio.run(scenario())
