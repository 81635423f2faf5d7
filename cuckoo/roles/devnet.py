"""The devnet role: a local chain with the contracts deployed and the network file written."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cuckoo.chain.devnet import running_devnet
from cuckoo.runtime.service import Service


@asynccontextmanager
async def open_devnet(port: int, network_file: Path) -> AsyncIterator[Sequence[Service]]:
    """Start the chain; what needs it can be opened once this is entered.

    Args:
        port: of the RPC endpoint on loopback; 0 picks a free one, which the network file then names.
        network_file: where to write it.

    Raises:
        ConfigError: anvil is not installed, or the port is taken.
        FatalError: anvil does not start.
    """
    async with running_devnet(port, network_file) as devnet:
        yield [Service("chain", devnet.wait)]
