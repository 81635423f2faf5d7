"""A real local chain for the whole session, and funded people on it."""

import itertools
import secrets
from dataclasses import dataclass

import pytest
import pytest_asyncio

from cuckoo.chain.contracts import StakingContract, TokenContract
from cuckoo.chain.devnet import DEPLOYER_KEY, running_devnet
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import CAI
from cuckoo.services.staking.wallet import Wallet, drip

_names = itertools.count(1)


@dataclass
class Chain:
    """A connected client, the faucet's payer, and a way to make people."""

    client: ChainClient
    payer: Sender

    @property
    def staking(self):
        return StakingContract(self.client)

    async def person(self, cai=0, drips=1):
        """Make a wallet with gas and, beyond one drip, ``cai`` more CAI."""
        sender = Sender(self.client, secrets.token_bytes(32))
        for _ in range(drips):
            await drip(self.client, self.payer, sender.address)
        if cai:
            await TokenContract(self.client).transfer(self.payer, sender.address, cai * CAI)
        return Wallet(self.client, sender.address, sender)

    async def pass_time(self, seconds):
        """Let chain time pass, and mine a block."""
        await self.client.web3.provider.make_request("evm_increaseTime", [seconds])
        await self.client.web3.provider.make_request("evm_mine", [])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def network(tmp_path_factory):
    async with running_devnet(0, tmp_path_factory.mktemp("devnet") / "network.json") as devnet:
        yield devnet.network


@pytest.fixture
async def chain(network):
    async with await ChainClient.connect(network) as client:
        yield Chain(client, Sender(client, DEPLOYER_KEY))
