"""Cuckoo's commands as real processes, in folders of a test's own."""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from cuckoo.chain.deployment import read_network
from cuckoo.chain.devnet import DEPLOYER_KEY
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.client.app import AppClient
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import CuckooError
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.wallet import Wallet, drip

ENVIRONMENT = {
    # Short enough for a test, long enough for two busy cores.
    "CUCKOO_COORDINATOR_MINER_LOST_S": "6",
    "CUCKOO_COORDINATOR_AUDITS": "0",  # tests of audits ask for them
    "CUCKOO_MINER_PROGRESS_S": "1",
    "CUCKOO_STAKER_PORT": "0",
    "CUCKOO_MINER_THREADS": "1",
    "CUCKOO_MINER_DEVICES": "cpu",
    "CUCKOO_LOG_FORMAT": "json",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def until(condition, seconds=90, *, what="the condition"):
    """Wait until an async condition gives something true, and return it."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                if outcome := await condition():
                    return outcome
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"after {seconds} s still waiting for {what}") from None


class Process:
    """One command that runs until it is stopped."""

    def __init__(self, name, arguments, folder, environment=None):
        self.name = name
        self.arguments = arguments
        self.environment = os.environ | ENVIRONMENT if environment is None else environment
        self.log = folder / f"{name}.log"
        self.popen = None

    def start(self):
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "cuckoo", "--leash", *self.arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        return self

    def kill(self):
        """kill -9: this process alone, as it stands."""
        self.popen.kill()
        self.popen.wait()

    def stop(self, seconds=40):
        """SIGTERM; returns the exit code."""
        self.popen.terminate()
        return self.popen.wait(seconds)

    @property
    def runs(self):
        return self.popen is not None and self.popen.poll() is None

    def children(self):
        """Return the ids of the processes that this one started."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[1]) == self.popen.pid:
                    found.append(int(stat.parent.name))
        return found

    def logged(self):
        """Return the log's entries so far."""
        entries = []
        for line in self.log.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                entries.append(json.loads(line))
        return entries


class Town:
    """A local chain, one coordinator and some miners, each a process."""

    def __init__(self, folder):
        self.folder = folder
        self.network_file = folder / "devnet.json"
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.processes = {}
        self.miner_nodes = {}

    def start(self, name, *arguments):
        data = self.folder / name
        shared = ("--data-dir", str(data), "--network", str(self.network_file))
        self.processes[name] = Process(name, (*arguments, *shared), self.folder).start()
        return self.processes[name]

    async def found(self, *, miners):
        """Start the chain, register everybody, start coordinator and miners, wait until all are signed in."""
        self.start("devnet", "devnet", "--port", "0")
        await until(self._network_is_written, what="the local chain")
        network = read_network(self.network_file)
        coordinator_key = secrets.token_bytes(32)
        keys = [secrets.token_bytes(32) for _ in range(miners)]
        async with await ChainClient.connect(network) as client:
            introduction = Introduction(name="coordinator", url=self.origin)
            await self._register(client, Role.COORDINATOR, 2_000_000, coordinator_key, introduction)
            nodes = [
                await self._register(client, Role.MINER, 20_000, key, Introduction(name=f"miner {number}"))
                for number, key in enumerate(keys)
            ]
        self.start("coordinator", "coordinator", "--port", str(self.port), "--key", coordinator_key.hex())
        for number, (key, node) in enumerate(zip(keys, nodes, strict=True)):
            self.miner_nodes[node] = f"miner-{number}"
            self.start(f"miner-{number}", "miner", "--key", key.hex())
        await self.signed_in(miners)

    async def _network_is_written(self):
        return self.network_file.exists()

    @staticmethod
    async def _register(client, role, cai, operator_key, introduction):
        owner = Sender(client, secrets.token_bytes(32))
        await drip(client, Sender(client, DEPLOYER_KEY), owner.address)
        await drip(client, Sender(client, DEPLOYER_KEY), Signer(operator_key).address)
        await Wallet(client, owner.address, owner).deposit(cai * CAI)
        new = NewNode(role=role, introduction=introduction, amount=cai * CAI)
        return (await Registration(client, owner).register(new, Signer(operator_key))).node_id

    async def signed_in(self, count):
        """Wait until so many miners serve the bundled model."""

        async def enough():
            with suppress(CuckooError):
                async with AppClient(self.origin) as app:
                    return sum(model.miners for model in (await app.models()).data) >= count
            return False

        await until(enough, what=f"{count} miners to sign in")

    def miner_of(self, node_id):
        return self.processes[self.miner_nodes[node_id]]

    def stop(self):
        """End all processes, the chain last; what does not end by itself is killed."""
        for process in reversed(self.processes.values()):
            if process.runs:
                process.popen.send_signal(signal.SIGTERM)
        for process in reversed(self.processes.values()):
            try:
                process.popen.wait(25)
            except subprocess.TimeoutExpired:
                os.killpg(process.popen.pid, signal.SIGKILL)
                process.popen.wait()
