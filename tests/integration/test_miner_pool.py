"""Mining with the real worker pool and the bundled model; the coordinator is the one in the test's hand."""

import asyncio
import os
import signal

import msgspec
import pytest

from cuckoo.inference import models
from cuckoo.inference.pool import PoolOptions, WorkerPool
from cuckoo.protocol.messages import ProgressReply
from cuckoo.runtime.clock import SystemClock
from cuckoo.storage.store import open_store
from tests.support.mining import Network
from tests.support.plain import plain_picture_hashes

MODEL = models.load_registry()["emoji-64"]
ONE_CPU = PoolOptions(devices=("cpu",), threads=1, backoff_s=0.01)


@pytest.fixture
async def network(tmp_path):
    async with (
        open_store(tmp_path / "miner") as store,
        WorkerPool([MODEL], ONE_CPU) as pool,
    ):
        yield Network(store, SystemClock(), pool)


def assign(network, **changes):
    parameters = network.coordinator.assignment().parameters
    wanted = msgspec.structs.replace(parameters, model_digest=MODEL.digest, **changes)
    return network.coordinator.assign(parameters=wanted)


async def until(condition):
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)


async def test_miner__real_pool__pixels_of_plain_diffusers_in_the_receipt(network):
    async with network.running():
        await until(network.polled(2))
        assignment = assign(network, prompt="red apple", steps=4, seed=11, pictures=2)
        await until(lambda: network.coordinator.uploads)
    _, upload = network.coordinator.uploads[0]
    assert [step for _, step in network.coordinator.steps][:2] == [0, 1]
    plain = await asyncio.to_thread(plain_picture_hashes, MODEL.source, assignment.parameters, threads=1)
    assert list(upload.receipt.picture_hashes) == plain


async def test_miner__cancelled__its_worker_is_free_for_the_next_task(network):
    async with network.running():
        await until(network.polled(2))
        long = assign(network, steps=50, pictures=8)
        await until(lambda: (long.task_id, 2) in network.coordinator.steps)
        network.coordinator.progress_reply = ProgressReply(cancelled=True)
        await until(network.polled(3))
        network.coordinator.progress_reply = ProgressReply(cancelled=False)
        seen = [step for task, step in network.coordinator.steps if task == long.task_id]
        assert max(seen) < 8
        following = assign(network, steps=2)
        await until(lambda: network.coordinator.uploads)
        assert network.coordinator.uploads[0][0] == following.task_id
        assert not network.coordinator.failures


async def test_miner__worker_killed_in_the_middle__reported_and_the_next_attempt_finished(network):
    async with network.running():
        await until(network.polled(2))
        first = assign(network, steps=50, pictures=8)
        await until(lambda: (first.task_id, 2) in network.coordinator.steps)
        (child,) = network.pool._children
        os.kill(child.pid, signal.SIGKILL)
        await until(lambda: network.coordinator.failures)
        assert network.coordinator.failures[0][1].kind == "worker_died"
        second = assign(network, steps=2)
        await until(lambda: network.coordinator.uploads)
        assert network.coordinator.uploads[0][0] == second.task_id
