"""A miner that redeems its voucher, to be killed: RPC URL, network file, outbox, coordinator, miner, wei, signature."""

import asyncio
import os
import sys
from pathlib import Path

from cuckoo.chain.deployment import read_network
from cuckoo.chain.rpc import ChainClient
from tests.support.redeeming import look


async def main(url, network, outbox, coordinator, miner, cumulative, signature):
    voucher = (int(coordinator), int(cumulative), bytes.fromhex(signature))
    async with await ChainClient.connect(read_network(Path(network)), [url], Path(outbox)) as client:
        print("paid", await look(client, bytes.fromhex(os.environ["MINER_KEY"]), int(miner), voucher), flush=True)


asyncio.run(main(*sys.argv[1:]))
