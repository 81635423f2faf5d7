"""The production mining service, at work for a coordinator of a test over HTTP."""

import asyncio
import json
from contextlib import asynccontextmanager

from msgspec.structs import replace

from cuckoo.chain.escrow import EscrowAccount
from cuckoo.client.coordinator import CoordinatorClient
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.protocol.signing import Signer
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.mining import DurableReceipts, KeptLatents, Miner, Mining, MiningOptions
from cuckoo.storage.store import open_store
from tests.support.coordinating import COORDINATOR, DOMAIN, node

MINER_KEY = Signer(b"\x61" * 32)


class Plenty:
    """What the miner reads on chain."""

    async def account(self, coordinator, miner):
        return EscrowAccount(
            balance_wei=Wei(1000 * CAI), thawing_wei=Wei(0), thawed_at=0, redeemed_wei=Wei(0), fees_wei=Wei(0)
        )


@asynccontextmanager
async def at_work(folder, coordinator, pool, connect=CoordinatorClient, clock=None, progress_s=5.0):
    """Run the mining service; gives its store."""
    coordinator.registry.put(node(2, Role.MINER, MINER_KEY.address))
    introduction = json.dumps({"name": "c", "url": coordinator.origin})
    found = replace(coordinator.registry.node(COORDINATOR), introduction=introduction)
    async with open_store(folder) as store:
        mining = Mining(
            Miner(NodeId(2), MINER_KEY, DOMAIN),
            pool=pool,
            receipts=DurableReceipts(store),
            latents=KeptLatents(folder / "latents"),
            escrow=Plenty(),
            coordinators=lambda: [found],
            connect=connect,
            seed=b"\x05" * 32,
            clock=clock or SystemClock(),
            options=MiningOptions(draw_period_s=10**9, progress_s=progress_s),
        )
        work = asyncio.create_task(mining.run())
        try:
            yield store
        finally:
            work.cancel()
            await asyncio.wait({work})
