import asyncio

import pytest
from msgspec.structs import replace
from PIL import Image

from cuckoo.domain.errors import Conflict, CoordinatorUnreachable, NotFound, Overloaded, PeerFault, WorkerDied
from cuckoo.domain.task import Mode
from cuckoo.inference.faults import OutOfMemory
from cuckoo.inference.pool import JobRefused, WorkerFault
from cuckoo.protocol.inputs import input_hash, packed
from cuckoo.protocol.messages import ProgressReply
from cuckoo.protocol.signing import Signer, recover
from cuckoo.services.mining.connection import BACKOFF_CAP_S
from cuckoo.services.mining.delivery import GIVE_UP_S
from cuckoo.storage.records import ReceiptState


async def test_poll__pool_not_ready__waits_for_the_model(network):
    network.pool.ready.clear()
    async with network.running():
        await network.until(lambda: network.pool.ready._waiters or network.coordinator.requests)
        assert not network.coordinator.requests
        network.pool.ready.set()
        await network.until(network.polled(2))


async def test_poll__child_died__no_further_poll_until_its_model_is_loaded_again(network):
    async with network.running():
        await network.until(network.polled(2))
        network.pool.ready.clear()
        network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        network.pool.fail(WorkerDied("killed"))
        await network.until(lambda: network.pool.ready._waiters or len(network.coordinator.polls) > 2)
        assert len(network.coordinator.polls) == 2
        network.pool.ready.set()
        await network.until(network.polled(3))


async def test_poll__two_devices__three_slots_of_their_own_numbers(network):
    network.pool.devices = ("cpu", "cpu")
    async with network.running():
        await network.until(network.polled(3))
        assert sorted(poll.slot for poll in network.coordinator.polls) == [0, 1, 2]
        await network.clock.pass_(20)
        assert len(network.coordinator.polls) == 3


async def test_poll__child_died__parked_slot_withdrawn_before_the_attempt_is_given_back(network):
    parked_at_failure = []
    fail = network.coordinator.fail

    async def noting(*report):
        parked_at_failure.append(network.coordinator.parked)
        await fail(*report)

    network.coordinator.fail = noting
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        assert network.coordinator.parked == 1
        network.pool.ready.clear()
        network.pool.fail(WorkerDied("killed"))
        await network.until(lambda: network.coordinator.failures)
        assert parked_at_failure == [0]


async def test_poll__child_dies_while_idle__slots_withdrawn(network):
    async with network.running():
        await network.until(lambda: network.coordinator.parked == 2)
        network.pool.ready.clear()
        await network.until(lambda: network.coordinator.parked == 0, passing_s=1)
        network.pool.ready.set()
        await network.until(lambda: network.coordinator.parked == 2)


async def test_assignment__arrives_while_the_worker_starts_again__waits_for_it(network):
    async with network.running():
        await network.until(network.polled(2))
        loaded, network.pool.loaded = network.pool.loaded, dict
        network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        network.pool.loaded = loaded
        assert not network.coordinator.failures


async def test_attempt__finished__receipt_signed_and_on_disk_before_the_upload(network):
    seen = []

    async def on_submit(upload):
        seen.append(await network.receipts.get(upload.receipt.assignment_hash))

    network.coordinator.on_submit = on_submit
    async with network.running():
        await network.until(network.polled(2))
        assignment = network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.until(lambda: network.coordinator.uploads)
        await network.until(network.polled(3))
    _, upload = network.coordinator.uploads[0]
    assert upload.receipt.assignment_hash == assignment.struct_hash()
    mining = network.mining()
    digest = mining._miner.domain.digest(upload.receipt.struct_hash())
    assert recover(digest, upload.signature) == mining._miner.signer.address
    assert seen[0].state is ReceiptState.SIGNED
    assert seen[0].signature == upload.signature
    assert (await network.receipts.get(assignment.struct_hash())).state is ReceiptState.ACCEPTED


async def test_attempt__while_it_runs__its_slot_is_not_offered(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign()
        network.coordinator.assign()
        await network.until(lambda: len(network.pool.jobs) == 2)
        await network.clock.pass_(30)
        assert len(network.coordinator.polls) == 2
        network.pool.finish()
        await network.until(network.polled(3))
        assert network.coordinator.polls[2].slot == 1


async def test_progress__every_step__reported_and_silence_filled(network):
    async with network.running(progress_s=5.0):
        await network.until(network.polled(2))
        task = network.coordinator.assign().task_id
        await network.until(lambda: network.pool.jobs)
        await network.until(lambda: network.coordinator.steps == [(task, 0)])
        network.pool.step(1)
        await network.until(lambda: network.coordinator.steps == [(task, 0), (task, 1)])
        network.pool.step(2)
        network.pool.step(3)
        await network.until(lambda: network.coordinator.steps[-1] == (task, 3))
        assert len(network.coordinator.steps) == 3
        await network.clock.pass_(5.1)
        await network.until(lambda: len(network.coordinator.steps) == 4)


async def test_attempt__last_step_done__its_slot_is_offered_while_it_is_decoded(network):
    async with network.running():
        for number in range(4):  # twice as many as there are slots
            await network.until(network.polled(2 + number))
            network.coordinator.assign()
            await network.until(lambda number=number: len(network.pool.jobs) == number + 1)
            network.pool.step(4, list(network.pool.jobs)[number])
        await network.until(network.polled(6))
        network.coordinator.assign()
        await network.until(lambda: len(network.pool.jobs) == 5)
        network.pool.step(4, list(network.pool.jobs)[4])
        await network.clock.pass_(20)
        assert len(network.coordinator.polls) == 6, "enough wait to be delivered"
        network.pool.finish()
        await network.until(network.polled(7))


async def test_progress__cancelled__pool_told_at_that_step_and_slot_free(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign()
        await network.until(lambda: network.coordinator.steps)
        network.coordinator.progress_reply = ProgressReply(cancelled=True)
        network.pool.step(1)
        await network.until(lambda: network.pool.cancelled)
        await network.until(network.polled(3))
        assert not network.coordinator.failures
        assert not network.coordinator.uploads


async def test_progress__attempt_unknown_there__stopped(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign()
        await network.until(lambda: network.coordinator.steps)

        async def refuse(*_):
            raise Conflict("this attempt is fenced")

        network.coordinator.progress = refuse
        network.pool.step(1)
        await network.until(lambda: network.pool.cancelled)


async def test_progress__coordinator_away__work_goes_on(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign()
        await network.until(lambda: network.coordinator.steps)
        network.coordinator.reachable = False
        network.pool.step(1)
        await network.clock.pass_(20)
        assert network.pool.jobs
        network.pool.finish()
        await network.clock.pass_(20)
        network.coordinator.reachable = True
        await network.until(lambda: network.coordinator.uploads, passing_s=1)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OutOfMemory("too large", 1_024), "out_of_memory"),
        (JobRefused("scheduler: no"), "invalid"),
        (WorkerDied("killed"), "worker_died"),
        (WorkerFault("fault"), "worker_died"),
    ],
)
async def test_attempt__pool_fails__reported_with_its_kind(network, error, kind):
    async with network.running():
        await network.until(network.polled(2))
        task = network.coordinator.assign().task_id
        await network.until(lambda: network.pool.jobs)
        network.pool.fail(error)
        await network.until(lambda: network.coordinator.failures)
        assert network.coordinator.failures[0][0] == task
        assert network.coordinator.failures[0][1].kind == kind
        await network.until(network.polled(3))


async def test_assignment__past_its_deadline__given_back(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign(deadline=int(network.clock.now()) - 1)
        await network.until(lambda: network.coordinator.failures)
        assert network.coordinator.failures[0][1].kind == "deadline"


async def test_assignment__deadline_passes_while_no_worker_is_free__given_back(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign(deadline=int(network.clock.now()) + 8)
        await network.until(lambda: network.pool.jobs)
        await network.until(lambda: network.coordinator.failures, passing_s=1)
        assert network.coordinator.failures[0][1].kind == "deadline"


async def test_assignment__of_a_model_not_loaded__given_back(network):
    import msgspec

    async with network.running():
        await network.until(network.polled(2))
        parameters = network.coordinator.assignment().parameters
        network.coordinator.assign(parameters=msgspec.structs.replace(parameters, model_digest="cd" * 32))
        network.coordinator.assign(parameters=msgspec.structs.replace(parameters, width_px=63))
        await network.until(lambda: len(network.coordinator.failures) == 2)
        assert {failure.kind for _, failure in network.coordinator.failures} == {"invalid"}


async def test_assignment__sequence_not_above_the_mark__given_back(network):
    network.coordinator.last_sequence = 10
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign(sequence=10)
        await network.until(lambda: network.coordinator.failures)
        assert "mark" in network.coordinator.failures[0][1].reason
        assert not network.pool.jobs


async def test_assignment__delivered_out_of_order__both_taken(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign(sequence=6)
        network.coordinator.assign(sequence=5)
        await network.until(lambda: len(network.pool.jobs) == 2)


async def test_assignment__one_number_for_two_tasks__second_given_back(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign(sequence=6)
        network.coordinator.assign(sequence=6)
        await network.until(lambda: network.coordinator.failures)
        assert len(network.pool.jobs) == 1


async def test_assignment__forged__neither_run_nor_answered(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.signs_as = Signer(b"\x66" * 32)
        network.coordinator.assign()
        network.coordinator.signs_as = network.coordinator.signer
        await network.clock.pass_(20)
        assert not network.pool.jobs
        assert not network.coordinator.failures
        assert len(network.coordinator.polls) == 2


async def test_assignment__for_another_miner__not_run(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign(miner_node=8)
        await network.clock.pass_(20)
        assert not network.pool.jobs


async def test_assignment__repeated_while_it_runs__run_once(network):
    async with network.running():
        await network.until(network.polled(2))
        signed = network.coordinator.sign(network.coordinator.assignment())
        network.coordinator.hand_out(signed)
        network.coordinator.hand_out(signed)
        await network.until(network.polled(3))
        await network.until(lambda: network.pool.jobs)
        assert len(network.pool.jobs) == 1


async def test_result__coordinator_away_and_full__delivered_in_the_end_once(network):
    network.coordinator.submit_errors = [CoordinatorUnreachable("reset"), Overloaded("full", 3.0)]
    async with network.running():
        await network.until(network.polled(2))
        assignment = network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.until(lambda: len(network.coordinator.uploads) == 3, passing_s=1)
        assert len({upload.signature for _, upload in network.coordinator.uploads}) == 1
        await network.receipt_is(assignment, ReceiptState.ACCEPTED)


async def test_result__coordinator_away__its_slot_serves_others_meanwhile(network, another_coordinator):
    network.coordinator.submit_errors = [CoordinatorUnreachable("reset")] * 1_000
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.until(network.polled(3), passing_s=1)
        assert await network.receipts.unsettled()


async def test_result__no_answer_for_days__given_up_so_that_its_upload_can_go(network):
    network.coordinator.submit_errors = [CoordinatorUnreachable("gone for good")] * 1_000
    async with network.running():
        await network.until(network.polled(2))
        assignment = network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.until(lambda: network.coordinator.uploads)
        network.clock.time += GIVE_UP_S
        await network.clock.pass_(BACKOFF_CAP_S)
        await network.receipt_is(assignment, ReceiptState.REFUSED)


async def test_result__too_old_at_a_start__given_up_without_its_upload(network):
    network.coordinator.submit_errors = [CoordinatorUnreachable("away")] * 1_000
    async with network.running():
        await network.until(network.polled(2))
        assignment = network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.until(lambda: network.coordinator.uploads)
    network.clock.time += 2 * GIVE_UP_S
    await network.store.blobs.drop_before(network.clock.now() - GIVE_UP_S)
    async with network.running():
        await network.receipt_is(assignment, ReceiptState.REFUSED)


async def test_result__refused_by_something_in_between__sent_again(network):
    network.coordinator.submit_errors = [PeerFault("HTTP 404")]
    async with network.running():
        await network.until(network.polled(2))
        assignment = network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.until(lambda: len(network.coordinator.uploads) == 2, passing_s=1)
        await network.receipt_is(assignment, ReceiptState.ACCEPTED)


async def test_result__refused__settled_and_not_sent_again(network):
    network.coordinator.submit_errors = [Conflict("fenced")]
    async with network.running():
        await network.until(network.polled(2))
        assignment = network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.until(network.polled(3))
    assert (await network.receipts.get(assignment.struct_hash())).state is ReceiptState.REFUSED
    assert not await network.receipts.unsettled()


async def test_restart__result_not_answered__the_stored_one_is_sent(network):
    network.coordinator.submit_errors = [CoordinatorUnreachable("reset")] * 100
    async with network.running():
        await network.until(network.polled(2))
        signed = network.coordinator.sign(network.coordinator.assignment())
        network.coordinator.hand_out(signed)
        await network.until(lambda: network.pool.jobs)
        network.pool.finish()
        await network.until(lambda: network.coordinator.uploads)
    network.coordinator.submit_errors = []
    first = network.coordinator.uploads.pop()[1]
    network.coordinator.uploads.clear()
    async with network.running():
        await network.until(lambda: network.coordinator.uploads, passing_s=1)
        assert network.coordinator.uploads[0][1] == first
        await network.receipt_is(signed.assignment, ReceiptState.ACCEPTED)
        await network.until(network.polled(4))
        network.coordinator.hand_out(signed)
        await network.until(network.polled(5))
        assert not network.pool.jobs
    assert not await network.receipts.unsettled()


async def test_drain__attempt_under_way__finished_first_and_no_new_poll(network):
    async with network.running() as mining:
        await network.until(network.polled(2))
        network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
        drained = asyncio.create_task(mining.drain())
        await network.clock.pass_(30)
        assert not drained.done()
        network.pool.finish()
        await drained
        assert network.coordinator.uploads
        await network.clock.pass_(30)
        assert len(network.coordinator.polls) == 2


async def test_drain__grace_over__given_back_and_signed_out(network):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.assign()
        await network.until(lambda: network.pool.jobs)
    assert network.coordinator.failures[0][1].kind == "shutting_down"
    assert network.coordinator.signed_out == 1
    assert network.coordinator.closed == 1


async def test_store__fails__mining_stops_with_its_error(network):
    from cuckoo.domain.errors import FatalError

    async def broken(_):
        raise FatalError("disk full")

    network.receipts.record = broken
    task = asyncio.create_task(network.mining().run())
    await network.until(network.polled(2))
    network.coordinator.assign()
    await network.until(lambda: network.pool.jobs)
    network.pool.finish()
    with pytest.raises(FatalError, match="disk full"):
        await task


# Which coordinators.


async def test_choice__several__drawn_among_those_with_open_tasks(network, another_coordinator):
    busy = another_coordinator(2, weight=1)
    busy.open_tasks = 3
    network.coordinators.append(busy)
    async with network.running() as mining:
        await network.until(lambda: len(busy.polls) == 2)
        assert mining.chosen == (2,)
        assert not network.coordinator.polls


async def test_choice__none_has_work__drawn_among_all_and_slots_split(network, another_coordinator):
    other = another_coordinator(2)
    network.coordinators.append(other)
    async with network.running() as mining:
        await network.until(lambda: network.coordinator.polls and other.polls)
        by_node = {1: network.coordinator, 2: other}
        assert [[poll.slot for poll in by_node[node].polls] for node in mining.chosen] == [[0], [1]]


async def test_choice__idle_for_a_minute__another_with_work_is_found(network, another_coordinator):
    other = another_coordinator(2)
    network.coordinators.append(other)
    network.coordinator.open_tasks = 1
    async with network.running():
        await network.until(network.polled(2))
        assert not other.polls
        other.open_tasks = 5
        await network.until(lambda: other.polls, passing_s=5)
        assert network.clock.now() - 1_800_000_000 >= 60


async def test_choice__draw_period_ends__asked_and_drawn_anew(network, another_coordinator):
    network.coordinators += [another_coordinator(2), another_coordinator(3)]
    async with network.running(draw_period_s=10) as mining:
        await network.until(lambda: sum(c.parked for c in network.coordinators) == 2)
        idle = next(c for c in network.coordinators if c.node_id not in mining.chosen)
        assert len(idle.requests) == 1
        await network.until(lambda: len(idle.requests) == 2, passing_s=1)
        assert 10 <= network.clock.now() - 1_800_000_000 < 13


async def test_choice__coordinator_leaves_the_registry__the_others_serve(network, another_coordinator):
    other = another_coordinator(2)
    network.coordinators.append(other)
    network.coordinator.open_tasks = 1
    async with network.running():
        await network.until(network.polled(2))
        network.coordinators.pop(0)
        await network.until(lambda: len(other.polls) == 2, passing_s=1)


async def test_choice__chosen_one_goes_away__the_others_serve(network, another_coordinator):
    other = another_coordinator(2)
    network.coordinators.append(other)
    network.coordinator.open_tasks = 1
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.reachable = False
        await network.until(lambda: len(other.polls) == 2, passing_s=1)


async def test_choice__coordinator_moves__followed_to_its_new_address(network, another_coordinator):
    async with network.running():
        await network.until(network.polled(2))
        network.coordinator.reachable = False
        moved = another_coordinator(1, origin="http://127.0.0.1:9000")
        network.coordinators[0] = moved
        await network.until(lambda: len(moved.polls) == 2, passing_s=1)
        assert moved.requests[0].origin == "http://127.0.0.1:9000"


SOURCE = packed(Image.new("RGB", (64, 64), "orange"))


def from_picture(coordinator):
    """Assign a task that is made from a picture."""
    parameters = replace(
        coordinator.assignment().parameters,
        mode=Mode.IMAGE,
        source_hash=input_hash(SOURCE),
        strength_millionths=500_000,
    )
    return coordinator.assign(parameters=parameters)


async def test_attempt__made_from_a_picture__fetched_first_also_after_a_failure_and_kept_with_the_receipt(network):
    coordinator = network.coordinator
    coordinator.inputs[input_hash(SOURCE)] = SOURCE
    coordinator.input_errors = [CoordinatorUnreachable("gone for a moment")]
    async with network.running():
        await network.until(network.polled(2))
        assignment = from_picture(coordinator)
        await network.until(lambda: network.pool.jobs, passing_s=0.5)
        assert network.pool.asked[0].inputs == (SOURCE,)
        network.pool.finish()
        await network.until(lambda: coordinator.uploads)
        assert await network.store.receipts.inputs(assignment.parameters.inputs) == (SOURCE,)


@pytest.mark.parametrize("shown", [b"another picture", None])
async def test_attempt__its_picture_is_another_or_gone__given_back_and_nothing_run(network, shown):
    coordinator = network.coordinator
    coordinator.inputs[input_hash(SOURCE)] = shown
    if shown is None:
        coordinator.input_errors = [NotFound("taken down")]
    async with network.running():
        await network.until(network.polled(2))
        from_picture(coordinator)
        await network.until(lambda: coordinator.failures, passing_s=0.5)
        assert coordinator.failures[0][-1].kind == "no_input"
        assert not network.pool.asked
