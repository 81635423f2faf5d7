"""A client of AUTOMATIC1111's API against a coordinator, unchanged."""

import asyncio

import pytest
import webuiapi
from msgspec.structs import replace
from PIL import Image, ImageOps

from cuckoo.domain.lora import Lora, encode_loras, loras_hash
from cuckoo.domain.task import PICTURES_MAX, TaskParameters
from cuckoo.protocol.inputs import input_hash, packed
from cuckoo.protocol.messages import LoraWish, decode_binary
from cuckoo.protocol.sdapi import split_loras
from tests.support.coordinating import MODEL
from tests.support.painter import studio
from tests.support.processes import until


@pytest.fixture
async def town(tmp_path):
    async with studio(tmp_path) as coordinator:
        yield coordinator


async def client(coordinator):
    address = f"{coordinator.origin}/sdapi/v1"
    return await asyncio.to_thread(webuiapi.WebUIApi, baseurl=address, sampler="Euler a", steps=4)


async def ask(coordinator, **wanted):
    api = await client(coordinator)
    return await asyncio.to_thread(api.txt2img, **{"width": 64, "height": 64, **wanted})


async def test_txt2img__their_client__pictures_and_how_they_were_made(town):
    answer = await ask(town, prompt="a pear", negative_prompt="a frame", seed=7, batch_size=2, n_iter=1, cfg_scale=5)
    assert [picture.size for picture in answer.images] == [(64, 64)] * 2
    assert (answer.info["seed"], answer.info["all_seeds"]) == (7, [7, 8])
    assert (answer.info["steps"], answer.info["sampler_name"], answer.info["cfg_scale"]) == (4, "Euler a", 5)
    assert answer.parameters["prompt"] == "a pear"
    stored = await town.store.tasks.get(answer.info["cuckoo_task"])
    assert b"EulerAncestralDiscreteScheduler" in stored.parameters


@pytest.mark.parametrize("invert", [None, 0, 1])
async def test_img2img__their_client__from_a_picture_and_a_mask(town, invert):
    source, mask = Image.new("RGB", (64, 64), "orange"), Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 48, 48))
    more = {} if invert is None else {"mask_image": mask, "inpainting_mask_invert": invert}
    wanted = {"prompt": "a worm", "denoising_strength": 0.5, "width": 64, "height": 64, "steps": 4}
    answer = await asyncio.to_thread((await client(town)).img2img, images=[source], **wanted, **more)
    assert [picture.size for picture in answer.images] == [(64, 64)]
    asked = decode_binary((await town.store.tasks.get(answer.info["cuckoo_task"])).parameters, TaskParameters)
    assert (asked.source_hash, asked.strength_millionths) == (input_hash(packed(source)), 500_000)
    drawn_anew = ImageOps.invert(mask) if invert else mask
    assert asked.mask_hash == (bytes(32) if invert is None else input_hash(packed(drawn_anew)))


async def test_txt2img__lora_in_the_prompt__is_taken_out_and_named_or_refused(tmp_path):
    ink = "11" * 32
    assert split_loras("a fox <lora:ink:0.5> <lora:film>") == (
        "a fox",
        (LoraWish(lora="ink", weight=0.5), LoraWish(lora="film", weight=1.0)),
    )
    async with studio(tmp_path, models=(replace(MODEL, loras={"ink": ink}),), loras=(ink,)) as coordinator:
        answer = await ask(coordinator, prompt="a fox <lora:ink:0.5>")
        stored = await coordinator.store.tasks.get(answer.info["cuckoo_task"])
        asked = decode_binary(stored.parameters, TaskParameters)
        assert asked.prompt == "a fox"
        assert asked.loras_hash == loras_hash(encode_loras((Lora(digest=ink, weight_thousandths=500),)))
        with pytest.raises(RuntimeError, match="422"):
            await ask(coordinator, prompt="a fox <lora:nobody:1>")


async def test_lists__their_client__models_samplers_options(town):
    api = await client(town)
    models, samplers, options = await asyncio.gather(
        *(asyncio.to_thread(one) for one in (api.get_sd_models, api.get_samplers, api.get_options))
    )
    assert [model["title"] for model in models] == [MODEL.name]
    assert "DPM++ 2M" in [sampler["name"] for sampler in samplers]
    assert options["sd_model_checkpoint"] == MODEL.name


async def test_progress__while_it_is_drawn__and_interrupt_takes_it_back(tmp_path):
    gate = asyncio.Event()
    async with studio(tmp_path, gate=gate) as coordinator:
        api = await client(coordinator)
        asked = asyncio.create_task(ask(coordinator, prompt="a pear"))

        async def begun():
            told = await asyncio.to_thread(api.get_progress)
            return told if told["state"]["sampling_step"] else None

        told = await until(begun, 20, what="the first step")
        assert told["state"]["sampling_steps"] == 4
        assert 0 < told["progress"] <= 1
        await asyncio.to_thread(api.interrupt)
        with pytest.raises(RuntimeError):
            await asked
        assert (await asyncio.to_thread(api.get_progress))["progress"] == 0
        gate.set()


@pytest.mark.parametrize(
    "wanted",
    [
        {"sampler_name": "Nobody's"},
        {"batch_size": PICTURES_MAX + 1},
        {"width": 65},
        {"steps": 0},
        {"override_settings": {"sd_model_checkpoint": "nobody's"}},
    ],
)
async def test_txt2img__wrong__is_refused_in_their_shape(town, wanted):
    with pytest.raises(RuntimeError, match=r"4(04|22)"):
        await ask(town, prompt="a pear", **wanted)
