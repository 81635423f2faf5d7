"""Audits of one step, with the real child on both sides: asked for in the answer to a submit, answered, judged."""

import asyncio
import base64
import dataclasses
import io
import struct
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace
from PIL import Image

from cuckoo.demo.cheats import Cheat, CheatingPool
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import Conflict, NotFound, WorkerDied
from cuckoo.domain.pricing import Rates
from cuckoo.domain.task import Mode
from cuckoo.inference.models import load_registry
from cuckoo.inference.pool import PoolOptions, WorkerPool
from cuckoo.inference.replaying import HISTORY
from cuckoo.protocol.inputs import packed
from cuckoo.protocol.messages import ChallengeAnswer, ModelOffer, TaskRequest
from cuckoo.roles.audits import AuditDevice
from cuckoo.roles.coordinator import known_models
from cuckoo.services.auditing import service, steps
from tests.support.at_work import at_work
from tests.support.coordinating import (
    COORDINATOR,
    SETTINGS,
    Escrow,
    ScriptedMiner,
    ShiftedClock,
    app,
    audit_states,
    running,
)
from tests.support.othermodel import other_model
from tests.support.processes import until
from tests.support.replaying import forged, make, task

PRICE = Wei(100 * CAI)
MODELS = [replace(known_models()[0], max_pixels=128 * 128)]
DIGEST = MODELS[0].digest
OFFER = ModelOffer(digest=DIGEST, name="emoji-64", max_pixels=128 * 128, max_steps=50, modes=tuple(Mode))
APPLE = TaskRequest(prompt="a red apple", seed=7, steps=4)
pytestmark = pytest.mark.asyncio(loop_scope="module")  # one child serves all of them


class Device(AuditDevice):
    """The real one; counts what it is asked for."""

    def __init__(self, pool):
        super().__init__(pool)
        self.made = self.replayed = 0

    async def make(self, parameters, inputs):
        self.made += 1
        return await super().make(parameters, inputs)

    async def replay(self, *args):
        self.replayed += 1
        return await super().replay(*args)


class Person(ScriptedMiner):
    """A miner of the test's, with the real model."""

    async def sign_in(self, **how):
        return await super().sign_in(models=(OFFER,), **how)

    async def poll(self, slot=0):
        return await super().poll(slot, models=(DIGEST,))

    def upload(self, assignment, kept):
        pictures = list(zip(kept.done.pictures, kept.done.picture_hashes, strict=True))
        root, profile = kept.done.latents_root, kept.done.profile
        return self.result(assignment, pictures=pictures, latents_root=root, profile=profile)

    async def answer(self, challenge, kept):
        latents = kept.opened(challenge.step, challenge.history, challenge.picture)
        return await self.client.answer(self.token, challenge.id, ChallengeAnswer(latents=latents))


@pytest.fixture(autouse=True)
def always_one_step(monkeypatch):
    monkeypatch.setattr(service, "LOOK_S", 0.01)
    monkeypatch.setattr(steps, "WHOLE", 0.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool():
    with tempfile.TemporaryDirectory() as folder:
        loaded = [*load_registry().values(), other_model(Path(folder))]
        async with WorkerPool(loaded, PoolOptions(devices=("cpu",), threads=1)) as pool:
            await pool.ready.wait()
            yield pool


@asynccontextmanager
async def auditing(folder, pool, clock=None, escrow=None, **audits):
    """Run a coordinator that checks every result on a device of its own."""
    device = Device(pool)
    checks = {"probability": 1.0, "device": device} | audits
    escrow = escrow or Escrow()
    async with running(
        folder, rates=Rates(PRICE), escrow=escrow, audits=checks, models=MODELS, clock=clock, settings=SETTINGS
    ) as coordinator:
        work = asyncio.create_task(coordinator.auditing.run())
        coordinator.device = device
        try:
            yield coordinator
        finally:
            work.cancel()
            await asyncio.wait({work})


@asynccontextmanager
async def asked(folder, pool, request=APPLE, change=lambda kept: kept, inputs=(), **how):
    """A result of one's own, and the challenge that was the answer to it."""
    async with auditing(folder / "coordinator", pool, **how) as coordinator:
        miner = Person(coordinator)
        await miner.sign_in()
        async with app(coordinator) as client:
            await client.submit(request)
        assignment = (await miner.poll()).assignment
        kept = change(await make(pool, assignment.parameters, folder, inputs))
        upload = miner.upload(assignment, kept)
        reply = await miner.submit(assignment, upload)
        try:
            yield coordinator, miner, assignment, upload, kept, reply
        finally:
            await miner.client.close()


# A miner of the test's, move by move.


@pytest.mark.parametrize("scheduler", ["", *HISTORY])
async def test_honest__with_each_scheduler_of_the_list__is_paid_with_the_answer(pool, tmp_path, scheduler):
    request = TaskRequest(prompt="a red apple", seed=7, steps=5, scheduler=scheduler, pictures=2)
    async with asked(tmp_path, pool, request) as (coordinator, miner, assignment, _, kept, reply):
        assert (reply.audited, reply.voucher) == (True, None)
        assert 0 <= reply.challenge.step < 5
        assert reply.challenge.history == HISTORY.get(scheduler, 1)
        paid = await miner.answer(reply.challenge, kept)
        assert (paid.audited, paid.challenge) == (False, None)
        assert paid.voucher.voucher.cumulative == assignment.price > 0
        assert await audit_states(coordinator) == {(2, "passed"): 1}
        assert (coordinator.device.replayed, coordinator.device.made) == (1, 0)


async def test_scheduler__not_on_the_list__is_made_again_as_a_whole(pool, tmp_path):
    request = TaskRequest(prompt="a red apple", seed=7, steps=4, scheduler="UniPCMultistepScheduler")
    async with asked(tmp_path, pool, request) as (coordinator, _, _, _, _, reply):
        assert (reply.audited, reply.challenge) == (True, None)
        await until(lambda: _is(coordinator, {(2, "passed"): 1}), what="the audit")
        assert (coordinator.device.replayed, coordinator.device.made) == (0, 1)


@pytest.mark.parametrize("cheats", [False, True])
async def test_made_from_a_picture__is_made_again_as_a_whole_from_the_same(pool, tmp_path, cheats):
    mine, other = (Image.new("RGB", (64, 64), colour) for colour in ("orange", "blue"))
    file = io.BytesIO()
    mine.save(file, "PNG")
    request = replace(APPLE, source=base64.b64encode(file.getvalue()).decode(), strength=0.5)
    inputs = (packed(other if cheats else mine),)
    async with asked(tmp_path, pool, request, inputs=inputs) as (coordinator, _, _, _, _, reply):
        assert (reply.audited, reply.challenge) == (True, None)
        verdict = "failed" if cheats else "passed"
        await until(lambda: _is(coordinator, {(2, verdict): 1}), what="the audit")
        assert coordinator.device.replayed == 0


async def test_other_number_format__is_made_again_as_a_whole(pool, tmp_path):
    """Where even the starting noise differs, latents can not be compared."""
    profile = replace(pool.loaded()[DIGEST].profile, dtype="float16")

    def change(kept):
        return replace_done(kept, profile=profile)

    async with asked(tmp_path, pool, change=change) as (coordinator, _, _, _, _, reply):
        assert (reply.audited, reply.challenge) == (True, None)
        await until(lambda: _is(coordinator, {(2, "passed"): 1}), what="the audit")
        assert (coordinator.device.replayed, coordinator.device.made) == (0, 1)


async def test_device__that_fails__leaves_it_to_a_second_run(pool, tmp_path, monkeypatch):
    async def fails(*_):
        raise WorkerDied("it is gone")

    monkeypatch.setattr(Device, "replay", fails)
    async with asked(tmp_path, pool) as (coordinator, miner, _, _, kept, reply):
        assert not (await miner.answer(reply.challenge, kept)).audited
        assert await audit_states(coordinator) == {(2, "passed"): 1}
        assert coordinator.device.made == 1


async def test_part_of_them__is_made_again_as_a_whole(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "WHOLE", 1.0)
    async with asked(tmp_path, pool) as (coordinator, _, _, _, _, reply):
        assert reply.challenge is None
        await until(lambda: _is(coordinator, {(2, "passed"): 1}), what="the audit")
        assert (coordinator.device.replayed, coordinator.device.made) == (0, 1)


async def test_repeat__of_submit_and_answer__gets_the_same_replies(pool, tmp_path):
    async with asked(tmp_path, pool) as (coordinator, miner, assignment, upload, kept, reply):
        assert await miner.submit(assignment, upload) == reply
        paid = await miner.answer(reply.challenge, kept)
        assert await miner.answer(reply.challenge, kept) == paid
        nonsense = ChallengeAnswer(latents=())
        assert await miner.client.answer(miner.token, reply.challenge.id, nonsense) == paid, "the first one counts"
        assert await miner.submit(assignment, upload) == paid
        assert await audit_states(coordinator) == {(2, "passed"): 1}
        assert coordinator.device.replayed == 1


async def test_not_answered__in_time__fails_and_is_not_paid(pool, tmp_path):
    async with asked(tmp_path, pool, disputes=True) as (coordinator, miner, assignment, upload, kept, reply):
        assert 0 < reply.challenge.deadline - coordinator.clock.now() <= 60
        coordinator.clock.ahead_s += 61
        with pytest.raises(Conflict, match="was to be answered in 60 s"):
            await miner.answer(reply.challenge, kept)
        coordinator.clock.ahead_s += 2
        await until(lambda: _is(coordinator, {(2, "failed"): 1}), what="the audit")
        with pytest.raises(Conflict, match="showed no latents within 60 s"):
            await miner.submit(assignment, upload)
        with pytest.raises(Conflict, match="showed no latents within 60 s"):
            await miner.answer(reply.challenge, kept)
        assert coordinator.purse.voucher(2) is None
        assert coordinator.dispatch.engine.state.miners[2].health.left_out
        assert await coordinator.store.accusations.unfinished() == [], "jurors would find its picture right"


async def test_answer__of_somebody_else__is_not_taken(pool, tmp_path):
    async with asked(tmp_path, pool) as (coordinator, miner, _, _, kept, reply):
        other = Person(coordinator, 3)
        await other.sign_in()
        with pytest.raises(NotFound, match="was not put to miner 3"):
            await other.answer(reply.challenge, kept)
        with pytest.raises(NotFound, match="was not put to miner 2"):
            await miner.answer(replace(reply.challenge, id=99), kept)
        await other.client.close()
        assert not (await miner.answer(reply.challenge, kept)).audited


async def test_restart__between_challenge_and_answer__is_accepted_with_time_anew(pool, tmp_path):
    clock, escrow = ShiftedClock(), Escrow()
    async with asked(tmp_path, pool, clock=clock, escrow=escrow) as (_, _, assignment, upload, kept, reply):
        pass
    clock.ahead_s += 300
    async with auditing(tmp_path / "coordinator", pool, clock=clock, escrow=escrow) as coordinator:
        miner = Person(coordinator)
        miner.last_sequence = 100
        await miner.sign_in()
        again = await miner.submit(assignment, upload)
        assert replace(again.challenge, deadline=0) == replace(reply.challenge, deadline=0)
        assert again.challenge.deadline > clock.now()
        assert (await miner.answer(again.challenge, kept)).voucher.voucher.cumulative == assignment.price
        assert await audit_states(coordinator) == {(2, "passed"): 1}
        await miner.client.close()


async def test_restart__between_answer_and_verdict__the_answer_counts(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "VERDICT_S", 0.0)
    escrow = Escrow()
    async with asked(tmp_path, pool, escrow=escrow) as (coordinator, miner, assignment, upload, kept, reply):
        monkeypatch.setattr(coordinator.auditing, "_ripe", lambda audit: False)
        waits = await miner.answer(reply.challenge, kept)
        assert (waits.audited, waits.challenge) == (True, None)
    async with auditing(tmp_path / "coordinator", pool, escrow=escrow) as coordinator:
        miner = Person(coordinator)
        miner.last_sequence = 100
        await miner.sign_in()
        await until(lambda: _is(coordinator, {(2, "passed"): 1}), what="the audit")
        assert (await miner.submit(assignment, upload)).voucher.voucher.cumulative == assignment.price
        await miner.client.close()


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (0, "starting noise is not that of the seed"),
        (2, "step 2 of picture 0 gives other latents"),
        (3, "step 2 of picture 0 gives other latents"),
        (4, "last latents do not become the picture"),
    ],
)
async def test_latents__not_of_the_task_though_signed__fail(pool, tmp_path, monkeypatch, number, why):
    question = steps.question
    monkeypatch.setattr(steps, "question", lambda *how: replace(question(*how), step=2))
    other = await make(pool, task(steps=4, prompt="a yellow star", seed=8), tmp_path)
    payload = next(one.payload for one in other.opened(2, 1) if one.step == number)

    def change(kept):
        return forged(kept, tmp_path, {number: payload})

    async with asked(tmp_path, pool, change=change) as (coordinator, miner, _, _, kept, reply):
        with pytest.raises(Conflict, match=why):
            await miner.answer(reply.challenge, kept)
        assert await audit_states(coordinator) == {(2, "failed"): 1}
        assert coordinator.purse.voucher(2) is None


async def test_latents__other_than_the_signed_ones__fail(pool, tmp_path):
    async with asked(tmp_path, pool) as (coordinator, miner, _, _, kept, reply):
        other = await make(pool, replace(kept.parameters, prompt="a yellow star"), tmp_path)
        with pytest.raises(Conflict, match="must be what the receipt's latents root binds"):
            await miner.answer(reply.challenge, other)
        assert await audit_states(coordinator) == {(2, "failed"): 1}


async def test_other_profile__latents_within_what_honest_ones_do__pass(pool, tmp_path):
    """A miner with other CPU threads: latents need not be equal to the bit, only close."""
    profile = replace(pool.loaded()[DIGEST].profile, threads=7)

    def change(kept):
        return replace_done(kept, profile=profile)

    def nudged(kept):
        return replace_done(_nudged(kept, tmp_path, 1e-5), profile=profile)

    for folder, how in (("same", change), ("close", nudged)):
        async with asked(tmp_path / folder, pool, change=how) as (coordinator, miner, _, _, kept, reply):
            assert not (await miner.answer(reply.challenge, kept)).audited
            assert await audit_states(coordinator) == {(2, "passed"): 1}


def replace_done(kept, **changes):
    return dataclasses.replace(kept, done=replace(kept.done, **changes))


def _nudged(kept, folder, by):
    """Return a result whose latents are all off by a little."""
    shown = {one.step: one.payload for step in range(4) for one in kept.opened(step, 1)}
    moved = {}
    for number, payload in shown.items():
        values = struct.unpack(f"<{len(payload) // 4}f", payload)
        moved[number] = struct.pack(f"<{len(values)}f", *(value + by for value in values))
    return forged(kept, folder, moved)


# The real miner, which calls out.


async def test_miner__asked_for_a_step__shows_it_and_is_paid(pool, tmp_path):
    async with (
        auditing(tmp_path / "coordinator", pool) as coordinator,
        at_work(tmp_path / "miner", coordinator, pool) as store,
        app(coordinator) as client,
    ):
        await client.submit(APPLE)

        async def paid():
            return (await store.vouchers.best(COORDINATOR)) is not None and not list(
                (tmp_path / "miner/latents").iterdir()
            )

        await until(paid, what="the voucher")
        assert await audit_states(coordinator) == {(2, "passed"): 1}
        assert coordinator.device.replayed == 1


@pytest.mark.parametrize("cheat", [cheat for cheat in Cheat if cheat.shows])
async def test_cheat__asked_for_a_step__fails(pool, tmp_path, cheat):
    side_px = 128 if cheat is Cheat.UPSCALED else 64
    async with (
        auditing(tmp_path / "coordinator", pool, disputes=True) as coordinator,
        at_work(tmp_path / "miner", coordinator, CheatingPool(pool, cheat)),
        app(coordinator) as client,
    ):
        expected = {(2, "failed"): 1}
        if cheat is Cheat.CACHED:
            await client.submit(APPLE)
            await until(lambda: _is(coordinator, {(2, "passed"): 1}), what="the honest one")
            expected |= {(2, "passed"): 1}
        await client.submit(replace(APPLE, prompt="a blue whale", width_px=side_px, height_px=side_px))

        async def in_check():
            return bool(await coordinator.store.audits.all_open()) or await _is(coordinator, expected)

        await until(in_check, what="the result")
        coordinator.clock.ahead_s += 63  # some can not answer; no one who can gets off
        await until(lambda: _is(coordinator, expected), what="the audit")
        assert [one.miner_node for one in await coordinator.store.accusations.unfinished()] == [2]


async def _is(coordinator, expected):
    return await audit_states(coordinator) == expected
