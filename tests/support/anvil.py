"""A connected client of a local chain, and people on it."""

import secrets
from dataclasses import dataclass, field

from cuckoo.chain.contracts import StakingContract, TokenContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import CAI
from cuckoo.services.staking.wallet import Wallet, drip


@dataclass
class Chain:
    """A connected client, the faucet's payer, a way to make people, and the owners of nodes that were made for a test."""

    client: ChainClient
    payer: Sender
    owners: dict = field(default_factory=dict)

    @property
    def staking(self):
        return StakingContract(self.client)

    async def person(self, cai=0, drips=1, key=None):
        """Make a wallet with gas and, beyond one drip, ``cai`` more CAI."""
        sender = Sender(self.client, key or secrets.token_bytes(32))
        for _ in range(drips):
            await drip(self.client, self.payer, sender.address)
        if cai:
            await TokenContract(self.client).transfer(self.payer, sender.address, cai * CAI)
        return Wallet(self.client, sender.address, sender)

    async def rpc(self, method, *parameters):
        """Ask the chain's node for something of its own."""
        return await self.client.web3.provider.make_request(method, list(parameters))

    async def pass_time(self, seconds):
        """Let chain time pass, and mine a block."""
        await self.rpc("evm_increaseTime", seconds)
        await self.rpc("evm_mine")
