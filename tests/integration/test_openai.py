"""OpenAI's own packages against a coordinator, unchanged: pictures, streams, links, errors."""

import asyncio
import base64
import io
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import openai
import pytest
from PIL import Image

from cuckoo.domain.errors import CuckooError
from cuckoo.domain.task import PICTURES_MAX, Mode, TaskStatus
from cuckoo.protocol.inputs import input_hash, packed
from cuckoo.protocol.png import receipt_in
from cuckoo.web import images
from tests.support.coordinating import MODEL, ScriptedMiner, running
from tests.support.painter import studio
from tests.support.processes import until

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / ".venv" / "bin" / "node"
JS = ROOT / "tests" / "js"


@pytest.fixture
async def coordinator(tmp_path):
    async with studio(tmp_path) as found:
        yield found


@pytest.fixture
async def client(coordinator):
    async with openai.AsyncOpenAI(base_url=f"{coordinator.origin}/v1", api_key="sk-any", max_retries=0) as found:
        yield found


def picture(image):
    return Image.open(io.BytesIO(base64.b64decode(image.b64_json)))


async def test_generate__defaults__a_png_with_its_receipt(client):
    answer = await client.images.generate(prompt="a red apple")
    (only,) = answer.data
    assert picture(only).format == "PNG"
    assert receipt_in(base64.b64decode(only.b64_json)).assignment.parameters.prompt == "a red apple"
    assert (answer.size, answer.output_format, answer.usage.total_tokens) == ("64x64", "png", 0)


async def test_generate__several_in_a_size_as_jpeg__as_asked(client):
    answer = await client.images.generate(
        model=MODEL.name, prompt="a pear", n=3, size="72x64", output_format="jpeg", output_compression=80, user="u"
    )
    assert [(picture(one).format, picture(one).size) for one in answer.data] == [("JPEG", (72, 64))] * 3


async def test_generate__url__is_fetched_without_a_key_and_only_as_signed(client, coordinator):
    answer = await client.images.generate(prompt="a pear", response_format="url")
    url = answer.data[0].url
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as found:
            assert (found.status, found.content_type) == (200, "image/png")
            assert receipt_in(await found.read()).assignment.parameters.prompt == "a pear"
        path, token = url.rsplit("/", 1)
        changed = (token[:-1] + ("0" if token[-1] != "0" else "1"), token.replace(".0.", ".1.", 1), f"{token}.x", ".")
        for other in (f"{path}/{one}" for one in changed):
            async with session.get(other) as refused:
                assert refused.status == 404, other


async def test_url__after_an_hour__is_gone(client, monkeypatch):
    monkeypatch.setattr(images, "LINK_S", -1)
    answer = await client.images.generate(prompt="a pear", response_format="url")
    async with aiohttp.ClientSession() as session, session.get(answer.data[0].url) as refused:
        assert refused.status == 404
        assert (await refused.json())["error"]["type"] == "invalid_request_error"


async def test_stream__with_previews__partial_images_then_completed(tmp_path):
    gate, events = asyncio.Event(), []
    async with (
        studio(tmp_path, gate=gate) as coordinator,
        openai.AsyncOpenAI(base_url=f"{coordinator.origin}/v1", api_key="sk-any", max_retries=0) as client,
    ):
        async for event in await client.images.generate(prompt="a pear", stream=True, partial_images=2):
            events.append(event)
            if len(events) == 2:
                gate.set()
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert picture(events[-1]).size == (64, 64)
    assert events[-1].usage.total_tokens == 0


def test_sync_client__in_a_thread__works(tmp_path):
    async def main():
        async with studio(tmp_path) as coordinator:
            with openai.OpenAI(base_url=f"{coordinator.origin}/v1", api_key="sk-any", max_retries=0) as client:
                answer = await asyncio.to_thread(client.images.generate, prompt="a red apple")
                models = await asyncio.to_thread(client.models.list)
        return answer, models

    answer, models = asyncio.run(main())
    assert picture(answer.data[0]).format == "PNG"
    assert [model.id for model in models.data] == [MODEL.name]


@pytest.mark.parametrize(
    ("wanted", "error", "param", "code"),
    [
        ({"n": 0}, openai.BadRequestError, "n", "invalid_value"),
        ({"n": PICTURES_MAX + 1}, openai.BadRequestError, "n", "invalid_value"),
        ({"size": "large"}, openai.BadRequestError, "size", "invalid_value"),
        ({"size": "99999x64"}, openai.BadRequestError, "size", "invalid_value"),
        ({"size": "65x64"}, openai.BadRequestError, "size", "invalid_value"),
        ({"model": "gpt-image-2"}, openai.NotFoundError, "model", "model_not_found"),
        ({"output_format": "svg"}, openai.BadRequestError, "output_format", "invalid_value"),
        ({"background": "transparent"}, openai.BadRequestError, "background", "invalid_value"),
        ({"partial_images": 4, "stream": True}, openai.BadRequestError, "partial_images", "invalid_value"),
        ({"extra_body": {"colour": "red"}}, openai.BadRequestError, "colour", "unknown_parameter"),
        ({"prompt": "x" * 2_001}, openai.BadRequestError, "prompt", "invalid_value"),
    ],
)
async def test_generate__wrong__is_told_in_their_shape(client, wanted, error, param, code):
    with pytest.raises(error) as refused:
        await client.images.generate(**{"prompt": "a pear", **wanted})
    assert (refused.value.type, refused.value.param, refused.value.code) == ("invalid_request_error", param, code)


@pytest.mark.parametrize("stream", [False, True])
async def test_generate__no_miner_can__is_told_as_their_packages_expect(tmp_path, stream):
    async with (
        running(tmp_path) as coordinator,
        openai.AsyncOpenAI(base_url=f"{coordinator.origin}/v1", api_key="sk-any", max_retries=0) as client,
    ):
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()

        async def spoil():
            for _ in range(3):
                await miner.sign_in()
                assignment = (await miner.poll()).assignment
                with suppress(CuckooError):
                    await miner.submit(assignment, miner.result(assignment, pictures=[(b"no picture", bytes(32))]))
                coordinator.clock.ahead_s += 3_600  # its health recovers

        async def ask():
            answer = await client.images.generate(prompt="a pear", stream=stream)
            return [event async for event in answer] if stream else answer

        asked, spoiling = asyncio.create_task(ask()), asyncio.create_task(spoil())
        with pytest.raises(openai.APIError) as failed:
            await asked
        await spoiling
        await miner.client.close()
    assert "attempt 3" in failed.value.message
    assert stream or failed.value.status_code == 503


async def test_generate__closed_coordinator__wrong_key_is_401(tmp_path):
    async with (
        running(tmp_path, open_access=False) as coordinator,
        openai.AsyncOpenAI(base_url=f"{coordinator.origin}/v1", api_key="sk-wrong", max_retries=0) as client,
    ):
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.images.generate(prompt="a pear")
    assert refused.value.code == "invalid_api_key"


async def test_generate__caller_goes__its_task_is_cancelled(tmp_path):
    async with running(tmp_path) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        async with aiohttp.ClientSession() as session:
            asked = asyncio.create_task(
                session.post(f"{coordinator.origin}/v1/images/generations", json={"prompt": "a pear"})
            )
            assignment = (await miner.poll()).assignment
            asked.cancel()
            await asyncio.wait({asked})

        async def cancelled():
            stored = await coordinator.store.tasks.get(assignment.task_id)
            return stored.status is TaskStatus.CANCELLED

        await until(cancelled, 20, what="the cancellation")
        await miner.client.close()


def file(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return ("apple.png", stream.getvalue(), "image/png")


WHOLE = Image.new("RGB", (64, 64), "orange")
HOLE = Image.new("RGBA", (64, 64), "orange")
HOLE.paste((0, 0, 0, 0), (16, 16, 48, 48))


@pytest.mark.parametrize(
    ("files", "mode"),
    [
        ({"image": WHOLE}, Mode.IMAGE),
        ({"image": HOLE}, Mode.INPAINTING),
        ({"image": WHOLE, "mask": HOLE}, Mode.INPAINTING),
    ],
)
async def test_edit__with_and_without_a_mask__what_is_transparent_is_drawn_anew(client, files, mode):
    files = {name: file(image) for name, image in files.items()}
    answer = await client.images.edit(prompt="a worm", n=2, size="64x64", input_fidelity="high", **files)
    asked = [receipt_in(base64.b64decode(one.b64_json)).assignment.parameters for one in answer.data]
    assert [one.mode for one in asked] == [mode] * 2
    hole = Image.new("RGB", (64, 64))
    hole.paste("white", (16, 16, 48, 48))
    assert asked[0].mask_hash == (input_hash(packed(hole)) if mode is Mode.INPAINTING else bytes(32))


async def test_edit__streamed__events_of_edits(client):
    stream = await client.images.edit(prompt="a worm", image=[file(WHOLE)], stream=True, partial_images=1)
    assert [event.type async for event in stream] == ["image_edit.partial_image", "image_edit.completed"]


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"image": ("apple.png", b"no picture", "image/png")}, "image"),
        ({"image": [file(WHOLE), file(WHOLE)]}, "image"),
        ({"mask": file(WHOLE)}, "mask"),
        ({"mask": file(Image.new("RGBA", (32, 32)))}, "mask"),
        ({"n": 9}, "n"),
        ({"size": "large"}, "size"),
        ({"extra_body": {"colour": "red"}}, "colour"),
    ],
)
async def test_edit__wrong__is_told_in_their_shape(client, wanted, param):
    with pytest.raises(openai.BadRequestError) as refused:
        await client.images.edit(**{"prompt": "a worm", "image": file(WHOLE), **wanted})
    assert refused.value.param == param


async def test_edit__form_of_a_page_elsewhere__is_refused_and_of_its_own_is_not(coordinator):
    address = f"{coordinator.origin}/v1/images/edits"
    async with aiohttp.ClientSession() as session:
        for origin, status in (("https://elsewhere.example", 403), (coordinator.origin, 200)):
            form = aiohttp.FormData()
            form.add_field("prompt", "a worm")
            form.add_field("image", file(WHOLE)[1], filename="apple.png", content_type="image/png")
            answer = await session.post(address, data=form, headers={"Origin": origin})
            assert answer.status == status
        assert (await session.post(address, json={"prompt": "a worm"})).status == 415
        for kind, data in (
            ("multipart/form-data", b"--x"),
            (
                "multipart/form-data; boundary=x",
                b'--x\r\nContent-Disposition: form-data; name="a\x0f"\r\n\r\n1\r\n--x--',
            ),
            ("multipart/form-data; boundary=x", b"--x\r\nnothing"),
            (
                "multipart/form-data; boundary=x",
                b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--',
            ),
        ):
            broken = await session.post(address, data=data, headers={"Content-Type": kind})
            assert broken.status == 400


async def test_javascript__their_package__works_unchanged(coordinator):
    process = await asyncio.to_thread(
        subprocess.run,
        [NODE, JS / "images.mjs", f"{coordinator.origin}/v1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    said = json.loads(process.stdout)
    assert said["picture"].startswith("iVBORw0KGgo")
    assert said["events"][-1] == "image_generation.completed"
    assert said["refused"] == {"status": 400, "param": "size", "code": "invalid_value"}
    assert said["models"] == [MODEL.name]
    assert said["edited"].startswith("iVBORw0KGgo")


def example(language, call, origin):
    """Find the code of docs/apps.md that makes a call."""
    text = (ROOT / "docs" / "apps.md").read_text()
    (code,) = [block for block in text.split(f"```{language}\n")[1:] if call in block.split("```")[0]]
    return code.split("```")[0].replace("http://127.0.0.1:8080", origin)


async def run_code(command, folder):
    process = await asyncio.to_thread(
        subprocess.run, command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


async def test_documents__examples_in_python__run_as_they_stand(coordinator, tmp_path):
    for call in ("images.generate", "images.edit"):
        await run_code([sys.executable, "-c", example("python", call, coordinator.origin)], tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["apple-0.png", "apple-1.png", "green.png"]


async def test_documents__example_in_javascript__runs_as_it_stands(coordinator):
    code = example("javascript", "images.generate", coordinator.origin)
    said = await run_code([NODE, "--input-type=module", "-e", code], JS)
    assert said.split()[-2] == "image_generation.completed"
