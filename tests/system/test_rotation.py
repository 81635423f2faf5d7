"""The operator keys of a running coordinator and a running miner are replaced: nothing that was earned is lost."""

import asyncio
import secrets
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress

import pytest

from cuckoo.chain.deployment import read_network
from cuckoo.chain.devnet import DEPLOYER_KEY
from cuckoo.chain.escrow import EscrowContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.client.app import AppClient
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import CuckooError
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.pricing import price_of
from cuckoo.protocol.eip712 import Domain, Hasher, hash_voucher
from cuckoo.protocol.messages import TaskRequest
from cuckoo.protocol.signing import Signer, recover
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.wallet import Wallet, drip
from tests.support.processes import ENVIRONMENT, Town, until

PRICES = {"CUCKOO_COORDINATOR_PRICE": "100", "CUCKOO_COORDINATOR_ESCROW": "100"}
LATE = {"CUCKOO_MINER_REDEEM_AT": "1000", "CUCKOO_MINER_REDEEM_ON_EXIT": "true"}
SHORT, LONG = 8, 150
REPLACED = 2
"""The exit code of a role whose key was replaced."""


class Owned(Town):
    """A town whose owners' keys are known."""

    def __init__(self, folder):
        super().__init__(folder)
        self.owners = {}

    async def _register(self, client, role, cai, operator_key, introduction):
        key = secrets.token_bytes(32)
        owner, faucet = Sender(client, key), Sender(client, DEPLOYER_KEY)
        for address in (owner.address, Signer(operator_key).address):
            await drip(client, faucet, address)
        await Wallet(client, owner.address, owner).deposit(cai * CAI)
        new = NewNode(role=role, introduction=introduction, amount=cai * CAI)
        node = (await Registration(client, owner).register(new, Signer(operator_key))).node_id
        self.owners[role] = (node, key)
        return node

    def cuckoo(self, *command):
        where = ("--data-dir", str(self.folder / "owner"), "--network", str(self.network_file))
        return subprocess.run(
            [sys.executable, "-m", "cuckoo", *command, *where], capture_output=True, text=True, check=False
        )

    async def rotate(self, role, name):
        """Give a role a new key, as its owner does; what runs with the old one is started again with it by ``again``."""
        node, owner = self.owners[role]
        new = secrets.token_bytes(32)
        async with await ChainClient.connect(read_network(self.network_file)) as client:
            await drip(client, Sender(client, DEPLOYER_KEY), Signer(new).address)
        words = ("stake", "rotate-operator", str(node), "--operator", new.hex(), "--key", owner.hex(), "--yes")
        done = await asyncio.to_thread(self.cuckoo, *words)
        assert done.returncode == 0, done.stderr
        arguments = self.processes[name].arguments
        at = arguments.index("--key") + 1
        self.processes[name].arguments = (*arguments[:at], new.hex(), *arguments[at + 1 :])
        return Signer(new).address


@pytest.fixture
async def town(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.support.processes.ENVIRONMENT", ENVIRONMENT | PRICES | LATE)
    town = Owned(tmp_path)
    try:
        await town.found(miners=1)
        yield town
    finally:
        town.stop()


async def asked(town, steps):
    async with AppClient(town.origin) as app:
        return await app.submit(TaskRequest(prompt="red apple", steps=steps, seed=7))


async def done(town, task):
    async def is_done():
        with suppress(CuckooError):
            async with AppClient(town.origin) as app:
                return (await app.get(task.task_id)).status == "done"
        return False

    await until(is_done, what=f"the picture of {task.task_id}")


async def ended(process):
    async def has():
        return not process.runs

    await until(has, what=f"{process.name} to end")
    return process.popen.returncode


async def said(process, event, **fields):
    async def has():
        return any(
            entry["event"] == event and all(entry.get(name) == value for name, value in fields.items())
            for entry in process.logged()
        )

    await until(has, what=f"{process.name} to say: {event}")


def voucher_of(town):
    """Return who signed the voucher that the miner keeps, and over what."""
    network = read_network(town.network_file)
    coordinator, miner = (town.owners[role][0] for role in (Role.COORDINATOR, Role.MINER))
    file = town.folder / "miner-0" / network.name / f"miner-{miner}" / "cuckoo.sqlite"
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT cumulative_wei, signature FROM vouchers").fetchall()
    ((wei, signature),) = rows
    hasher = Hasher(Domain(network.chain_id, network.staking))
    digest = hasher.digest(hash_voucher(NodeId(coordinator), NodeId(miner), int(wei)))
    return recover(digest, signature), int(wei)


async def test_rotation__of_both_while_they_run__everything_is_paid_for(town):
    coordinator, miner = town.processes["coordinator"], town.processes["miner-0"]
    await done(town, await asked(town, SHORT))
    earned = price_of(64 * 64 * SHORT, 100 * CAI)

    # The coordinator's key, while it runs.
    new = await town.rotate(Role.COORDINATOR, "coordinator")
    assert await ended(coordinator) == REPLACED
    assert "was replaced as its operator" in coordinator.log.read_text()
    coordinator.start()
    await town.signed_in(1)

    async def signed_anew():
        return voucher_of(town) == (new, earned)

    await until(signed_anew, what="a voucher of the new key over the old amount")

    # The miner's key, with a result in its hands that nobody takes.
    task = await asked(town, LONG)
    await said(miner, "attempt taken", task=task.task_id)
    coordinator.kill()
    await said(miner, "result not delivered yet", task=task.task_id)
    await town.rotate(Role.MINER, "miner-0")
    assert await ended(miner) == REPLACED
    miner.start()
    await said(miner, "delivering again", task=task.task_id)
    coordinator.start()
    await done(town, task)
    await said(miner, "result accepted", task=task.task_id, attempt=1)
    earned += price_of(64 * 64 * LONG, 100 * CAI)
    assert voucher_of(town) == (new, earned)

    # On chain, by the new key.
    assert miner.stop() == 0
    network = read_network(town.network_file)
    async with await ChainClient.connect(network) as client:
        account = await EscrowContract(client).account(
            *(town.owners[role][0] for role in (Role.COORDINATOR, Role.MINER))
        )
        assert account.redeemed_wei == earned
