"""The devnet role, alone in a process of ours."""

import asyncio
from functools import partial

from cuckoo.chain.deployment import read_network
from cuckoo.chain.rpc import ChainClient
from cuckoo.roles.compose import run_roles
from cuckoo.roles.devnet import open_devnet


async def test_devnet__stopped__network_file_served_until_then(tmp_path):
    file, stop = tmp_path / "network.json", asyncio.Event()
    running = asyncio.create_task(run_roles([("devnet", partial(open_devnet, 0, file))], grace_s=5, stop=stop))
    async with asyncio.timeout(60):
        while not file.exists():  # noqa: ASYNC110 - the file is what is waited for
            await asyncio.sleep(0.05)
    network = read_network(file)
    async with await ChainClient.connect(network) as chain:
        assert (await chain.block()).number > 0
    stop.set()
    await running
