"""Bare local chains, with nothing deployed."""

import asyncio
import socket
from contextlib import asynccontextmanager

from cuckoo.chain.deployment import open_undeployed
from cuckoo.chain.devnet import find_anvil
from cuckoo.domain.errors import ChainUnreachable


@asynccontextmanager
async def bare_chain(chain_id=4242, *flags):
    """Run anvil with nothing deployed; gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        find_anvil(),
        *("--port", str(port), "--chain-id", str(chain_id), "--silent", *flags),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(20):
            while True:
                try:
                    await (await open_undeployed("probe", [url])).close()
                    break
                except ChainUnreachable:
                    await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def bare_client(chain_id=4242, *flags):
    """Run anvil with nothing deployed; gives a connected client."""
    async with bare_chain(chain_id, *flags) as url, await open_undeployed("test", [url]) as client:
        yield client
