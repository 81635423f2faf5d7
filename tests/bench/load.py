"""Child: apps and miners. ``python -m tests.bench.load ORIGIN FIRST COUNT SLOTS`` signs miners FIRST .. in, and parks them.

A miner checks the coordinator's signature of every assignment, and of every voucher; it signs a receipt for each result.
When an app sends a task it writes the time into the prompt: the miner that gets it knows how long it was on the way.
"""

import asyncio
import gc
import random
import secrets
import sys
import time
from urllib.parse import urlsplit

import uvloop

from cuckoo.protocol import routes
from cuckoo.protocol.eip712 import hash_sign_in
from cuckoo.protocol.messages import (
    Poll,
    ResultUpload,
    Session,
    SignedAssignment,
    SignInOffer,
    SignInProof,
    SignInRequest,
    SubmitReply,
    TaskRequest,
    decode_binary,
    decode_json,
    encode_binary,
    encode_json,
)
from cuckoo.protocol.receipts import Receipt
from cuckoo.protocol.signing import check_signed_by
from tests.bench.children import answer, commands
from tests.bench.town import HEIGHT_PX, STEPS, WIDTH_PX, Pictures, miner_key, miner_node
from tests.bench.wire import Connection
from tests.support.coordinating import COORDINATOR_KEY, HASHER, MODEL, OFFER, PROFILE

MSGPACK = "application/msgpack"
SIGN_IN_AT_ONCE = 64
LATENTS_ROOT = bytes(32)
_GONE = (ConnectionError, asyncio.CancelledError)


class Load:
    """All miners and apps of this process."""

    def __init__(self, origin):
        self.origin = origin
        parts = urlsplit(origin)
        self.host, self.port = parts.hostname, parts.port
        self.done = 0
        self.latencies = []
        self.failure = None
        self.first = asyncio.get_running_loop().create_future()
        self._free = asyncio.Semaphore(0)
        self._pictures = Pictures()
        self._connections = []
        self._tasks = []

    async def open(self):
        return await Connection.open(self.host, self.port)

    def _run(self, work):
        async def guarded():
            try:
                await work
            except _GONE:
                raise
            except Exception as error:  # noqa: BLE001 - told to the parent, which stops
                self.failure = self.failure or repr(error)

        task = asyncio.create_task(guarded())
        self._tasks.append(task)
        return task

    # Miners.

    async def sign_in(self, number, slots):
        key, node = miner_key(number), miner_node(number)
        connection = await self.open()
        nonce = secrets.token_bytes(32)
        request = SignInRequest(origin=self.origin, miner_node=node, miner_nonce=nonce, last_sequence=0)
        offer = decode_json(await connection.post(routes.SIGN_IN.path, encode_json(request)), SignInOffer)
        digest = HASHER.digest(
            hash_sign_in(offer.coordinator_node, self.origin, node, nonce, offer.coordinator_nonce, offer.expiry)
        )
        check_signed_by(digest, offer.signature, COORDINATOR_KEY.address, "the offer")
        proof = SignInProof(
            origin=self.origin,
            miner_node=node,
            miner_nonce=nonce,
            coordinator_nonce=offer.coordinator_nonce,
            expiry=offer.expiry,
            signature=key.sign(digest),
            slots=slots,
            models=(OFFER,),
        )
        session = decode_json(await connection.post(routes.OPEN_SESSION.path, encode_json(proof)), Session)
        for slot in range(slots):
            self._run(self._serve(connection, key, session.token, slot))
            connection = await self.open() if slot + 1 < slots else None

    async def _serve(self, connection, key, token, slot):
        poll = encode_json(Poll(slot=slot, models=(MODEL.digest,)))
        while True:
            body = await connection.post(routes.POLL.path, poll, token=token)
            if body is None:
                continue
            at = time.perf_counter_ns()
            signed = decode_json(body, SignedAssignment)
            self.latencies.append(at - int(signed.assignment.parameters.prompt))
            if not self.first.done():
                self.first.set_result(time.time())
            await self._bring(connection, key, token, signed)
            self.done += 1
            self._free.release()

    async def _bring(self, connection, key, token, signed):
        assignment = signed.assignment
        assignment_hash = assignment.struct_hash()
        check_signed_by(HASHER.digest(assignment_hash), signed.signature, COORDINATOR_KEY.address, "the assignment")
        png, pixel_hash = self._pictures.next()
        receipt = Receipt(
            assignment_hash=assignment_hash,
            picture_hashes=(pixel_hash,),
            latents_root=LATENTS_ROOT,
            profile=PROFILE,
            finished_at=int(time.time()),
        )
        signature = key.sign(HASHER.digest(receipt.struct_hash()))
        upload = encode_binary(ResultUpload(receipt=receipt, signature=signature, pictures=(png,)))
        path = routes.RESULT.path.format(task=assignment.task_id, attempt=assignment.attempt)
        reply = decode_binary(await connection.post(path, upload, kind=MSGPACK, token=token), SubmitReply)
        owed = reply.voucher
        digest = HASHER.digest(owed.voucher.struct_hash())
        check_signed_by(digest, owed.signature, COORDINATOR_KEY.address, "the voucher")

    # Apps.

    async def _submit(self, connection):
        request = TaskRequest(
            prompt=str(time.perf_counter_ns()), width_px=WIDTH_PX, height_px=HEIGHT_PX, steps=STEPS, seed=7
        )
        await connection.post(routes.SUBMIT_TASK.path, encode_json(request))

    async def _keep_open(self):
        """Submit a task whenever one was finished."""
        connection = await self.open()
        try:
            while True:
                await self._free.acquire()
                await self._submit(connection)
        finally:
            connection.close()

    async def closed(self, in_flight, seconds, warm_s):
        """Keep so many tasks open; return how many a second were done."""
        apps = [self._run(self._keep_open()) for _ in range(in_flight)]
        self._free = asyncio.Semaphore(in_flight)
        await asyncio.sleep(warm_s)
        done, start = self.done, time.perf_counter()
        await asyncio.sleep(seconds)
        rate = (self.done - done) / (time.perf_counter() - start)
        for app in apps:
            app.cancel()
        await asyncio.sleep(1.0)
        return rate

    async def opened(self, per_second, seconds):
        """Submit at random times, whether others are done or not; return how long each was on its way, in ms."""
        idle = [await self.open() for _ in range(16)]
        self.latencies.clear()
        gc.collect()

        async def one():
            connection = idle.pop() if idle else await self.open()
            await self._submit(connection)
            idle.append(connection)

        at = time.perf_counter()
        end = at + seconds
        while at < end:
            at += random.expovariate(per_second)
            delay = at - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            self._run(one())
        await asyncio.sleep(1.0)
        for connection in idle:
            connection.close()
        return [round(latency / 1e6, 3) for latency in self.latencies]


async def main(origin, first, count, slots):
    load = Load(origin)
    gate = asyncio.Semaphore(SIGN_IN_AT_ONCE)

    async def sign_in(number):
        async with gate:
            await load.sign_in(number, slots)

    await asyncio.gather(*(sign_in(number) for number in range(first, first + count)))
    gc.collect()
    gc.freeze()
    answer(signed_in=count)
    async for command in commands():
        kind = command.pop("do")
        if kind == "closed":
            answer(per_second=await load.closed(**command), failure=load.failure)
        elif kind == "open":
            answer(latencies_ms=await load.opened(**command), failure=load.failure)
        elif kind == "first":
            answer(at=await load.first, failure=load.failure)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], *map(int, sys.argv[2:])))
