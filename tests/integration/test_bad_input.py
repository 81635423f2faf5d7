"""Every kind of bad input: its own error, at most 50 ms of CPU, at most twice its size in memory, and nothing is lost."""

import base64
import json
import subprocess
import sys
import zlib
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from cuckoo.domain.errors import NotSignedIn
from cuckoo.protocol.eip712 import Domain, Hasher, hash_sign_in
from cuckoo.protocol.messages import Failure, SignInProof, SignInRequest, encode_binary, encode_json
from tests.integration.coordinator_child import WEIGHTLESS, key_of
from tests.support.coordinating import DOMAIN, HASHER, OFFER, Registry, ScriptedMiner, png
from tests.support.measured import MIB, cpu_s, forget_peak, rss_bytes

pytestmark = pytest.mark.asyncio(loop_scope="module")

CPU_MOST_S = 0.05
MEMORY_SLACK = 3 * MIB
"""What a process takes from its system in one go, whatever it is asked; twice the input comes on top."""

NOBODY = 9_999
JSON = {"Content-Type": "application/json"}
MSGPACK = {"Content-Type": "application/msgpack"}


class World:
    """The coordinator, and what a case needs of it."""

    def __init__(self, process, origin, http):
        self.process = process
        self.pid = process.pid
        self.origin = origin
        self.http = http
        self.registry = Registry()  # for ScriptedMiner; the child has its own
        self.miners = iter(range(10, 100))
        self.signed_in = []
        self.tasks = []

    async def ask(self, method, path, body=None, headers=JSON):
        async with self.http.request(method, path, data=body, headers=headers) as response:
            return response.status, await response.json()

    async def miner(self, **more):
        miner = ScriptedMiner(self, next(self.miners), **more)
        await miner.sign_in()
        self.signed_in.append(miner)
        return miner

    async def attempt(self):
        """Return a miner and an assignment of its own."""
        _, told = await self.ask("POST", "/v1/tasks", b'{"prompt": "a red apple"}')
        self.tasks.append(told["task_id"])
        miner = await self.miner()
        return miner, (await miner.poll()).assignment

    async def result(self, miner, assignment, body, *, attempt=None):
        headers = MSGPACK | {"Authorization": f"Bearer {miner.token}"}
        path = f"/miner/v1/attempts/{assignment.task_id}/{attempt or assignment.attempt}/result"
        return await self.ask("POST", path, body, headers)

    def ahead(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.coordinator_child", str(tmp_path_factory.mktemp("coordinator"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.communicate(timeout=30)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(child):
    process, origin = child
    async with aiohttp.ClientSession(origin) as http:
        world = World(process, origin, http)
        miner, assignment = await world.attempt()
        await miner.submit(assignment, miner.result(assignment))
        yield world
        for one in world.signed_in:
            await one.client.close()


@dataclass
class Sent:
    """A request that a case has ready; only the sending of it is measured."""

    call: object
    size: int


# Sign-ins.


def sign_in(**changes):
    async def prepare(world):
        fields = {"origin": world.origin, "miner_node": 10, "miner_nonce": b"n" * 32, "last_sequence": 0} | changes
        return plain("POST", "/miner/v1/sign-in", encode_json(SignInRequest(**fields)))(world)

    return prepare


def prove(*, hasher=HASHER, signer=None, twice=False, late=False, **changes):
    async def prepare(world):
        node = next(world.miners)
        request = SignInRequest(origin=world.origin, miner_node=node, miner_nonce=b"n" * 32, last_sequence=0)
        _, offer = await world.ask("POST", "/miner/v1/sign-in", encode_json(request))
        nonce, expiry = bytes.fromhex(offer["coordinator_nonce"]), offer["expiry"]
        digest = hasher.digest(hash_sign_in(1, world.origin, node, b"n" * 32, nonce, expiry))
        proof = SignInProof(
            origin=world.origin,
            miner_node=node,
            miner_nonce=b"n" * 32,
            coordinator_nonce=nonce,
            expiry=expiry,
            signature=(signer or key_of(node)).sign(digest),
            slots=2,
            models=(OFFER,),
        )
        body = encode_json(msgspec.structs.replace(proof, **changes))
        if twice:
            assert (await world.ask("POST", "/miner/v1/sessions", body))[0] == 200
        if late:
            world.ahead(61)
        return plain("POST", "/miner/v1/sessions", body)(world)

    return prepare


# Results.


def upload(spoil):
    """Send what ``spoil`` makes of a miner and its assignment: a ResultUpload, or bytes."""

    async def prepare(world):
        miner, assignment = await world.attempt()
        made = spoil(miner, assignment)
        body = made if isinstance(made, bytes) else encode_binary(made)
        return Sent(lambda: world.result(miner, assignment, body), len(body))

    return prepare


async def anothers(world):
    _, assignment = await world.attempt()
    other = await world.miner()
    body = encode_binary(other.result(assignment))
    return Sent(lambda: world.result(other, assignment, body), len(body))


async def old_attempt(world):
    miner, assignment = await world.attempt()
    await miner.client.fail(miner.token, assignment.task_id, assignment.attempt, Failure(kind="x", reason="y"))
    other = await world.miner()
    await other.poll()
    body = encode_binary(miner.result(assignment))
    return Sent(lambda: world.result(miner, assignment, body), len(body))


async def done_with_another_receipt(world):
    miner, assignment = await world.attempt()
    await miner.submit(assignment, miner.result(assignment))
    body = encode_binary(miner.result(assignment, finished_at=5))
    return Sent(lambda: world.result(miner, assignment, body), len(body))


async def far_too_large(world):
    miner, assignment = await world.attempt()

    async def chunks():
        for _ in range(200):
            yield bytes(MIB)

    return Sent(lambda: world.result(miner, assignment, chunks()), 200 * MIB)


async def said_to_be_far_too_large(world):
    miner, assignment = await world.attempt()
    path = f"/miner/v1/attempts/{assignment.task_id}/1/result"

    async def chunks():
        for _ in range(200):
            yield bytes(MIB)

    headers = MSGPACK | {"Authorization": f"Bearer {miner.token}", "Content-Length": str(200 * MIB)}
    return Sent(lambda: world.ask("POST", path, chunks(), headers), 200 * MIB)


async def without_a_session(world):
    body = bytes(2 * MIB)
    path = f"/miner/v1/attempts/{'0' * 32}/1/result"
    return Sent(lambda: world.ask("POST", path, body, MSGPACK), len(body))


def pictures(file):
    return upload(lambda miner, assignment: miner.result(assignment, pictures=[(file, png()[1])]))


def _chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def _png(width, height, rows, *more):
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    chunks = (_chunk(b"IHDR", header), *more, _chunk(b"IDAT", rows), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


BOMB_ROWS = zlib.compress(bytes(70 * MIB), 9)

# Apps.


def plain(method, path, body, headers=JSON):
    return lambda world: Sent(lambda: world.ask(method, path, body, headers), len(body))


def task(**fields):
    return body(json.dumps({"prompt": "a red apple"} | fields).encode())


def body(content, headers=JSON):
    async def prepare(world):
        return plain("POST", "/v1/tasks", content, headers)(world)

    return prepare


OTHER_CHAIN = Hasher(Domain(1, DOMAIN.staking))

CASES = {
    # name: (what to send, status, code, what the message or the limit says)
    "sign-in of nobody": (sign_in(miner_node=NOBODY), 404, "not_found", "no miner is registered"),
    "sign-in of a coordinator": (sign_in(miner_node=1), 404, "not_found", "no miner is registered"),
    "sign-in under-staked": (sign_in(miner_node=WEIGHTLESS), 403, "not_eligible", "carries no weight"),
    "sign-in at another origin": (sign_in(origin="https://x.example"), 422, "invalid_field", "origin: 'https://x.ex"),
    "sign-in nonce of 5 bytes": (sign_in(miner_nonce=b"short"), 422, "invalid_field", "miner_nonce: '5 bytes'"),
    "sign-in sequence -1": (sign_in(last_sequence=-1), 422, "invalid_field", "last_sequence: -1"),
    "sign-in version 9": (sign_in(version=9), 400, "unknown_version", "version 9 is unknown"),
    "proof expired": (prove(late=True), 403, "offer_expired", "ran out at"),
    "proof replayed": (prove(twice=True), 403, "offer_used", "used before"),
    "proof for another chain": (prove(hasher=OTHER_CHAIN), 403, "signature_invalid", "the miner's sign-in: signed by"),
    "proof by another key": (prove(signer=key_of(5)), 403, "signature_invalid", "the miner's sign-in: signed by"),
    "proof for another origin": (prove(origin="http://127.0.0.1:1"), 422, "invalid_field", "origin"),
    "proof with another expiry": (prove(expiry=2**40), 403, "signature_invalid", "did not make that offer"),
    "proof with no signature": (prove(signature=b""), 403, "signature_invalid", "65 bytes"),
    "proof with 0 slots": (prove(slots=0), 422, "invalid_field", "slots: 0"),
    "proof with 65 models": (prove(models=(OFFER,) * 65), 422, "invalid_field", "models: 'this value' is refused: expected `array` of length <= 64"),
    "no session": (without_a_session, 401, "not_signed_in", "Authorization"),
    "result of another's task": (anothers, 404, "not_found", "was not given to miner"),
    "result of an old attempt": (old_attempt, 409, "conflict", "attempt 1 of task"),
    "result once more, changed": (done_with_another_receipt, 409, "conflict", "is done"),
    "result with a wrong hash": (
        upload(lambda m, a: m.result(a, picture_hashes=(b"\1" * 32,))),
        422,
        "invalid_field",
        "pictures[0]: 'its pixels' is refused: must have the hash",
    ),
    "result truncated": (
        upload(lambda m, a: encode_binary(m.result(a))[:-9]), 422, "invalid_field", "must be MessagePack",
    ),
    "result of nothing": (upload(lambda m, a: b""), 422, "invalid_field", "must be MessagePack"),
    "result of 90,000 lists": (
        upload(lambda m, a: b"\xdd" + (90_000).to_bytes(4, "big") + b"\x90" * 90_000), 422, "invalid_field", "body",
    ),
    "result with 40,000 pictures": (
        upload(lambda m, a: b"\x81\xa8pictures\xdd" + (40_000).to_bytes(4, "big") + b"\xc4\0" * 40_000),
        422,
        "invalid_field",
        "length <= 8",
    ),
    "result nested": (upload(lambda m, a: b"\x91" * 90_000), 422, "invalid_field", "body"),
    "picture truncated": (pictures(png()[0][:-30]), 422, "invalid_field", "this one is cut off"),
    "picture that is none": (pictures(b"GIF89a" + bytes(100)), 422, "invalid_field", "must be a PNG file"),
    "picture that is a bomb": (pictures(_png(60_000, 60_000, BOMB_ROWS)), 422, "invalid_field", "60000 x 60000"),
    "picture with a bomb inside": (pictures(_png(64, 64, BOMB_ROWS)), 422, "invalid_field", "pictures[0]"),
    "picture with a bomb in a text": (
        pictures(_png(64, 64, zlib.compress(bytes(64 * 193)), _chunk(b"zTXt", b"a\0\0" + BOMB_ROWS))),
        422,
        "invalid_field",
        "PNG chunks IHDR, IDAT, IEND",
    ),
    "result of 200 MB": (far_too_large, 413, "body_too_large", "more than 94,272 bytes"),
    "result said to have 200 MB": (said_to_be_far_too_large, 413, "body_too_large", "209,715,200 bytes, at most 94,272"),
    "task of 40 MB": (task(prompt="x", source="A" * 40 * 10**6), 413, "body_too_large", "at most 33,554,432"),
    "prompt of 1 MB": (task(prompt="x" * 10**6), 422, "invalid_field", "prompt: '1,000,000 characters'"),
    "source of 4 MB that is no picture": (task(prompt="x", source="A" * 4 * 10**6), 422, "invalid_field", "PNG, JPEG"),
    "source that is a bomb": (
        task(prompt="x", source=base64.b64encode(_png(60_000, 60_000, BOMB_ROWS)).decode()),
        422,
        "invalid_field",
        "at most 4,096 pixels a side",
    ),
    "mask that is a bomb": (
        task(prompt="x", source=base64.b64encode(png()[0]).decode(), mask=base64.b64encode(_png(60_000, 60_000, BOMB_ROWS)).decode()),
        422,
        "invalid_field",
        "mask: ",
    ),
    "30 MB of LoRAs": (body(b'{"prompt":"x","loras":[' + b'{"lora":"a"},' * 2_300_000 + b'{"lora":"a"}]}'), 422, "invalid_field", "2,300,001 commas"),
    "prompt of 2,001 characters": (task(prompt="x" * 2_001), 422, "invalid_field", "prompt: '2,001 characters'"),
    "prompt no Unicode": (body(b'{"prompt": "\\ud800"}'), 422, "invalid_field", "must be JSON"),
    "width 0": (task(width_px=0), 422, "invalid_field", "width_px: 0 is refused: must be 64 to 2,048"),
    "width 13": (task(width_px=13), 422, "invalid_field", "width_px: 13 is refused: must be 64 to 2,048"),
    "height 100": (task(height_px=100), 422, "invalid_field", "height_px: 100 is refused: must be a multiple of 8"),
    "height 100,000": (task(height_px=100_000), 422, "invalid_field", "height_px: 100000 is refused"),
    "steps 0": (task(steps=0), 422, "invalid_field", "steps: 0 is refused: must be 1 to 150"),
    "steps 10,000": (task(steps=10_000), 422, "invalid_field", "steps: 10000 is refused: must be 1 to 150"),
    "pictures 10**30": (task(pictures=10**30), 422, "invalid_field", "pictures"),
    "guidance NaN": (body(b'{"prompt": "x", "guidance": NaN}'), 422, "invalid_field", "must be JSON"),
    "guidance 1e999": (body(b'{"prompt": "x", "guidance": 1e999}'), 422, "invalid_field", "guidance: 'this value' is refused: number out"),
    "unknown model": (task(model="dall-e"), 422, "invalid_field", "model: 'dall-e' is refused: must be one of: tiny"),
    "unknown field": (task(colour="red"), 422, "invalid_field", "unknown field `colour`"),
    "broken JSON": (body(b'{"prompt": "x"'), 422, "invalid_field", "must be JSON"),
    "deep JSON": (body(b"[" * 60_000), 422, "invalid_field", "body"),
    "deep JSON in a field": (body(b'{"prompt": ' + b"[" * 60_000), 422, "invalid_field", "prompt"),
    "20,000 objects": (body(b"[" + b"{}," * 20_000 + b"{}]"), 422, "invalid_field", "body"),
    "20,000 objects in a field": (body(b'{"x": [' + b"{}," * 20_000 + b"{}]}"), 422, "invalid_field", "20,000 commas"),
    "another content type": (
        body(b'{"prompt": "x"}', {"Content-Type": "text/plain"}), 415, "wrong_content_type", "must be application/json",
    ),
    "no JSON at all": (body(b"\xff\xfe"), 422, "invalid_field", "body"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_bad_input__each_kind__own_error_and_little_cost(world, name):
    prepare, status, code, says = CASES[name]
    cpu, memory = [], []
    for _ in range(2):  # the first one also pays for what is only made once
        sent = await prepare(world)
        forget_peak(world.pid)
        before, resident = cpu_s(world.pid), rss_bytes(world.pid)
        told_status, told = await sent.call()
        cpu.append(cpu_s(world.pid) - before)
        memory.append(rss_bytes(world.pid, peak=True) - resident)
    assert (told_status, told["code"]) == (status, code), told
    assert says in told["message"], told
    if code == "invalid_field":
        assert told["field"]
        assert told["limit"]
        assert told["field"] in told["message"]
    assert min(cpu) <= CPU_MOST_S
    assert min(memory) <= 2 * sent.size + MEMORY_SLACK


async def test_bad_input__after_all_of_it__every_task_is_there_and_ends_as_it_must(world):
    """Runs last: an honest miner serves what bad results were sent for."""
    for miner in world.signed_in:
        with suppress(NotSignedIn):
            await miner.client.sign_out(miner.token)
    honest = await world.miner()
    assert len(world.tasks) > 10
    while await _queued(world):
        await honest.serve_one()
    for task_id in world.tasks:
        _, told = await world.ask("GET", f"/v1/tasks/{task_id}")
        assert told["status"] == "done" or (told["status"] == "failed" and len(told["attempts"]) == 3), told


async def _queued(world):
    return (await world.ask("GET", "/v1/network"))[1]["queued"]
