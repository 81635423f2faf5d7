"""Tasks made from pictures, over real HTTP: taken in, kept, handed to the miner that has the task, and to jurors."""

import asyncio
import base64
import io
import time

import msgspec
import pytest
from PIL import Image, ImageDraw

from cuckoo.client import AsyncCuckoo
from cuckoo.domain.errors import Conflict, InvalidField, NotFound, PeerFault
from cuckoo.domain.lora import Lora, encode_loras, loras_hash
from cuckoo.domain.task import Mode
from cuckoo.protocol.inputs import input_hash, prepare
from cuckoo.protocol.messages import BatchRequest, LoraWish, TaskRequest
from tests.support.coordinating import MODEL, OFFER, ScriptedMiner, app, running
from tests.support.processes import until


def file(colour="orange", ground="white", size=(64, 64)):
    image = Image.new("RGB", size, ground)
    ImageDraw.Draw(image).ellipse((8, 8, size[0] - 8, size[1] - 8), fill=colour)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def text(content):
    return base64.b64encode(content).decode()


SOURCE, MASK = file(), file("white", "black")
FROM_IMAGE = TaskRequest(prompt="a green apple", source=text(SOURCE))
INPAINT = TaskRequest(prompt="a worm", source=text(SOURCE), mask=text(MASK), strength=0.5)


@pytest.fixture
async def coordinator(tmp_path):
    async with running(tmp_path) as found:
        yield found


async def taken(miner, signed):
    """Read what an assignment names."""
    one = signed.assignment
    return [await miner.client.input(miner.token, one.task_id, one.attempt, name) for name in one.parameters.inputs]


async def test_submit__source_and_mask__the_miner_gets_exactly_what_is_signed(coordinator):
    miner = ScriptedMiner(coordinator)
    await miner.sign_in()
    async with app(coordinator) as api:
        first, second = await api.submit(FROM_IMAGE), await api.submit(INPAINT)
        assert (first.parameters.mode, first.parameters.strength_millionths) == (Mode.IMAGE, 800_000)
        assert (second.parameters.mode, second.parameters.strength_millionths) == (Mode.INPAINTING, 500_000)
        assert second.steps == second.parameters.denoising_steps == 2  # half of the model's four
        signed = await miner.poll()
        wanted = prepare(SOURCE, b"", 64, 64)
        assert await taken(miner, signed) == [wanted.source]
        assert signed.assignment.parameters.source_hash == wanted.source_hash
        other = ScriptedMiner(coordinator, 3)
        await other.sign_in()
        with pytest.raises(NotFound, match="does not have attempt"):
            await taken(other, signed)
        one = signed.assignment
        with pytest.raises(NotFound, match="names none"):
            await miner.client.input(miner.token, one.task_id, one.attempt, bytes(32))
        await miner.submit(signed.assignment, miner.result(signed.assignment))
        with pytest.raises(NotFound, match="does not have attempt"):
            await taken(miner, signed)
        assert (await api.get(first.task_id)).status == "done"
        both = prepare(SOURCE, MASK, 64, 64)
        assert await taken(miner, await miner.poll()) == list(both.payloads)
        await other.client.close()
    await miner.client.close()


async def test_submit__killed_and_started_again__the_source_is_still_there(tmp_path):
    async with running(tmp_path) as coordinator, app(coordinator) as api:
        await api.submit(FROM_IMAGE)
    async with running(tmp_path) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        assert await taken(miner, await miner.poll()) == [prepare(SOURCE, b"", 64, 64).source]
        await miner.client.close()


async def test_submit__repeated_with_its_key__one_task_and_another_source_conflicts(coordinator):
    async with app(coordinator) as api:
        first = await api.submit(FROM_IMAGE, idempotency_key="k")
        assert (await api.submit(FROM_IMAGE, idempotency_key="k")).task_id == first.task_id
        changed = msgspec.structs.replace(FROM_IMAGE, source=text(file("blue")))
        with pytest.raises(Conflict):
            await api.submit(changed, idempotency_key="k")
        batch = BatchRequest(tasks=(FROM_IMAGE, INPAINT))
        views = (await api.submit_batch(batch, idempotency_key="k")).tasks
        assert [view.parameters.mode for view in views] == [Mode.IMAGE, Mode.INPAINTING]
        assert [view.task_id for view in (await api.submit_batch(batch, idempotency_key="k")).tasks] == [
            view.task_id for view in views
        ]


@pytest.mark.parametrize(
    ("changes", "field", "limit"),
    [
        ({"source": "%%%"}, "source", "base64"),
        ({"source": text(b"no picture")}, "source", "PNG, JPEG or WebP"),
        ({"source": "", "mask": text(MASK)}, "mask", "needs a source"),
        ({"source": ""}, "strength", "needs a source"),
        ({"strength": 0.0}, "strength", "above 0, up to 1"),
        ({"strength": 1.5}, "strength", "above 0, up to 1"),
        ({"strength": 0.1}, "strength", "1/4 or more"),
        ({"mask": text(file(size=(64, 128)))}, "mask", "64 x 64"),
        ({"scheduler": "PNDMScheduler"}, "scheduler", "takes its own"),
    ],
)
async def test_submit__bad_input__field_and_limit_named_and_nothing_kept(tmp_path, changes, field, limit):
    few = msgspec.structs.replace(MODEL, schedulers=("DDIMScheduler",))
    async with running(tmp_path, models=(few,)) as coordinator, app(coordinator) as api:
        request = msgspec.structs.replace(FROM_IMAGE, **{"strength": 0.9, **changes})
        with pytest.raises(InvalidField) as caught:
            await api.submit(request)
        assert caught.value.field == field
        assert limit in str(caught.value)
        assert coordinator.dispatch.engine.tasks.queued == 0


async def test_submit__miners_that_can_not__said_at_once_and_shown_at_models(coordinator):
    miner = ScriptedMiner(coordinator)
    await miner.sign_in(models=(msgspec.structs.replace(OFFER, modes=(Mode.TEXT,), max_pixels=64 * 64),))
    async with app(coordinator) as api:
        with pytest.raises(InvalidField, match="take text-to-image"):
            await api.submit(FROM_IMAGE)
        (model,) = (await api.models()).data
        assert (model.modes, model.max_pixels_now) == ((Mode.TEXT,), 64 * 64)
        await miner.sign_in()
        (model,) = (await api.models()).data
        assert model.modes == tuple(Mode)
        assert (await api.submit(FROM_IMAGE)).status in ("queued", "running")
    await miner.client.close()


async def test_submit__bomb_of_a_source__refused_before_it_is_unpacked(coordinator):
    wide = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(wide, "PNG")
    async with app(coordinator) as api:
        before = time.process_time()
        with pytest.raises(InvalidField, match="4,096 pixels a side"):
            await api.submit(msgspec.structs.replace(FROM_IMAGE, source=text(wide.getvalue())))
        assert time.process_time() - before < 5  # unpacking it would take longer than that
        with pytest.raises(PeerFault, match="33,554,432"):
            await api.submit(msgspec.structs.replace(FROM_IMAGE, source="A" * 33_600_000))


async def test_client__files_by_path_or_bytes__sent(coordinator, tmp_path):
    (tmp_path / "source.png").write_bytes(SOURCE)
    async with AsyncCuckoo(coordinator.origin) as cuckoo:
        view = await cuckoo.submit("a worm", source=tmp_path / "source.png", mask=MASK, strength=0.7)
    both = prepare(SOURCE, MASK, 64, 64)
    assert view.parameters.inputs == (input_hash(both.source), input_hash(both.mask))


INK, FILM = "11" * 32, "22" * 32
WITH_LORAS = msgspec.structs.replace(MODEL, loras={"ink": INK})


async def test_loras__by_name_and_digest__go_to_a_miner_that_has_them_also_after_a_restart(tmp_path):
    wished = TaskRequest(prompt="a fox", loras=(LoraWish(lora="ink", weight=0.5), LoraWish(lora=FILM, weight=-1.0)))
    listed = encode_loras((Lora(digest=INK, weight_thousandths=500), Lora(digest=FILM, weight_thousandths=-1_000)))
    async with running(tmp_path, models=(WITH_LORAS,)) as coordinator, app(coordinator) as api:
        with pytest.raises(InvalidField, match="has ink by name"):
            await api.submit(wished)  # nobody has ever brought the other one
        film = ScriptedMiner(coordinator, 3)
        await film.sign_in(models=(msgspec.structs.replace(OFFER, loras=(FILM,)),))
        view = await api.submit(wished)
        assert view.parameters.loras_hash == loras_hash(listed)
        assert "lacks a LoRA" in view.waits_for  # the one miner that is here has only one of the two
        (model,) = (await api.models()).data
        assert [(one.id, one.digest, one.miners) for one in model.loras] == [("ink", INK, 0), (FILM, FILM, 1)]
        await film.client.close()
    async with running(tmp_path, models=(WITH_LORAS,)) as coordinator, app(coordinator) as api:
        film, both = ScriptedMiner(coordinator, 3, weight=10_000_000), ScriptedMiner(coordinator, 2)
        await film.sign_in(models=(msgspec.structs.replace(OFFER, loras=(FILM,)),))
        await both.sign_in(models=(msgspec.structs.replace(OFFER, loras=(INK, FILM)),))
        waiting = asyncio.create_task(film.poll())

        async def parked():
            return coordinator.parked() == 1

        await until(parked, what="the poll")
        signed = await both.poll()
        assert signed.assignment.task_id == view.task_id
        assert await taken(both, signed) == [listed]
        waiting.cancel()
        for miner in (film, both):
            await miner.client.close()


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ([("nobody's", 1.0)], "has ink by name"),
        ([("ink", 2.5)], "weights must be -2 to 2"),
        ([("ink", 1.0), (INK, 1.0)], "each at most once"),
        ([("ink", 1.0)] * 5, "length <= 4"),
    ],
)
async def test_loras__bad_input__named(tmp_path, wishes, says):
    async with running(tmp_path, models=(WITH_LORAS,)) as coordinator, app(coordinator) as api:
        loras = tuple(LoraWish(lora=name, weight=weight) for name, weight in wishes)
        with pytest.raises(InvalidField, match=says) as caught:
            await api.submit(TaskRequest(prompt="a fox", loras=loras))
        assert caught.value.field == "loras"
