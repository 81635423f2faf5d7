"""What a miner's operator asks while everything runs: why is it idle, and what is wanted?"""

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest

from cuckoo.client.app import AppClient
from cuckoo.domain.errors import InvalidField
from cuckoo.protocol.messages import TaskRequest
from tests.support.processes import Town, until


@pytest.fixture
async def town(tmp_path):
    town = Town(tmp_path)
    try:
        await town.found(miners=2)
        yield town
    finally:
        town.stop()


async def asked(town, name, *words):
    command = [sys.executable, "-m", "cuckoo", "miner", *words, "--json", "--data-dir", str(town.folder / name)]
    command += ["--network", str(town.network_file)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_two_miners__some_tasks__each_learns_where_the_others_went(town):
    async with AppClient(town.origin) as app:
        tasks = [await app.submit(TaskRequest(prompt="red apple", steps=2, seed=seed)) for seed in range(6)]
        with pytest.raises(InvalidField):
            await app.submit(TaskRequest(prompt="red apple", model="org/wanted"))

        async def done():
            return all([(await app.get(task.task_id)).status == "done" for task in tasks])

        await until(done, what="the pictures")
    answers = [await asked(town, name, "why-idle") for name in ("miner-0", "miner-1")]
    won, missed = [], []
    for answer in answers:
        (one,) = answer["coordinators"]
        assert (one["signed_in"], one["chosen"], one["problem"]) == (True, True, "")
        won.append(one["won"])
        missed.append({task["task_id"] for task in one["tasks"]})
    assert sum(won) == 6
    assert [len(ids) for ids in missed] == [6 - won[0], 6 - won[1]]
    assert set.union(*missed) == {task.task_id for task in tasks}
    reasons = {task["reason"] for answer in answers for task in answer["coordinators"][0]["tasks"]}
    assert reasons <= {"lost", "slots_taken", "no_poll"}

    wanted = {row["model"]: row for row in (await asked(town, "miner-0", "demand"))["models"]}
    assert (wanted["emoji-64"]["asked_hour"], wanted["emoji-64"]["miners"]) == (6, 2)
    assert (wanted["org/wanted"]["refused_day"], wanted["org/wanted"]["miners"]) == (1, 0)


class Rig(Town):
    """A town whose miners have two devices."""

    def start(self, name, *arguments):
        devices = ("--device", "cpu", "--device", "cpu") if name.startswith("miner") else ()
        return super().start(name, *arguments, *devices)


async def test_miner__two_devices__a_child_for_each_and_one_goes_on_without_the_other(tmp_path):
    town = Rig(tmp_path)
    try:
        await town.found(miners=1)
        miner = town.processes["miner-0"]

        async def two_children():
            return len(miner.children()) == 2

        await until(two_children, what="a child for each device")
        os.kill(miner.children()[0], signal.SIGKILL)
        async with AppClient(town.origin) as app:
            tasks = [await app.submit(TaskRequest(prompt="red apple", steps=2, seed=seed)) for seed in range(4)]

            async def done():
                return all([(await app.get(task.task_id)).status == "done" for task in tasks])

            await until(done, what="the pictures")
        await until(two_children, what="the child that was killed to be there again")
        assert miner.stop() == 0
    finally:
        town.stop()
