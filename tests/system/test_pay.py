"""A priced picture through real processes: escrow filled, voucher issued, redeemed on chain, and a kill in between."""

import json
import subprocess
import sys

import pytest

from cuckoo.chain.deployment import read_network
from cuckoo.chain.escrow import EscrowContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.client.app import AppClient
from cuckoo.domain.amounts import CAI, format_cai
from cuckoo.domain.pricing import price_of
from cuckoo.protocol.messages import TaskRequest
from tests.support.processes import ENVIRONMENT, Town, until

PRICES = {"CUCKOO_COORDINATOR_PRICE": "100", "CUCKOO_COORDINATOR_ESCROW": "50"}
REDEEMING = {"CUCKOO_MINER_REDEEM_AT": "20", "CUCKOO_MINER_REDEEM_INTERVAL_S": "0.5", "CUCKOO_MINER_MIN_PRICE": "100"}
APPLE = TaskRequest(prompt="red apple", steps=16, seed=7)
PRICE = price_of(64 * 64 * 16, 100 * CAI)


@pytest.fixture
async def town(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.support.processes.ENVIRONMENT", ENVIRONMENT | PRICES | REDEEMING)
    town = Town(tmp_path)
    try:
        await town.found(miners=1)
        yield town
    finally:
        town.stop()


async def made(town):
    async with AppClient(town.origin) as app:
        task = await app.submit(APPLE)
        assert task.price_wei == PRICE

        async def done():
            return (await app.get(task.task_id)).status == "done"

        await until(done, what="the picture")


async def test_price__picture_made__redeemed_on_chain_to_the_wei(town):
    network = read_network(town.network_file)
    async with await ChainClient.connect(network) as client:
        escrow = EscrowContract(client)
        (miner,) = town.miner_nodes
        coordinator = next(node for node in range(1, 3) if node != miner)
        for _ in range(3):
            await made(town)
        assert (await escrow.account(coordinator, miner)).redeemed_wei == 0
        town.processes["miner-0"].kill()
        town.processes["miner-0"].start()
        await town.signed_in(1)
        await made(town)

        async def redeemed():
            account = await escrow.account(coordinator, miner)
            return account if account.redeemed_wei else None

        account = await until(redeemed, what="the voucher to be redeemed")
        assert account.redeemed_wei == 4 * PRICE
        assert 4 * PRICE >= 20 * CAI > 3 * PRICE

    async def agrees(role, name):
        checked = ledger(town, name, "ledger", "check", "--role", role)
        assert checked.returncode == 0, checked.stdout
        (account,) = json.loads(checked.stdout)["accounts"]
        return account["redeemed"] == format_cai(4 * PRICE, grouped=False)

    town.processes["coordinator"].kill()
    assert await agrees("coordinator", "coordinator"), "after a kill"
    assert await agrees("miner", "miner-0"), "while it runs"
    earned = json.loads(ledger(town, "miner-0", "miner", "earnings").stdout)
    assert earned["periods"]["today"]["earned"] == format_cai(4 * PRICE, grouped=False)
    assert earned["models"][0]["model"] == "emoji-64"


def ledger(town, name, *command):
    """Run a command that reads the data of one of the processes."""
    where = ("--data-dir", str(town.folder / name), "--network", str(town.network_file))
    return subprocess.run(
        [sys.executable, "-m", "cuckoo", *command, "--json", *where], capture_output=True, text=True, check=False
    )
