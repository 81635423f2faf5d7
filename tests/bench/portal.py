"""Row ``portal``: the staking portal's server with 10,000 nodes, over HTTP.

The nodes are made up; the chain that says what roles are paid, the file of what has happened, the server and the client
are real. Every request comes after a new block, so that nothing is left of the one before: lists are sorted anew.
"""

import asyncio
import json
import random
import statistics
import time

import aiohttp
from aiohttp import web

from cuckoo.chain.devnet import running_devnet
from cuckoo.chain.rpc import ChainClient
from cuckoo.client.app import AppClient
from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.node import Node
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.staking.claims import Claim, Claims
from cuckoo.services.staking.history import History
from cuckoo.services.staking.shelf import NodeShelf
from cuckoo.storage.chronicle import Chronicle
from cuckoo.web.portal import portal_app
from tests.bench.figures import Figure, Row

NODES = 10_000
ROUNDS = 21
FIRST_PAGE_MS, FILTER_MS = 200, 50


class Registry:
    """Nodes that do not change, at the block that the chain has."""

    def __init__(self, rng):
        self.block = None
        self._nodes = {NodeId(number): _node(number, rng) for number in range(1, NODES + 1)}

    def node(self, node_id):
        return self._nodes.get(node_id)

    def nodes(self, role):
        return [node for node in self._nodes.values() if node.role is role]


def _node(number, rng):
    own, votes = rng.randrange(20_000, 500_000) * CAI, rng.randrange(1_000_000) * CAI
    return Node(
        node_id=NodeId(number),
        role=Role.COORDINATOR if number % 50 == 0 else Role.MINER,
        owner=f"0x{number:040x}",
        operator=f"0x{number + 10**6:040x}",
        weight_wei=min(own + votes, 10 * own),
        floor_wei=20_000 * CAI,
        own_wei=own,
        own_active_wei=own,
        votes_wei=votes,
        votes_active_wei=votes,
        commission_bps=rng.randrange(2_000),
        max_commission_bps=2_000,
        jailed_until=0,
        introduction=json.dumps({"name": f"Node {number}", "text": "A machine in " + rng.choice(["Seoul", "Jeju"])}),
    )


def _claims(claims, rng):
    said = {
        NodeId(number): Claim(
            miner=NodeId(number),
            device="H200",
            **{name: rng.randrange(1, 1_000) for name in Claim.__struct_fields__ if name not in ("miner", "device")},
        )
        for number in range(1, NODES + 1)
    }
    claims._said = {NodeId(50): (1, said), NodeId(100): (1, said)}


async def _measure(folder):
    rng = random.Random(7)
    async with (
        running_devnet(0, folder / "network.json") as devnet,
        await ChainClient.connect(devnet.network, (), folder / "outbox.sqlite") as client,
    ):
        chronicle = Chronicle(folder / "chronicle.sqlite")
        history, registry = History(client, chronicle), Registry(rng)
        await history.advance()
        claims = Claims(chronicle, AppClient, SystemClock(), devnet.network.chain_id)
        _claims(claims, rng)
        shelf = NodeShelf(client, registry, history, claims)
        runner = web.AppRunner(portal_app(client, shelf, history, None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        times = {}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:

            async def timed(what, path, *, new_block):
                if new_block:
                    await client.run(lambda web3: web3.provider.make_request("evm_mine", []))
                    registry.block = await client.block()
                    await history.advance()
                start = time.perf_counter()
                async with session.get(path) as answer:
                    assert answer.status == 200, await answer.text()
                    await answer.read()
                times.setdefault(what, []).append((time.perf_counter() - start) * 1e3)

            for _ in range(ROUNDS):
                await timed("first page, new block", "/api/nodes?limit=25", new_block=True)
                await timed("filtered by words", "/api/nodes?limit=25&search=jeju+node", new_block=False)
                await timed(
                    "filtered by role and weight", "/api/nodes?limit=25&role=coordinator&eligible=1", new_block=False
                )
                await timed("sorted by yield", "/api/nodes?limit=25&sort=yield", new_block=False)
                await timed("sorted by claimed tasks", "/api/nodes?limit=25&sort=tasks", new_block=False)
        await runner.cleanup()
        chronicle.close()
    return times


def measure(options):
    """Measure the row."""
    folder = options.directory / "portal"
    folder.mkdir(parents=True, exist_ok=True)
    times = asyncio.run(_measure(folder))
    medians = {what: statistics.median(some) for what, some in times.items()}
    first, words = medians["first page, new block"], medians["filtered by words"]
    bars = {
        "first page, new block": FIRST_PAGE_MS,
        "filtered by words": FILTER_MS,
        "filtered by role and weight": FILTER_MS,
    }
    figures = [
        Figure(f"the first page over {FIRST_PAGE_MS} ms, {NODES:,} nodes", first / FIRST_PAGE_MS, "x", 1, at_most=True),
        Figure(f"a filter over {FILTER_MS} ms", words / FILTER_MS, "x", 1, at_most=True),
    ]
    figures += [Figure(what, value, "ms", bars.get(what), at_most=True) for what, value in medians.items()]
    return Row(figures, {"milliseconds": times})
