"""A process that sends 1 wei to ever new addresses until it is killed, and names whom it has paid."""

import asyncio
import os
import sys
from pathlib import Path

from cuckoo.chain.deployment import undeployed
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.network import DEVNET_RULES

AT_ONCE = 4


async def main(url: str, outbox: Path) -> None:
    """Pay, four at a time, for ever."""
    network = undeployed("bare", 4242, (url,), DEVNET_RULES)
    async with ChainClient(network, outbox=outbox) as client:
        sender = Sender(client, bytes.fromhex(os.environ["SENDER_KEY"]))

        async def pay() -> None:
            while True:
                to = client.web3.to_checksum_address(os.urandom(20))
                await sender.send_raw({"to": to, "value": 1}, f"pay {to}")
                print("paid", to, flush=True)

        await asyncio.gather(*(pay() for _ in range(AT_ONCE)))


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
