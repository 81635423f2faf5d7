"""Reports and takedowns over real HTTP, with the command line beside the running coordinator."""

import asyncio
import json
import secrets

import aiohttp
import openai
import pytest
from click.testing import CliRunner

from cuckoo.cli.main import cli
from cuckoo.domain.errors import NotFound, PeerFault
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol.messages import TaskRequest
from cuckoo.storage import reports as book_of
from tests.support.coordinating import ScriptedMiner, app, running


class Place:
    """What the commands read of a network file."""

    name = "devnet"
    is_devnet = True


@pytest.fixture(autouse=True)
def devnet(monkeypatch):
    monkeypatch.setattr("cuckoo.chain.deployment.read_network", lambda _: Place())


@pytest.fixture
async def coordinator(tmp_path):
    async with running(tmp_path / "devnet" / "coordinator-1") as found:
        work = asyncio.create_task(found.takedowns.run())
        yield found
        work.cancel()
        await asyncio.wait({work})


async def made(coordinator, miner_id=2, prompt="a red apple"):
    """Have a picture made; returns the task and the bytes on disk."""
    miner = ScriptedMiner(coordinator, miner_id)
    await miner.sign_in()
    async with app(coordinator) as api:
        task = (await api.submit(TaskRequest(prompt=prompt))).task_id
        await miner.serve_one()
        stored = await coordinator.store.tasks.get(task)
        content = await coordinator.store.blobs.get(stored.pictures[0])
    await miner.client.close()
    return task, content


async def command(tmp_path, *arguments, code=0):
    """Run a command beside the coordinator; returns its JSON, or what it says."""
    asked = ["coordinator", *arguments, "--data-dir", str(tmp_path)]
    done = await asyncio.to_thread(CliRunner().invoke, cli, asked, standalone_mode=False)
    if code:
        assert done.exception is not None
        return str(done.exception)
    assert done.exception is None, done.exception
    return json.loads(done.stdout) if done.stdout.startswith("{") else done.stderr


async def report(coordinator, task, **body):
    """Report a task; returns (status, answer)."""
    url = f"{coordinator.origin}/v1/tasks/{task}/reports"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        return answer.status, await answer.json()


def on_disk(folder, content):
    """Tell whether bytes stand anywhere in the coordinator's segments."""
    return any(content[64:] in file.read_bytes() for file in (folder / "devnet" / "coordinator-1" / "blobs").iterdir())


async def test_takedown__reported_picture__gone_from_disk_and_from_every_door_for_good(coordinator, tmp_path):
    task, content = await made(coordinator)
    assert await report(coordinator, task, reason="that is me", contact="me@example.org") == (201, {"report": 1})
    assert await report(coordinator, task, reason="that is me", contact="me@example.org") == (201, {"report": 1})
    (shown,) = (await command(tmp_path, "reports", "list", "--json"))["reports"]
    assert (shown["task"], shown["reason"], shown["contact"], shown["closed"]) == (
        task,
        "that is me",
        "me@example.org",
        None,
    )
    assert on_disk(tmp_path, content)
    done = await command(tmp_path, "takedown", task, "--reason", "a person asked", "--json")
    assert done == {"task": task, "done": True, "pictures": 1}
    assert not on_disk(tmp_path, content)
    async with app(coordinator) as api:
        with pytest.raises(PeerFault, match="taken down by the operator") as refused:
            await api.picture(task, 0)
        assert refused.value.code == "taken_down"
        assert (await api.get(task)).status == "done"
    async with aiohttp.ClientSession() as session:
        assert (await session.get(f"{coordinator.origin}/v1/tasks/{task}/pictures/0.png")).status == 451
    assert (await command(tmp_path, "reports", "list", "--json"))["reports"] == []
    (closed,) = (await command(tmp_path, "reports", "list", "--all", "--json"))["reports"]
    assert closed["outcome"] == "taken down"
    # The same pixels made again are not kept either.
    again = (await coordinator.store.writer.execute(coordinator.store.blobs.put(content)),)
    assert not on_disk(tmp_path, content)
    with pytest.raises(PeerFault, match="taken down"):
        await coordinator.store.blobs.get(again[0])


async def test_takedown__link_of_openai_s_api__is_451_in_their_shape(coordinator, tmp_path):
    miner = ScriptedMiner(coordinator)
    await miner.sign_in()
    async with openai.AsyncOpenAI(base_url=f"{coordinator.origin}/v1", api_key="x", max_retries=0) as client:
        asked = asyncio.create_task(client.images.generate(prompt="a pear", response_format="url"))
        task = (await miner.serve_one()).task_id
        url = (await asked).data[0].url
    await command(tmp_path, "takedown", task, "--reason", "x", "--json")
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (451, "taken_down")
    await miner.client.close()


async def test_takedown__open_task__is_taken_back(coordinator, tmp_path):
    async with app(coordinator) as api:
        task = (await api.submit(TaskRequest(prompt="a red apple"))).task_id
        done = await command(tmp_path, "takedown", task, "--reason", "x", "--json")
        assert done == {"task": task, "done": True, "pictures": 0}
        assert (await api.get(task)).status == "cancelled"


async def test_takedown__coordinator_not_running__carried_out_when_it_runs_again(tmp_path):
    folder = tmp_path / "devnet" / "coordinator-1"
    async with running(folder) as coordinator:
        task, content = await made(coordinator)
    done = await command(tmp_path, "takedown", task, "--reason", "x", "--json")
    assert done["done"] is False
    assert on_disk(tmp_path, content)
    async with running(folder) as coordinator:
        await coordinator.takedowns.look()
        assert not on_disk(tmp_path, content)


async def test_report__bad_input__named_and_bounded(coordinator, monkeypatch):
    task, _ = await made(coordinator)
    for body, field in (({"reason": " "}, "reason"), ({"reason": "x", "contact": "y" * 201}, "contact")):
        status, said = await report(coordinator, task, **body)
        assert (status, said["field"]) == (422, field)
    assert (await report(coordinator, secrets.token_hex(16), reason="x"))[0] == 404
    monkeypatch.setattr(book_of, "OF_TASK_MAX", 2)
    assert [(await report(coordinator, task, reason=str(number)))[0] for number in range(3)] == [201, 201, 429]


async def test_commands__nothing_there__say_so(coordinator, tmp_path):
    assert "no report is open" in await command(tmp_path, "reports", "list")
    assert "no such report" in await command(tmp_path, "reports", "close", "7", "--outcome", "x", code=1)
    assert "32" in await command(tmp_path, "takedown", "no-task", "--reason", "x", code=1)
    done = await command(tmp_path, "takedown", secrets.token_hex(16), "--reason", "x", "--json")
    assert (done["done"], done["pictures"]) == (True, 0)
    with pytest.raises(NotFound):
        await coordinator.store.tasks.get(TaskId(done["task"]))
