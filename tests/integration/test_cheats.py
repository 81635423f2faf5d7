"""Cheats that no second run has to find: what a coordinator refuses, or can prove, by what it is sent."""

import pytest
from msgspec.structs import replace

from cuckoo.client.coordinator import CoordinatorClient
from cuckoo.demo.cheats import Cheat, disguise
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.pricing import Rates
from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.messages import TaskRequest
from tests.support.at_work import MINER_KEY, at_work
from tests.support.coordinating import DOMAIN, MODEL, Escrow, app, running
from tests.support.disputing import Pool
from tests.support.processes import until

APPLE = TaskRequest(prompt="a red apple", seed=7)
PEAR = TaskRequest(prompt="a pear", seed=7)


def town(folder):
    return running(folder / "coordinator", rates=Rates(Wei(100 * CAI)), escrow=Escrow())


def honest():
    pool = Pool()
    pool.model = replace(pool.model, digest=MODEL.digest)
    return pool


def cheating(folder, coordinator, cheat):
    put_on = disguise(cheat, MINER_KEY, DOMAIN)
    return at_work(
        folder / "miner",
        coordinator,
        put_on.pool(honest()),
        put_on.connect,
        clock=coordinator.clock,
        progress_s=0.05,
    )


async def done(client, request):
    """Submit a task, and wait for its picture."""
    task = await client.submit(request)

    async def over():
        return (await client.get(task.task_id)).status is TaskStatus.DONE

    await until(over, 20, what="the task's picture")
    return task


async def refused(coordinator, client, request):
    """Submit a task; returns why its attempts failed, once its miner gets no more."""
    task = await client.submit(request)

    async def left_out():
        miner = coordinator.dispatch.engine.state.miners.get(2)
        return miner is not None and miner.health.left_out

    await until(left_out, 20, what="the fall of the miner's health")
    return [attempt.reason for attempt in (await client.get(task.task_id)).attempts]


@pytest.mark.parametrize("cheat", [Cheat.NOISE, Cheat.OTHER_PROMPT, Cheat.LAZY_JUROR])
def test_disguise__any_cheat__leaves_the_other_parts_alone(cheat):
    put_on, pool = disguise(cheat, MINER_KEY, DOMAIN), honest()
    assert (put_on.pool(pool) is pool) == (cheat is Cheat.LAZY_JUROR)
    assert (put_on.jury(pool) is pool) == (cheat is not Cheat.LAZY_JUROR)
    assert put_on.connect is CoordinatorClient


async def test_tampered__after_signing__is_refused_by_the_signed_hash(tmp_path):
    async with (
        town(tmp_path) as coordinator,
        cheating(tmp_path, coordinator, Cheat.TAMPERED),
        app(coordinator) as client,
    ):
        reasons = await refused(coordinator, client, APPLE)
    assert len(reasons) == 2
    assert all("must have the hash that the receipt signs" in reason for reason in reasons)


async def test_replayed__receipt_of_another_task__is_refused_by_its_assignment(tmp_path):
    async with (
        town(tmp_path) as coordinator,
        cheating(tmp_path, coordinator, Cheat.REPLAYED),
        app(coordinator) as client,
    ):
        await done(client, APPLE)
        reasons = await refused(coordinator, client, PEAR)
    assert len(reasons) == 2
    assert all("receipt.assignment_hash" in reason for reason in reasons)


async def test_two_results__signed_for_one_task__are_a_proof_on_disk(tmp_path):
    async with (
        town(tmp_path) as coordinator,
        cheating(tmp_path, coordinator, Cheat.TWO_RESULTS),
        app(coordinator) as client,
    ):
        task = await done(client, APPLE)

        async def proven():
            return bool(await coordinator.store.proofs.all_open())

        await until(proven, what="the proof")
        (proof,) = await coordinator.store.proofs.all_open()
    assert (proof.task_id, proof.miner_node) == (task.task_id, 2)
