"""Row ``chain``: reading the registry from nothing.

The miners are registered by real transactions on an anvil of its own. A small proxy counts requests, apart from the
rounds that are timed. A call may use 50 million gas, geth's default. The ratio compares with one request a node, which
is timed over a sample.
"""

import asyncio
import logging
import statistics
import tempfile
import time
from pathlib import Path

import structlog

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.devnet import running_devnet
from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.identifiers import NodeId
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.follower import Follower
from tests.bench.figures import Figure, Row
from tests.support.crowd import register_miners
from tests.support.endpoints import Proxy

ROUNDS = 3
SAMPLE = 200
CALL_GAS = 50_000_000


async def _seconds(step):
    start = time.perf_counter()
    await step()
    return time.perf_counter() - start


async def _sync(network, url):
    """Read everything as a coordinator does when it starts, connection included."""
    async with await ChainClient.connect(network, [url]) as client:
        follower = Follower(client, SystemClock())
        await follower.start()
        return follower


async def _one_by_one(client):
    staking = StakingContract(client)
    for node in range(1, SAMPLE + 1):
        await staking.node(NodeId(node))


async def _measured(miners):
    """Register, sync, check that nothing is missing, and time it."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_devnet(0, Path(folder) / "network.json") as devnet:
            network = devnet.network
            url = network.rpc_urls[0]
            async with await ChainClient.connect(network) as client:
                registering = await _seconds(lambda: register_miners(client, miners))
                await client.web3.provider.make_request("evm_setBlockGasLimit", [hex(CALL_GAS)])
                await client.web3.provider.make_request("evm_mine", [])
                one = statistics.median([await _seconds(lambda: _one_by_one(client)) for _ in range(ROUNDS)]) / SAMPLE
            async with Proxy(url).running() as proxy:
                found = (await _sync(network, proxy.url)).miners()
            if len(found) != miners or not all(node.introduction and node.eligible for node in found):
                raise SystemExit(f"only {len(found)} of {miners} miners were found, or not with all they have")
            syncing = statistics.median([await _seconds(lambda: _sync(network, url)) for _ in range(ROUNDS)])
    return {
        "miners": miners,
        "ratio": one * miners / syncing,
        "sync_s": syncing,
        "requests": len(proxy.asked),
        "one_node_ms": one * 1_000,
        "registering_s": registering,
    }


def measure(options):
    """Measure the row."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    raw = asyncio.run(_measured(options.sync_miners))
    return Row(
        [
            Figure(f"registry of {raw['miners']:,} miners over a request for each", raw["ratio"], "x"),
            Figure("the registry from nothing", raw["sync_s"], "s"),
            Figure("requests for it", raw["requests"], "requests"),
            Figure("one node by itself, local chain", raw["one_node_ms"], "ms"),
        ],
        raw,
    )
