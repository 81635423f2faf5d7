"""``cuckoo status`` over real processes: running, killed, stopped; metrics; and a miner that redeems at its end."""

import json
import subprocess
import sys

import aiohttp
import pytest

from cuckoo.chain.deployment import read_network
from cuckoo.chain.escrow import EscrowContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.client.app import AppClient
from cuckoo.domain.amounts import CAI, format_cai
from cuckoo.domain.pricing import price_of
from cuckoo.protocol.messages import TaskRequest
from tests.support.processes import ENVIRONMENT, Town, free_port, until

SETTINGS = {
    "CUCKOO_COORDINATOR_PRICE": "100",
    "CUCKOO_COORDINATOR_ESCROW": "50",
    "CUCKOO_MINER_REDEEM_AT": "1000",
    "CUCKOO_MINER_REDEEM_ON_EXIT": "true",
}
APPLE = TaskRequest(prompt="red apple", steps=4, seed=7)
PRICE = price_of(64 * 64 * 4, 100 * CAI)


@pytest.fixture
async def town(tmp_path, monkeypatch):
    metrics = f"127.0.0.1:{free_port()}"
    monkeypatch.setattr(
        "tests.support.processes.ENVIRONMENT", ENVIRONMENT | SETTINGS | {"CUCKOO_MINER_METRICS": metrics}
    )
    town = Town(tmp_path)
    town.metrics = f"http://{metrics}/metrics"
    try:
        await town.found(miners=1)
        yield town
    finally:
        town.stop()


def status(town, name):
    command = [sys.executable, "-m", "cuckoo", "status", "--json", "--data-dir", town.folder / name]
    output = subprocess.run(
        [*map(str, command), "--network", str(town.network_file)], capture_output=True, text=True, check=True
    ).stdout
    (role,) = json.loads(output)["roles"]
    return role


async def test_status__a_picture_made_and_processes_ended__is_true_throughout(town):
    async with AppClient(town.origin) as app:
        task = await app.submit(APPLE)

        async def done():
            return (await app.get(task.task_id)).status == "done"

        await until(done, what="the picture")

    async def told():
        roles = status(town, "coordinator"), status(town, "miner-0")
        return roles if all(role["done_today"] == 1 for role in roles) and roles[1]["backing"] else None

    coordinator, miner = await until(told, what="both to tell of it")
    owed = format_cai(PRICE, grouped=False)
    assert (coordinator["condition"], coordinator["not_eligible"], coordinator["miners"]) == ("running", "", 1)
    assert (coordinator["owed"], coordinator["redeemed"], coordinator["accounts"][0]["owed"]) == (owed, "0", owed)
    assert coordinator["pid"] == town.processes["coordinator"].popen.pid
    assert (miner["condition"], miner["models"], miner["weight"]) == ("running", ["emoji-64"], "20000")
    assert (miner["backing"][0]["unredeemed"], miner["backing"][0]["stopped"]) == (owed, "")
    async with aiohttp.ClientSession() as raw, raw.get(town.metrics) as response:
        assert "cuckoo_miner_results_accepted_today 1.0" in await response.text()
    async with aiohttp.ClientSession() as raw, raw.get(f"{town.origin}/metrics") as response:
        assert f"cuckoo_owed_cai {owed}" in await response.text()

    assert town.processes["miner-0"].stop() == 0
    assert status(town, "miner-0")["condition"] == "stopped"
    async with await ChainClient.connect(read_network(town.network_file)) as client:
        account = await EscrowContract(client).account(coordinator["node"], miner["node"])
    assert account.redeemed_wei == PRICE, "redeemed at its end"

    town.processes["coordinator"].kill()
    died = status(town, "coordinator")
    assert (died["condition"], died["pid"], died["done_today"]) == ("died", None, 1)
