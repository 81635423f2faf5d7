"""Every refusal names its code, field and limit; nothing a stranger sends makes a server error."""

import asyncio
import json
import zlib

import aiohttp
import pytest

from cuckoo.domain.errors import (
    InvalidField,
    NotEligible,
    NotFound,
    NotSignedIn,
    OfferExpired,
    OfferUsed,
    SignatureInvalid,
)
from cuckoo.domain.identifiers import Role
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.protocol.messages import ModelOffer, Poll, TaskRequest
from cuckoo.protocol.signing import Signer
from tests.support.coordinating import MODEL, OFFER, ScriptedMiner, app, node, png, running

BOMB = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def coordinator(tmp_path):
    settings = CoordinatorSettings(port=0, long_poll_s=2.0, queue_limit=3, picture_body_limit_bytes=200_000)
    async with running(tmp_path, settings=settings) as coordinator:
        yield coordinator


@pytest.fixture
async def raw(coordinator):
    async with aiohttp.ClientSession(coordinator.origin) as session:
        yield session


@pytest.fixture
async def miner(coordinator):
    miner = ScriptedMiner(coordinator)
    await miner.sign_in()
    yield miner
    await miner.client.close()


@pytest.mark.parametrize(
    ("request_", "field", "limit"),
    [
        ({"model": "dall-e"}, "model", "must be one of: tiny"),
        ({"model": "cd" * 32}, "model", "must be one of: tiny"),
        ({"width_px": 100}, "width_px", "multiple of 8"),
        ({"height_px": 4096}, "height_px", "64 to 2,048"),
        ({"width_px": 512, "height_px": 512}, "width_px x height_px", "16,384 pixels"),
        ({"steps": 0}, "steps", "1 to 150"),
        ({"steps": 80}, "steps", "50 steps"),
        ({"pictures": 9}, "pictures", "1 to 8"),
        ({"guidance": 99.0}, "guidance", "0 to 50"),
        ({"guidance": -1}, "guidance", "0 to 50"),
        ({"scheduler": "Magic"}, "scheduler", "DDIMScheduler"),
        ({"seed": -1}, "seed", "0 to"),
        ({"seed": 2**63}, "seed", "0 to"),
        ({"prompt": "x" * 2001}, "prompt", "2,000"),
        ({"prompt": 5}, "prompt", "str"),
        ({"colour": "red"}, "body", "colour"),
    ],
)
async def test_submit__impossible__names_field_and_limit(raw, request_, field, limit):
    async with raw.post("/v1/tasks", json={"prompt": "a red apple", **request_}) as response:
        told = await response.json()
    assert response.status == 422
    assert (told["code"], told["field"]) == ("invalid_field", field)
    assert limit in told["limit"]
    assert told["field"] in told["message"]


async def test_submit__larger_than_any_signed_in_miner_takes__is_refused_at_once(coordinator, miner):
    await miner.sign_in(models=(ModelOffer(digest=MODEL.digest, name="tiny", max_pixels=64 * 64, max_steps=10),))
    async with app(coordinator) as client:
        with pytest.raises(InvalidField, match="up to 4,096 pixels"):
            await client.submit(TaskRequest(prompt="big", width_px=128, height_px=128))
        with pytest.raises(InvalidField, match="up to 10 steps"):
            await client.submit(TaskRequest(prompt="long", steps=11))
        await client.submit(TaskRequest(prompt="fits"))


async def test_submit__model_that_only_a_miner_knows__needs_every_size(coordinator, miner):
    other = ModelOffer(digest="cd" * 32, name="tiny", max_pixels=64 * 64, max_steps=10)
    await miner.sign_in(models=(OFFER, other))
    async with app(coordinator) as client:
        with pytest.raises(InvalidField, match="steps"):
            await client.submit(TaskRequest(prompt="a", model=other.digest, width_px=64, height_px=64, guidance=5.0))
        view = await client.submit(
            TaskRequest(prompt="a", model=other.digest, width_px=64, height_px=64, guidance=5.0, steps=3)
        )
        assert view.parameters.model_digest == other.digest
        assert {model.id: model.miners for model in (await client.models()).data} == {"tiny": 1, other.digest: 1}


async def test_submit__queue_full__says_when_to_come_back(raw):
    for number in range(3):
        async with raw.post("/v1/tasks", json={"prompt": f"apple {number}"}) as response:
            assert response.status == 201
            assert response.headers["Location"].startswith("/v1/tasks/")
    async with raw.post("/v1/tasks", json={"prompt": "one more"}) as response:
        told = await response.json()
    assert (response.status, told["code"]) == (503, "overloaded")
    assert int(response.headers["Retry-After"]) >= 1
    assert told["retry_after_s"] > 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/tasks", b"{", 422, "invalid_field"),
        ("POST", "/v1/tasks", b"[" * 60_000, 422, "invalid_field"),
        ("POST", "/v1/tasks", b"\xff", 422, "invalid_field"),
        ("POST", "/v1/tasks", b'{"prompt": "\\ud800"}', 422, "invalid_field"),
        ("POST", "/v1/tasks", b" " * 1_100_000, 413, "body_too_large"),
        ("GET", "/v1/tasks/nonsense", None, 422, "invalid_field"),
        ("GET", "/v1/tasks/" + "0" * 32, None, 404, "not_found"),
        ("GET", "/v1/tasks/" + "0" * 32 + "/events", None, 404, "not_found"),
        ("GET", "/v1/tasks/" + "0" * 32 + "/receipt", None, 404, "not_found"),
        ("GET", "/v1/tasks/" + "0" * 32 + "/pictures/9.png", None, 422, "invalid_field"),
        ("DELETE", "/v1/tasks/" + "0" * 32, None, 404, "not_found"),
        ("PUT", "/v1/tasks", b"", 405, "method_not_allowed"),
        ("GET", "/nowhere", None, 404, "not_found"),
        ("GET", "/v1/miners?limit=0", None, 422, "invalid_field"),
        ("GET", "/v1/draws/100", None, 404, "not_found"),
        ("GET", "/v1/draws/x", None, 422, "invalid_field"),
        ("GET", "/v1/disputes/1", None, 404, "not_found"),
        ("GET", "/v1/disputes/0", None, 422, "invalid_field"),
        ("GET", "/v1/disputes/1/pictures/ab", None, 422, "invalid_field"),
        ("POST", "/v1/disputes/1", b"x" * 5_000_000, 404, "not_found"),
        ("POST", "/miner/v1/poll", b"{}", 401, "not_signed_in"),
        ("POST", "/miner/v1/sign-in", b'{"version": 9}', 400, "unknown_version"),
    ],
)
async def test_request__wrong__is_told_in_one_shape(raw, method, path, body, status, code):
    async with raw.request(method, path, data=body, headers={"Content-Type": "application/json"}) as response:
        told = await response.json()
    assert (response.status, told["code"]) == (status, code)
    assert told["message"]


async def test_result__without_a_session__is_refused_before_its_body_is_read(coordinator, raw):
    async with raw.post(f"/miner/v1/attempts/{'0' * 32}/1/result", data=b"x" * 150_000) as response:
        assert response.status == 401


async def test_result__oversize_or_nonsense__leaves_the_attempt_alone(coordinator, miner, raw):
    async with app(coordinator) as client:
        view = await client.submit(TaskRequest(prompt="a red apple"))
        assignment = (await miner.poll()).assignment
        path = f"/miner/v1/attempts/{view.task_id}/1/result"
        headers = {"Authorization": f"Bearer {miner.token}", "Content-Type": "application/msgpack"}
        for body, status in ((b"x" * 200_001, 413), (b"nonsense", 422), (b"\x93" * 90_000, 422)):
            async with raw.post(path, data=body, headers=headers) as response:
                assert response.status == status
        await miner.submit(assignment, miner.result(assignment))
        assert (await client.get(view.task_id)).pictures


def _chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


async def test_result__bomb__is_refused_by_its_header(coordinator, miner):
    header = (60_000).to_bytes(4, "big") * 2 + bytes((8, 2, 0, 0, 0))
    bomb = BOMB + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + _chunk(b"IEND", b"")
    async with app(coordinator) as client:
        await client.submit(TaskRequest(prompt="a red apple"))
        assignment = (await miner.poll()).assignment
        with pytest.raises(InvalidField, match="60000 x 60000"):
            await miner.submit(assignment, miner.result(assignment, pictures=[(bomb, bytes(32))]))


async def test_progress__step_beyond_the_task_or_a_preview_that_is_none__is_refused(coordinator, miner):
    async with app(coordinator) as client:
        await client.submit(TaskRequest(prompt="a red apple"))
        assignment = (await miner.poll()).assignment
        with pytest.raises(InvalidField, match="0 to 4"):
            await miner.progress(assignment, 5)
        with pytest.raises(InvalidField, match="preview"):
            await miner.progress(assignment, 1, preview=b"\x00" * 40)
        with pytest.raises(InvalidField, match="preview"):
            await miner.progress(assignment, 1, preview=png()[0] + bytes(262_144))
        assert (await miner.progress(assignment, 1, preview=png()[0])).cancelled is False


async def test_poll__slot_that_was_not_signed_in__is_refused(miner):
    with pytest.raises(InvalidField, match="slot"):
        await miner.poll(slot=2)


# Sign-in.


async def test_sign_in__strangers_and_nodes_without_weight__are_refused(coordinator):
    stranger = ScriptedMiner(coordinator, 5)
    with pytest.raises(SignatureInvalid, match="the miner's sign-in"):
        await stranger.sign_in(key=Signer(b"\x09" * 32))
    coordinator.registry.put(node(5, Role.MINER, stranger.key.address, 0))
    with pytest.raises(NotEligible, match="carries no weight"):
        await stranger.sign_in()
    del coordinator.registry.rows[5]
    with pytest.raises(NotFound, match="no miner is registered"):
        await stranger.sign_in()
    stranger.node_id = 1
    with pytest.raises(NotFound, match="no miner is registered"):
        await stranger.sign_in()
    await stranger.client.close()


async def test_sign_in__through_another_address__is_refused(coordinator):
    miner = ScriptedMiner(coordinator, 5)
    with pytest.raises(InvalidField, match="origin"):
        await miner.sign_in(origin="https://relay.example")
    await miner.client.close()


async def test_sign_in__offer_used_twice_or_changed_or_old__is_refused(coordinator, miner):
    from msgspec.structs import replace

    with pytest.raises(OfferUsed, match="used before"):
        await miner.client.open_session(miner.proof)
    with pytest.raises(SignatureInvalid, match="did not make that offer"):
        await miner.client.open_session(replace(miner.proof, expiry=miner.proof.expiry + 60))
    coordinator.clock.ahead_s += 61
    with pytest.raises(OfferExpired, match="ran out"):
        await miner.client.open_session(miner.proof)


async def test_session__over_or_replaced__has_to_sign_in_again(coordinator, miner):
    old = miner.token
    await miner.sign_in()
    new, miner.token = miner.token, old
    with pytest.raises(NotSignedIn):
        await miner.poll()
    miner.token = new
    await miner.client.sign_out(new)
    with pytest.raises(NotSignedIn):
        await miner.poll()
    await miner.sign_in()
    coordinator.clock.ahead_s += 3_601
    with pytest.raises(NotSignedIn, match="run out"):
        await miner.poll()


async def test_sign_in__miner_remembers_a_higher_sequence__coordinator_goes_on_above_it(coordinator):
    miner = ScriptedMiner(coordinator, 5)
    miner.last_sequence = 41
    await miner.sign_in()
    async with app(coordinator) as client:
        await client.submit(TaskRequest(prompt="a red apple"))
        assert (await miner.serve_one()).sequence == 42
    await miner.client.close()


async def test_sign_out__with_an_attempt__hands_it_to_another(coordinator, miner):
    async with app(coordinator) as client:
        view = await client.submit(TaskRequest(prompt="a red apple"))
        await miner.poll()
        await miner.client.sign_out(miner.token)
        other = ScriptedMiner(coordinator, 3)
        await other.sign_in()
        assert (await other.serve_one()).attempt == 2
        await other.client.close()
        assert (await client.get(view.task_id)).status == "done"


async def test_weight__lost_on_chain__no_more_work(coordinator, miner):
    coordinator.registry.put(node(2, Role.MINER, miner.key.address, 0))
    await coordinator.tick()
    poll = asyncio.create_task(miner.poll())
    async with app(coordinator) as client:
        view = await client.submit(TaskRequest(prompt="a red apple"))
        assert await poll is None
        assert (await client.get(view.task_id)).status == "queued"


# Looks.


async def test_pages_for_operators__answer(coordinator, raw, miner):
    for path in ("/healthz", "/readyz", "/v1/network", "/v1/models", "/v1/miners", "/openapi.json"):
        async with raw.get(path) as response:
            assert response.status == 200, path
            assert json.loads(await response.read())
    async with raw.get("/docs") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "/v1/batches" in await response.text()
    async with raw.get("/metrics") as response:
        assert "cuckoo_miners_signed_in 1.0" in await response.text()
    async with raw.get("/v1/network") as response:
        network = await response.json()
    assert (network["coordinator_node"], network["miners"], network["period"]) == (1, 1, 100)


async def test_readyz__no_seed_yet__says_what_it_waits_for(tmp_path):
    async with (
        running(tmp_path, with_seed=False) as coordinator,
        aiohttp.ClientSession(coordinator.origin) as raw,
        raw.get("/readyz") as response,
    ):
        assert response.status == 503
        assert "seed" in (await response.json())["waiting_for"][0]


async def test_picture__asked_for_again__is_not_sent_again(coordinator, miner, raw):
    async with app(coordinator) as client:
        view = await client.submit(TaskRequest(prompt="a red apple"))
        await miner.serve_one()
    async with raw.get(f"/v1/tasks/{view.task_id}/pictures/0.png") as response:
        assert response.content_type == "image/png"
        assert "immutable" in response.headers["Cache-Control"]
        tag = response.headers["ETag"]
    async with raw.get(f"/v1/tasks/{view.task_id}/pictures/0.png", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")


async def test_poll__empty_models__waits_and_ends(coordinator, miner):
    assert await miner.client.poll(miner.token, Poll(slot=0, models=())) is None
