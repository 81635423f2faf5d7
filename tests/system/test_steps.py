"""Audits of one step through real processes, with a kill on either side: whoever is honest is paid for everything."""

import asyncio
import json
import subprocess
import sys

import pytest

from cuckoo.client.app import AppClient
from cuckoo.domain.amounts import CAI, format_cai
from cuckoo.domain.pricing import price_of
from cuckoo.protocol.messages import TaskRequest
from tests.support.processes import ENVIRONMENT, Town, until

AUDITS = {
    "CUCKOO_COORDINATOR_AUDITS": "1",
    "CUCKOO_COORDINATOR_AUDIT_DEVICE": "cpu",
    "CUCKOO_COORDINATOR_AUDIT_THREADS": "1",
    "CUCKOO_COORDINATOR_PRICE": "10",
    "CUCKOO_COORDINATOR_ESCROW": "100",
}
PRICE = price_of(64 * 64 * 8, 10 * CAI)
MOST = 40
"""Pictures at most, of which three in four are asked for a step."""


@pytest.fixture
async def town(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.support.processes.ENVIRONMENT", ENVIRONMENT | AUDITS)
    town = Town(tmp_path)
    try:
        await town.found(miners=1)
        yield town
    finally:
        town.stop()


async def ask(town, seed):
    async with AppClient(town.origin) as app:
        task = await app.submit(TaskRequest(prompt="red apple", steps=8, seed=seed))

        async def done():
            return (await app.get(task.task_id)).status == "done"

        await until(done, what="the picture")


def answered(town):
    return sum(entry["event"] == "challenge answered" for entry in town.processes["miner-0"].logged())


async def test_steps__asked_for_and_processes_killed__all_is_paid_once(town):
    asked = 0
    for name in ("miner-0", "coordinator"):
        before = answered(town)
        while answered(town) == before:
            asked += 1
            assert asked < MOST, "no step was ever asked for"
            await ask(town, asked)
            await until(lambda count=asked: _settled(town, count), what="the pay")
        await ask(town, 100 + asked)
        asked += 1
        town.processes[name].kill()  # with a result on its way to be checked, or just checked
        town.processes[name].start()
        await town.signed_in(1)
        await until(lambda count=asked: _settled(town, count), what="the pay after a kill")
    checked = [one for one in town.processes["coordinator"].logged() if one["event"] == "result checked"]
    assert {one["state"] for one in checked} == {"passed"}


async def _settled(town, count):
    where = ("--data-dir", str(town.folder / "miner-0"), "--network", str(town.network_file))
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "cuckoo", "miner", "earnings", "--json", *where],
        capture_output=True,
        text=True,
        check=False,
    )
    earned = json.loads(told.stdout)["periods"]["today"]["earned"] if told.returncode == 0 else ""
    return earned == format_cai(count * PRICE, grouped=False)
