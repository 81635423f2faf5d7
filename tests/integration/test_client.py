"""The clients that apps import, and the examples of their page, against a coordinator that serves."""

import asyncio
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cuckoo.client import (
    AsyncCuckoo,
    Cuckoo,
    EventKind,
    InvalidField,
    SignatureInvalid,
    TaskFailed,
    TaskRequest,
    Wishes,
)
from cuckoo.client.app import AppClient
from cuckoo.domain.errors import CoordinatorUnreachable
from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.png import receipt_in
from tests.support.coordinating import png, running
from tests.support.working import working

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client.md"


@pytest.fixture
async def coordinator(tmp_path):
    async with running(tmp_path / "coordinator") as coordinator:
        yield coordinator


async def test_cuckoo__generates__pictures_with_the_checked_receipt_inside(coordinator, tmp_path):
    def program():
        seen = []
        with Cuckoo(coordinator.origin) as cuckoo:
            made = cuckoo.generate("a red apple", seed=7, listener=seen.append)
            again = cuckoo.generate("a red apple", seed=7)
        return made, [made.save(tmp_path / "apple.png"), again.save(tmp_path / "apple.png")], seen

    async with working(coordinator):
        made, files, seen = await asyncio.to_thread(program)
    assert files == [[tmp_path / "apple.png"], [tmp_path / "apple-2.png"]]
    assert receipt_in(files[0][0].read_bytes()) == made.receipt
    assert (made.pictures[0].seed, made.attempt.odds, made.task.status) == (7, 1.0, TaskStatus.DONE)
    assert [event.kind for event in seen if event.kind is not EventKind.QUEUED][-1] is EventKind.DONE


async def test_cuckoo__submits_several_and_follows__events_and_pictures_come(coordinator):
    def program():
        with Cuckoo(coordinator.origin) as cuckoo:
            tasks = cuckoo.submit_all(["a pear", TaskRequest(prompt="a fig")], idempotency_key="k")
            events = [event.kind for event in cuckoo.events(tasks[0])]
            first = next(iter(cuckoo.events(tasks[1].task_id)))
            made = [cuckoo.wait(task) for task in tasks]
            return tasks, events, first, made, cuckoo.get(tasks[0]), cuckoo.models(), cuckoo.network()

    async with working(coordinator):
        tasks, events, first, made, view, models, network = await asyncio.to_thread(program)
    assert events[-1] is EventKind.DONE
    assert first.task_id == tasks[1].task_id
    assert [one.task.parameters.prompt for one in made] == ["a pear", "a fig"]
    assert (view.status, models[0].id, network.chain_id) == (TaskStatus.DONE, "tiny", 31_337)


async def test_cuckoo__refusals__are_the_packages_own_errors(coordinator):
    async with AsyncCuckoo(coordinator.origin) as cuckoo:
        with pytest.raises(InvalidField, match="width_px"):
            await cuckoo.submit("a pear", width_px=63)
        with pytest.raises(TypeError, match="colour"):
            await cuckoo.submit("a pear", colour="red")
        with pytest.raises(TypeError, match="whole"):
            await cuckoo.submit(TaskRequest(prompt="a pear"), steps=3)
        async with working(coordinator, fails=True):
            with pytest.raises(TaskFailed, match="no room"):
                await cuckoo.generate("a pear")
    async with AsyncCuckoo("http://127.0.0.1:1") as cuckoo:
        with pytest.raises(CoordinatorUnreachable):
            await cuckoo.generate("a pear")


async def test_cuckoo__cancelled_while_it_waits__so_is_the_task(coordinator):
    tasks = coordinator.dispatch.engine.tasks
    async with AsyncCuckoo(coordinator.origin) as cuckoo:
        waiting = asyncio.create_task(cuckoo.generate("a pear"))
        async with asyncio.timeout(10):
            while not list(coordinator.dispatch.engine.watchers):  # noqa: ASYNC110 - it comes over HTTP
                await asyncio.sleep(0.005)
        waiting.cancel()
        await asyncio.wait({waiting})
    assert len(tasks) == 0


async def test_cuckoo__submitted_and_cancelled__says_so_and_closing_twice_is_allowed(coordinator):
    def program():
        cuckoo = Cuckoo(coordinator.origin)
        view = cuckoo.cancel(cuckoo.submit("a pear"))
        with pytest.raises(TaskFailed, match="cancelled"):
            cuckoo.wait(view)
        cuckoo.close()
        cuckoo.close()
        return view

    assert (await asyncio.to_thread(program)).status is TaskStatus.CANCELLED
    assert not any(thread.name == "cuckoo client" for thread in threading.enumerate())


async def test_cuckoo__picture_with_other_pixels_or_another_receipt__is_refused(coordinator, monkeypatch):
    async with working(coordinator), AsyncCuckoo(coordinator.origin) as cuckoo:
        first, second = await cuckoo.generate("a pear"), await cuckoo.generate("a fig")

        async def planted(_self, _task, _index):
            return given

        monkeypatch.setattr(AppClient, "picture", planted)
        given = second.pictures[0].png
        with pytest.raises(SignatureInvalid, match="another one"):
            await cuckoo.wait(first.task)
        given = png(colour=(1, 2, 3))[0]
        with pytest.raises(SignatureInvalid, match="other pictures"):
            await cuckoo.wait(first.task)


def test_wishes__are_fields_of_a_request():
    assert set(Wishes.__annotations__) <= set(TaskRequest.__struct_fields__) - {"prompt"}


def test_client__imported__brings_no_torch_no_web3_no_server():
    program = (
        "import sys, cuckoo.client; "
        "print([name for name in ('torch', 'web3', 'aiohttp.web', 'cuckoo.web', 'cuckoo.chain') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("number", range(6))
async def test_page__examples__run(coordinator, tmp_path, monkeypatch, number):
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(blocks[number].replace("http://127.0.0.1:8080", coordinator.origin), encoding="utf-8")
    async with working(coordinator):
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
