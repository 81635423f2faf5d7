"""Who may ask a coordinator for pictures, for how many, and who sees them."""

import asyncio
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from msgspec.structs import replace

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import Conflict, KeyRefused, LimitReached, NotFound, Overloaded
from cuckoo.domain.pricing import Rates, part_of, price_of
from cuckoo.protocol.messages import BatchRequest, TaskRequest
from cuckoo.protocol.views import EventKind, TaskEvent
from cuckoo.services.dispatch import apps
from cuckoo.storage.keys import Limits, open_keys
from cuckoo.storage.ledger import OWED
from cuckoo.storage.usage import Usage, read_usage
from cuckoo.web.server import listen, serving
from cuckoo.web.streaming import stream_events
from tests.support.coordinating import SETTINGS, ScriptedMiner, ShiftedClock, app, running

APPLE = TaskRequest(prompt="a red apple", seed=7)
RATES = Rates(Wei(100 * CAI))
PRICE = price_of(64 * 64 * 4, RATES.default)


class Keys:
    """What the command line does, in another connection."""

    def __init__(self, folder, coordinator):
        self.folder = folder
        self.coordinator = coordinator
        self.ids = {}

    async def create(self, name, **limits):
        with open_keys(self.folder) as book:
            secret, key = book.create(name, Limits(**limits), 1_000.0)
        self.ids[name] = key.key_id
        await self.coordinator.keys.refresh()
        return secret

    async def revoke(self, name):
        with open_keys(self.folder) as book:
            book.revoke(name, 2_000.0)
        await self.coordinator.keys.refresh()

    async def usage(self, name):
        return (await self.coordinator.store.reader.execute(read_usage())).get(self.ids[name], Usage())


@asynccontextmanager
async def closed(folder: Path, **how):
    async with running(folder, open_access=False, **how) as coordinator:
        yield coordinator, Keys(folder, coordinator)


async def test_app__without_a_key__is_told_what_to_do(tmp_path):
    async with closed(tmp_path) as (coordinator, _), aiohttp.ClientSession(coordinator.origin) as raw:
        task = "0" * 32
        for method, path in (
            ("POST", "/v1/tasks"),
            ("GET", f"/v1/tasks/{task}"),
            ("DELETE", f"/v1/tasks/{task}"),
            ("GET", f"/v1/tasks/{task}/events"),
            ("GET", f"/v1/tasks/{task}/pictures/0.png"),
            ("GET", f"/v1/tasks/{task}/receipt"),
        ):
            async with raw.request(method, path, json={"prompt": "x"}) as response:
                told = await response.json()
            assert (response.status, told["code"]) == (401, "key_refused")
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert "Authorization: Bearer KEY" in told["message"]
            assert "cuckoo coordinator keys create" in told["message"]
        for path in ("/v1/models", "/v1/network", "/v1/miners", "/healthz", "/readyz", "/metrics", "/openapi.json"):
            async with raw.get(path) as response:
                assert response.status == 200


@pytest.mark.parametrize("header", ["Basic cGV0ZXI6", "Bearer", "Bearer cuckoo_nothing", "cuckoo_x", "Bearer \u00e9"])
@pytest.mark.parametrize("open_access", [True, False])
async def test_app__with_a_wrong_key__is_refused_even_where_none_is_needed(tmp_path, header, open_access):
    async with (
        running(tmp_path, open_access=open_access) as coordinator,
        aiohttp.ClientSession(coordinator.origin) as raw,
        raw.post("/v1/tasks", json={"prompt": "x"}, headers={"Authorization": header}) as response,
    ):
        assert (response.status, (await response.json())["code"]) == (401, "key_refused")


async def test_key__made_and_revoked_while_it_runs__counts_without_a_restart(tmp_path):
    async with closed(tmp_path) as (coordinator, keys):
        secret = await keys.create("shop")
        async with app(coordinator, secret) as client:
            assert (await client.submit(APPLE)).status == "queued"
            await keys.revoke("shop")
            with pytest.raises(KeyRefused, match='"shop" was revoked'):
                await client.submit(APPLE)


async def test_task__of_another_key__is_not_there(tmp_path):
    async with closed(tmp_path) as (coordinator, keys):
        mine, other = await keys.create("mine"), await keys.create("other")
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        async with app(coordinator, mine) as owner, app(coordinator, other) as stranger:
            waiting = await owner.submit(APPLE)
            with pytest.raises(NotFound) as live:
                await stranger.get(waiting.task_id)
            await miner.serve_one()
            done = await owner.get(waiting.task_id)
            assert done.status == "done"
            nowhere = "f" * 32
            for task_id in (done.task_id, nowhere):
                calls = (
                    stranger.get(task_id),
                    stranger.cancel(task_id),
                    stranger.picture(task_id, 0),
                    stranger.receipt(task_id),
                    anext(aiter(stranger.events(task_id))),
                )
                for call in calls:
                    with pytest.raises(NotFound) as refused:
                        await call
                    assert str(refused.value).replace(task_id, "ID") == str(live.value).replace(done.task_id, "ID")
            assert await owner.picture(done.task_id, 0)
            assert (await owner.receipt(done.task_id)).receipt
            assert [event.kind async for event in owner.events(done.task_id)] == [EventKind.DONE]
        await miner.client.close()


async def test_task__cancelled_by_a_stranger__goes_on(tmp_path):
    async with closed(tmp_path) as (coordinator, keys):
        mine, other = await keys.create("mine"), await keys.create("other")
        async with app(coordinator, mine) as owner, app(coordinator, other) as stranger:
            task = await owner.submit(APPLE)
            with pytest.raises(NotFound):
                await stranger.cancel(task.task_id)
            assert (await owner.get(task.task_id)).status == "queued"
            assert (await owner.cancel(task.task_id)).status == "cancelled"


async def test_idempotency_key__of_two_owners__makes_two_tasks(tmp_path):
    async with closed(tmp_path) as (coordinator, keys):
        secrets = [await keys.create("one"), await keys.create("two")]
        async with app(coordinator, secrets[0]) as first, app(coordinator, secrets[1]) as second:
            task = await first.submit(APPLE, idempotency_key="order 1")
            assert (await first.submit(APPLE, idempotency_key="order 1")).task_id == task.task_id
            assert (await second.submit(APPLE, idempotency_key="order 1")).task_id != task.task_id
            with pytest.raises(Conflict):
                await second.submit(replace(APPLE, seed=8), idempotency_key="order 1")


async def test_limit__requests_a_minute__come_back_evenly(tmp_path):
    clock = ShiftedClock()
    async with closed(tmp_path, clock=clock) as (coordinator, keys):
        clock.monotonic = lambda: clock.ahead_s
        secret = await keys.create("shop", requests_per_minute=6)
        async with app(coordinator, secret) as client:
            task = await client.submit(APPLE)
            for _ in range(5):
                await client.get(task.task_id)
            with pytest.raises(LimitReached, match="6 times a minute") as refused:
                await client.get(task.task_id)
            assert refused.value.retry_after_s == pytest.approx(10)
            clock.ahead_s += 9.9
            with pytest.raises(LimitReached):
                await client.get(task.task_id)
            clock.ahead_s += 0.2
            assert (await client.get(task.task_id)).status == "queued"


async def test_limit__open_tasks__is_free_again_when_one_is_over(tmp_path):
    async with closed(tmp_path) as (coordinator, keys):
        secret, other = await keys.create("shop", open_tasks=2), await keys.create("other")
        async with app(coordinator, secret) as client, app(coordinator, other) as neighbour:
            asked = await asyncio.gather(*(client.submit(APPLE) for _ in range(5)), return_exceptions=True)
            taken = [one for one in asked if not isinstance(one, Exception)]
            assert len(taken) == 2
            assert {type(one) for one in asked if isinstance(one, Exception)} == {LimitReached}
            assert (await neighbour.submit(APPLE)).status == "queued"
            await client.cancel(taken[0].task_id)
            await client.submit(APPLE)
            with pytest.raises(LimitReached, match="its limit is 2"):
                await client.submit(APPLE)


async def test_limit__open_tasks__a_batch_that_passes_it_is_refused_whole(tmp_path):
    async with closed(tmp_path) as (coordinator, keys):
        secret = await keys.create("shop", open_tasks=2)
        async with app(coordinator, secret) as client:
            with pytest.raises(LimitReached, match="its limit is 2"):
                await client.submit_batch(BatchRequest(tasks=(APPLE,) * 3))
            assert coordinator.dispatch.engine.tasks.queued == 0
            assert len((await client.submit_batch(BatchRequest(tasks=(APPLE,) * 2))).tasks) == 2


async def test_limit__open_tasks__a_repeat_by_idempotency_key_is_counted_once(tmp_path):
    async with closed(tmp_path) as (coordinator, keys):
        secret = await keys.create("shop", open_tasks=2)
        async with app(coordinator, secret) as client:
            for _ in range(3):
                await client.submit(APPLE, idempotency_key="order 1")
            await client.submit(APPLE)


async def test_limit__spend_a_day__counts_open_tasks_and_starts_anew_at_midnight(tmp_path):
    clock = ShiftedClock()
    clock.now = lambda: 1_700_000_000.0 - 1_700_000_000 % 86_400 + 3_600 + clock.ahead_s
    async with closed(tmp_path, rates=RATES, clock=clock) as (coordinator, keys):
        secret = await keys.create("shop", spend_per_day_wei=2 * PRICE + 1)
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        async with app(coordinator, secret) as client:
            for _ in range(2):
                await client.submit(APPLE)
            with pytest.raises(LimitReached, match="held for open tasks") as refused:
                await client.submit(APPLE)
            assert refused.value.retry_after_s < 60, "one of the open ones may come out cheaper"
            for _ in range(2):
                await miner.serve_one()
            assert await keys.usage("shop") == Usage(tasks=2, pictures=2, spent_wei=2 * PRICE)
            with pytest.raises(LimitReached) as refused:
                await client.submit(APPLE)
            assert refused.value.retry_after_s == pytest.approx(82_800, abs=60)
            clock.ahead_s += 82_801
            await client.submit(APPLE)
        await miner.client.close()


async def test_usage__done_cancelled_and_failed_tasks__is_exact_and_outlives_a_restart(tmp_path):
    async with closed(tmp_path, rates=RATES) as (coordinator, keys):
        secret = await keys.create("shop", spend_per_day_wei=3 * PRICE)
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        async with app(coordinator, secret) as client:
            await client.submit(replace(APPLE, pictures=1))
            await miner.serve_one()
            half = await client.submit(APPLE)
            assignment = (await miner.poll()).assignment
            await miner.progress(assignment, 3)
            await client.cancel(half.task_id)
            waiting = await client.submit(APPLE)
            await client.cancel(waiting.task_id)
        spent = PRICE + part_of(PRICE, 3, 4)
        assert await keys.usage("shop") == Usage(tasks=1, pictures=1, spent_wei=spent)
        assert await coordinator.store.ledger.total(OWED) == spent, "it pays what its miner is owed"
        await miner.client.close()
    async with closed(tmp_path, rates=RATES) as (coordinator, _), app(coordinator, secret) as client:
        await client.submit(APPLE)
        with pytest.raises(LimitReached, match="are spent today"):
            await client.submit(APPLE)


async def test_restart__open_tasks_of_a_key__still_count(tmp_path):
    async with closed(tmp_path) as (coordinator, keys):
        secret = await keys.create("shop", open_tasks=1)
        async with app(coordinator, secret) as client:
            await client.submit(APPLE)
    async with closed(tmp_path) as (coordinator, _), app(coordinator, secret) as client:
        with pytest.raises(LimitReached, match="it has 1 open tasks"):
            await client.submit(APPLE)


async def test_queue__filled_by_one_key__the_other_goes_next(tmp_path):
    async with closed(tmp_path) as (coordinator, keys):
        greedy, modest = await keys.create("greedy"), await keys.create("modest")
        miner = ScriptedMiner(coordinator)
        async with app(coordinator, greedy) as many, app(coordinator, modest) as one:
            for _ in range(20):
                last = await many.submit(APPLE)
            mine = await one.submit(APPLE)
            assert (last.position, mine.position) == (19, 1)
            await miner.sign_in()
            served = [(await miner.serve_one()).task_id for _ in range(2)]
            assert mine.task_id in served
        await miner.client.close()


async def test_events__more_streams_than_a_key_may_have__are_refused(tmp_path):
    async with closed(tmp_path, settings=replace(SETTINGS, streams_limit=2)) as (coordinator, keys):
        shop, other = await keys.create("shop", open_tasks=1), await keys.create("other")
        async with (
            app(coordinator, shop) as client,
            app(coordinator, other) as neighbour,
            app(coordinator, other) as third,
        ):
            task, theirs = await client.submit(APPLE), await neighbour.submit(APPLE)
            first, second = aiter(client.events(task.task_id)), aiter(neighbour.events(theirs.task_id))
            assert (await anext(first)).kind is EventKind.QUEUED
            with pytest.raises(LimitReached, match="has 1 event streams open"):
                await anext(aiter(client.events(task.task_id)))
            await anext(second)
            with pytest.raises(Overloaded, match="2 event streams are open") as refused:
                await anext(aiter(third.events(theirs.task_id)))
            assert not isinstance(refused.value, LimitReached)
            await client.cancel(task.task_id)
            assert [event.kind async for event in first] == [EventKind.CANCELLED]
            assert (await anext(aiter(third.events(theirs.task_id)))).kind is EventKind.QUEUED
            await second.aclose()


async def test_reads__more_than_may_wait__are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(apps, "READS_MAX", 0)
    async with running(tmp_path) as coordinator, app(coordinator) as client:
        with pytest.raises(Overloaded, match="reads wait for the disk"):
            await client.get("0" * 32)


async def test_events__a_reader_that_does_not_read__is_dropped(tmp_path):
    left = asyncio.Event()

    async def endless():
        try:
            while True:
                yield TaskEvent(kind=EventKind.PROGRESS, task_id="0" * 32, reason="x" * 65_536)
                await asyncio.sleep(0)
        finally:
            left.set()

    async def handle(request):
        return await stream_events(request, endless(), slow_s=0.05)

    server = web.Application()
    server.router.add_get("/", handle)
    with listen("127.0.0.1", 0) as listener:
        async with serving(server, listener):
            with socket.create_connection(listener.getsockname()) as reader:
                reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                async with asyncio.timeout(30):
                    await left.wait()
