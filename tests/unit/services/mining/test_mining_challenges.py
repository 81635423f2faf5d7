"""A coordinator asks for a step: the miner shows what it kept, and lets go of it when that is over."""

import os
from pathlib import Path

import msgspec
import pytest

from cuckoo.domain.errors import Conflict, CoordinatorUnreachable
from cuckoo.domain.keccak import latent_leaf, merkle_root
from cuckoo.inference.latents import write
from cuckoo.protocol.messages import Challenge, SubmitReply
from cuckoo.protocol.openings import check_answer
from cuckoo.services.mining import KeptLatents
from cuckoo.storage.records import ReceiptState

LATENTS = [[bytes([number]) * 16 for number in range(5)]]
LEAVES = [latent_leaf(0, number, payload) for number, payload in enumerate(LATENTS[0])]
ASKED = Challenge(id=3, picture=0, step=2, history=1, deadline=0)
CHECKED = SubmitReply(audited=True)


def kept(network):
    return list((network.store.writer.directory / "latents").iterdir())


async def work(network, *, keep=True):
    """Have one assignment drawn; the child's part is to write the latents."""
    assignment = network.coordinator.assign()
    await network.until(lambda: network.pool.jobs)
    if keep:
        write(Path(network.pool.asked[-1].latents_file), LEAVES, LATENTS)
    network.pool.finish()
    return assignment


async def test_no_challenge__latents_are_dropped_with_the_answer(network):
    async with network.running():
        assignment = await work(network)
        await network.receipt_is(assignment, ReceiptState.ACCEPTED)
        await network.until(lambda: not kept(network))


async def test_challenge__is_answered_with_proofs__then_latents_are_dropped(network):
    network.coordinator.submit_replies = [msgspec.structs.replace(CHECKED, challenge=ASKED)]
    async with network.running():
        assignment = await work(network)
        await network.receipt_is(assignment, ReceiptState.ACCEPTED)
        ((number, answer),) = network.coordinator.answers
        assert number == 3
        shown = check_answer(answer, ASKED, assignment.parameters, merkle_root(LEAVES))
        assert shown == {step: LATENTS[0][step] for step in (0, 2, 3, 4)}
        await network.until(lambda: not kept(network))


async def test_answer__lost_on_its_way__is_given_again_after_the_next_submit(network):
    asked = msgspec.structs.replace(CHECKED, challenge=ASKED)
    network.coordinator.submit_replies = [asked, asked]
    network.coordinator.answer_replies = [CoordinatorUnreachable("gone")]
    async with network.running():
        assignment = await work(network)
        await network.until(lambda: len(network.coordinator.answers) == 2, passing_s=1.0)
        await network.receipt_is(assignment, ReceiptState.ACCEPTED)
        assert len(network.coordinator.uploads) == 2


async def test_answer__still_being_checked__is_asked_for_again(network):
    network.coordinator.submit_replies = [msgspec.structs.replace(CHECKED, challenge=ASKED), CHECKED]
    network.coordinator.answer_replies = [CHECKED]
    async with network.running():
        assignment = await work(network)
        await network.until(lambda: len(network.coordinator.uploads) == 3, passing_s=1.0)
        await network.receipt_is(assignment, ReceiptState.ACCEPTED)
        assert len(network.coordinator.answers) == 1


async def test_challenge__failed__is_settled_as_refused(network):
    network.coordinator.submit_replies = [msgspec.structs.replace(CHECKED, challenge=ASKED)]
    network.coordinator.answer_replies = [Conflict("it is wrong")]
    async with network.running():
        assignment = await work(network)
        await network.receipt_is(assignment, ReceiptState.REFUSED)
        await network.until(lambda: not kept(network))


async def test_challenge__nothing_kept__asks_again_until_it_is_refused(network):
    network.coordinator.submit_replies = [msgspec.structs.replace(CHECKED, challenge=ASKED), Conflict("too late")]
    async with network.running():
        assignment = await work(network, keep=False)
        await network.until(lambda: len(network.coordinator.uploads) == 2, passing_s=1.0)
        await network.receipt_is(assignment, ReceiptState.REFUSED)
        assert network.coordinator.answers == []


async def test_challenge__while_it_waits__both_slots_are_offered(network):
    network.coordinator.submit_replies = [msgspec.structs.replace(CHECKED, challenge=ASKED)]
    network.coordinator.answer_replies = [None]  # never answered
    async with network.running():
        await work(network)
        await network.until(lambda: network.coordinator.answers)
        await network.until(lambda: network.coordinator.parked == 2)


async def test_restart__with_an_unsettled_result__keeps_its_latents_and_no_others(network):
    network.coordinator.submit_replies = [CoordinatorUnreachable("gone")] * 50
    async with network.running():
        assignment = await work(network)
        await network.until(lambda: network.coordinator.uploads)
    (kept(network)[0].parent / ("ff" * 32)).write_bytes(b"of an earlier life")
    network.coordinator.submit_replies = [msgspec.structs.replace(CHECKED, challenge=ASKED)]
    async with network.running():
        await network.receipt_is(assignment, ReceiptState.ACCEPTED)
        assert len(network.coordinator.answers) == 1
        await network.until(lambda: not kept(network))


def test_file__too_much_kept__the_oldest_go(tmp_path):
    latents = KeptLatents(tmp_path, most_bytes=25)
    for number in range(3):
        path = latents.file(bytes([number]) * 32)
        path.write_bytes(bytes(10))
        os.utime(path, (number, number))
    latents.file(bytes([9]) * 32)
    assert sorted(path.name[:2] for path in tmp_path.iterdir()) == ["01", "02"]


@pytest.mark.parametrize("hashes", [(), (b"\1" * 32,)])
def test_drop__what_is_not_there__is_no_fault(tmp_path, hashes):
    latents = KeptLatents(tmp_path)
    latents.drop(b"\2" * 32)
    latents.drop_all_but(hashes)
    assert list(tmp_path.iterdir()) == []
