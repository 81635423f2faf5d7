"""What people report, and what the operator takes down: gone from disk, refused at every door, also after a restart."""

import asyncio
import json
import zlib
from contextlib import asynccontextmanager

import aiohttp
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from cuckoo.cli.main import cli
from cuckoo.client.coordinator import CoordinatorClient
from cuckoo.domain.errors import InvalidField, LimitReached, Overloaded, TakenDown
from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.messages import ReportRequest, TaskRequest
from cuckoo.protocol.signing import Signer
from cuckoo.services import moderation
from cuckoo.services.disputing.passes import sign_pass
from cuckoo.services.moderation import Reports
from cuckoo.services.retention import Retention
from cuckoo.storage import reports as book_module
from cuckoo.storage.accusations import AccusationState, NewAccusation
from cuckoo.storage.backup import backup, restore
from cuckoo.storage.reports import open_reports
from tests.support.coordinating import HASHER, SETTINGS, ScriptedMiner, ShiftedClock, app, png, running

APPLE = TaskRequest(prompt="a red apple", seed=7)


@asynccontextmanager
async def at_work(folder, **how):
    async with running(folder, **how) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        async with app(coordinator) as client:
            yield coordinator, miner, client
        await miner.client.close()


async def drawn(miner, client, **result):
    """Have a picture drawn; returns its task, and what lies on disk."""
    task = await client.submit(APPLE)
    assignment = (await miner.poll()).assignment
    upload = miner.result(assignment, **result)
    await miner.submit(assignment, upload)
    return task.task_id, upload.pictures[0], upload.receipt.picture_hashes[0]


def on_disk(folder, content):
    return any(content in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def with_text(file, text):
    """Return another PNG file of the same pixels."""
    chunk = b"tEXta\x00" + text
    return file[:-12] + (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + file[-12:]


async def ordered(coordinator, folder, target):
    """Do what the command line does, and wait for the coordinator to have done its part."""
    with open_reports(folder) as book:
        number = book.order(target, "abuse", 1_000.0)
        await coordinator.takedowns.look()
        return next(one for one in book.takedowns() if one.takedown_id == number)


@pytest.mark.parametrize("by", ["task", "pixels", "file"])
async def test_takedown__of_a_picture__is_off_the_disk_and_refused_after_a_restart_and_a_restore(tmp_path, by):
    folder = tmp_path / "coordinator-1"
    async with at_work(folder) as (coordinator, miner, client):
        task_id, file, pixels = await drawn(miner, client)
        other, kept, _ = await drawn(miner, client, pictures=[png(colour=(1, 2, 3))])
        (digest,) = (await coordinator.store.tasks.get(task_id)).pictures
        assert on_disk(folder, file)
        target = {"task": task_id, "pixels": pixels.hex(), "file": digest.hex()}[by]
        done = await ordered(coordinator, folder, target)
        assert (done.pictures, done.withheld) == (1, 0)
        assert not on_disk(folder, file)
        with pytest.raises(TakenDown, match="has taken it down"):
            await client.picture(task_id, 0)
        assert await client.picture(other, 0)
        assert on_disk(folder, kept)
        assert (await client.receipt(task_id)).receipt.picture_hashes == (pixels,)
        await asyncio.to_thread(backup, folder, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "again" / "coordinator-1")
    for place in (folder, tmp_path / "again" / "coordinator-1"):
        async with at_work(place) as (_, miner, client):
            with pytest.raises(TakenDown):
                await client.picture(task_id, 0)
            again, file, _ = await drawn(miner, client)
            with pytest.raises(TakenDown):
                await client.picture(again, 0)
            assert not on_disk(place, file)


async def test_takedown__same_pixels_in_another_file__are_refused_too(tmp_path):
    async with at_work(tmp_path) as (coordinator, miner, client):
        task_id, _, pixels = await drawn(miner, client)
        file, same = png(colour=(0, 90, 180))
        longer, longest = with_text(file, b"bc"), with_text(file, b"bcd")
        assert same == pixels
        other, _, _ = await drawn(miner, client, pictures=[(longer, pixels)])
        assert (await ordered(coordinator, tmp_path, task_id)).pictures == 2
        later, _, _ = await drawn(miner, client, pictures=[(longest, pixels)])
        for one in (task_id, other, later):
            with pytest.raises(TakenDown):
                await client.picture(one, 0)
        assert not on_disk(tmp_path, longer)


async def test_takedown__every_door__answers_451_in_its_own_shape(tmp_path):
    async with at_work(tmp_path) as (coordinator, miner, client), aiohttp.ClientSession(coordinator.origin) as raw:
        task_id, _, _ = await drawn(miner, client)
        asked = asyncio.create_task(
            raw.post("/v1/images/generations", json={"prompt": "an apple", "response_format": "url"})
        )
        await miner.serve_one()
        link = (await (await asked).json())["data"][0]["url"]
        await ordered(coordinator, tmp_path, task_id)
        async with raw.get(f"/v1/tasks/{task_id}/pictures/0.png") as response:
            assert (response.status, (await response.json())["code"]) == (451, "taken_down")
        async with raw.get(link) as response:
            told = (await response.json())["error"]
            assert (response.status, told["code"], told["type"]) == (451, "taken_down", "invalid_request_error")
        asked = asyncio.create_task(raw.post("/sdapi/v1/txt2img", json={"prompt": "an apple", "steps": 4}))
        await miner.serve_one()
        response = await asked
        assert (response.status, (await response.json())["error"]) == (451, "taken_down")


async def test_takedown__of_an_open_task__takes_it_back(tmp_path):
    async with at_work(tmp_path) as (coordinator, miner, client):
        task = await client.submit(APPLE)
        assignment = (await miner.poll()).assignment
        await ordered(coordinator, tmp_path, task.task_id)
        assert (await client.get(task.task_id)).status is TaskStatus.CANCELLED
        assert (await miner.progress(assignment, 1)).cancelled


async def test_takedown__ordered_while_it_is_down__is_done_before_anybody_is_served(tmp_path):
    async with at_work(tmp_path) as (_, miner, client):
        task_id, file, _ = await drawn(miner, client)
    with open_reports(tmp_path) as book:
        book.order(task_id, "abuse", 1_000.0)
    async with at_work(tmp_path) as (_, _, client):
        with pytest.raises(TakenDown):
            await client.picture(task_id, 0)
        assert not on_disk(tmp_path, file)


class Running:
    """A docket on which every dispute runs."""

    running = range(1_000)


async def test_takedown__of_disputed_evidence__is_for_jurors_alone_until_the_dispute_is_over(tmp_path):
    async with at_work(tmp_path, docket=Running()) as (coordinator, miner, client):
        task_id, file, _ = await drawn(miner, client)
        stored = await coordinator.store.tasks.get(task_id)
        accusations, write = coordinator.store.accusations, coordinator.store.writer.execute
        accusation = NewAccusation.of(stored.attempts[0], stored.pictures, 1_000.0)
        await write(accusations.record(accusation))
        await write(accusations.opened(accusation.assignment_hash, 7))
        digest = stored.pictures[0]
        assert await miner.client.evidence_picture(7, digest) == file
        done = await ordered(coordinator, tmp_path, task_id)
        assert (done.pictures, done.withheld) == (1, 1)
        for ask in (client.picture(task_id, 0), miner.client.evidence_picture(7, digest)):
            with pytest.raises(TakenDown):
                await ask

        async def seen_by(dispute=7, node=miner.node_id, key=miner.key, at=None):
            at = at or coordinator.clock.now()
            juror = CoordinatorClient(
                coordinator.origin, passes=lambda _, digest: sign_pass(key, HASHER, node, dispute, digest, at)
            )
            try:
                return await juror.evidence_picture(7, digest)
            finally:
                await juror.close()

        assert await seen_by() == file
        for wrong in ({"dispute": 8}, {"node": 9}, {"node": 1}, {"key": Signer(b"\x09" * 32)}, {"at": 1_000.0}):
            with pytest.raises(TakenDown):
                await seen_by(**wrong)
        coordinator.clock.ahead_s += 7_200
        await Retention(coordinator.store, days=0, draw_period_s=10, clock=coordinator.clock).clean()
        assert await seen_by() == file
        await write(accusations.close(accusation.assignment_hash, AccusationState.CONVICTED, "over"))
        await coordinator.takedowns.look()
        assert not on_disk(tmp_path, file)
        with pytest.raises(TakenDown):
            await seen_by()


# Reports.


async def test_report__from_anybody__is_kept_and_closed_by_a_takedown(tmp_path):
    async with (
        at_work(tmp_path, open_access=False) as (coordinator, _, _),
        aiohttp.ClientSession(coordinator.origin) as raw,
    ):
        for target in ("ab" * 16, "cd" * 32):
            body = {"target": target, "reason": " shows a person ", "contact": "me@example.org"}
            async with raw.post("/v1/reports", json=body) as response:
                assert response.status == 201
    with open_reports(tmp_path) as book:
        first, second = book.reports()
        assert (first.report_id, first.target, first.reason) == (1, "ab" * 16, "shows a person")
        book.order(first.target, "yes", 2_000.0)
        assert book.reports() == [second]
        assert len(book.reports(closed=True)) == 2


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("target", {"target": "nonsense", "reason": "x"}),
        ("reason", {"target": "ab" * 16, "reason": " "}),
        ("reason", {"target": "ab" * 16, "reason": "x" * 2_001}),
        ("contact", {"target": "ab" * 16, "reason": "x", "contact": "x" * 201}),
    ],
)
async def test_report__without_sense__is_refused(tmp_path, field, body):
    with open_reports(tmp_path) as book, pytest.raises(InvalidField) as refused:
        await Reports(book, clock=ShiftedClock()).take(ReportRequest(**body), "192.0.2.1")
    assert refused.value.field == field


async def test_report__too_many_from_one_address__waits_while_others_come_through(tmp_path):
    clock = ShiftedClock()
    clock.monotonic = lambda: clock.ahead_s
    one = ReportRequest(target="ab" * 16, reason="x")
    with open_reports(tmp_path) as book:
        reports = Reports(book, clock=clock)
        for _ in range(moderation.AT_ONCE):
            await reports.take(one, "192.0.2.1")
        with pytest.raises(LimitReached) as refused:
            await reports.take(one, "192.0.2.1")
        await reports.take(one, "192.0.2.2")
        clock.ahead_s += refused.value.retry_after_s + 0.001
        await reports.take(one, "192.0.2.1")


async def test_report__more_than_are_kept__is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(book_module, "OPEN_MAX", 1)
    one = ReportRequest(target="ab" * 16, reason="x")
    with open_reports(tmp_path) as book:
        reports = Reports(book, clock=ShiftedClock())
        await reports.take(one, "192.0.2.1")
        with pytest.raises(Overloaded, match="1 wait for the operator"):
            await reports.take(one, "192.0.2.2")


@pytest.mark.parametrize(
    ("trusted", "statuses"), [((), [201] * 5 + [429]), (("127.0.0.1",), [201] * 6)], ids=["stranger", "proxy"]
)
async def test_report__through_a_proxy__is_counted_by_who_sends_it_where_the_proxy_is_trusted(
    tmp_path, trusted, statuses
):
    settings = replace(SETTINGS, trusted_proxies=trusted)
    async with running(tmp_path, settings=settings) as coordinator, aiohttp.ClientSession(coordinator.origin) as raw:
        found = []
        for number in range(6):
            headers = {"X-Forwarded-For": f"203.0.113.9, 198.51.100.{number}"}
            async with raw.post("/v1/reports", json={"target": "ab" * 16, "reason": "x"}, headers=headers) as response:
                found.append(response.status)
        assert found == statuses


# The command line.


class Place:
    """What the commands read of a network file."""

    name = "devnet"
    is_devnet = True


@pytest.fixture
def cuckoo(tmp_path, monkeypatch):
    monkeypatch.setattr("cuckoo.chain.deployment.read_network", lambda _: Place())
    runner = CliRunner()

    def run(*words):
        return runner.invoke(cli, ["coordinator", *words, "--data-dir", str(tmp_path)])

    return run


async def test_command__while_the_coordinator_runs__comes_back_when_it_is_done(tmp_path, cuckoo):
    folder = tmp_path / "devnet" / "coordinator-1"
    async with at_work(folder) as (coordinator, miner, client):
        task_id, file, _ = await drawn(miner, client)
        running_takedowns = asyncio.create_task(coordinator.takedowns.run())
        done = await asyncio.to_thread(cuckoo, "takedown", task_id, "--reason", "abuse", "--json")
        running_takedowns.cancel()
        assert (done.exit_code, json.loads(done.stdout)["pictures"]) == (0, 1), done.output
        assert not on_disk(folder, file)
        with pytest.raises(TakenDown):
            await client.picture(task_id, 0)


async def test_command__while_nothing_runs__does_it_itself(tmp_path, cuckoo):
    folder = tmp_path / "devnet" / "coordinator-1"
    async with at_work(folder) as (_, miner, client):
        task_id, file, _ = await drawn(miner, client)
        waiting = await client.submit(TaskRequest(prompt="a pear"))
    with open_reports(folder) as book:
        book.report(task_id, "abuse\x1b[2J", "", 1_000.0)
    listed = await asyncio.to_thread(cuckoo, "reports", "list")
    assert "abuse [2J" in listed.stdout
    for task in (task_id, waiting.task_id):
        done = await asyncio.to_thread(cuckoo, "takedown", task, "--reason", "abuse")
        assert done.exit_code == 0, done.output
    assert not on_disk(folder, file)
    assert "no report waits" in (await asyncio.to_thread(cuckoo, "reports", "list")).output
    listed = json.loads((await asyncio.to_thread(cuckoo, "takedowns", "--json")).stdout)["takedowns"]
    assert [(one["target"], one["pictures"]) for one in listed] == [(task_id, 1), (waiting.task_id, 0)]
    async with at_work(folder) as (_, _, client):
        assert (await client.get(waiting.task_id)).status is TaskStatus.CANCELLED


def test_command__that_names_nothing__says_what_to_give(tmp_path, cuckoo):
    (tmp_path / "devnet" / "coordinator-1").mkdir(parents=True)
    refused = cuckoo("takedown", "nonsense", "--reason", "x")
    assert refused.exit_code == 2
    assert "the id of a task" in refused.output
    assert cuckoo("reports", "close", "7").exit_code == 2
