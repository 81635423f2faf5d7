"""Child: the coordinator as the role puts it together, with an escrow and a registry that are not on a chain.

``python -m tests.bench.coordinator FOLDER MINERS BATCH_MAX [PROFILE]``
"""

import asyncio
import cProfile
import functools
import sys
from pathlib import Path

from cuckoo.cli.serving import run
from cuckoo.domain.amounts import CAI, MINER_MINIMUM, Wei
from cuckoo.domain.identifiers import Role
from cuckoo.domain.pricing import Rates
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.runtime.logging import configure_logging
from cuckoo.storage import store as store_module
from cuckoo.storage.writer import Writer
from tests.bench.children import answer, commands
from tests.bench.town import PRICE_WEI, miner_key, miner_node
from tests.support.coordinating import Escrow, Registry, node, running

WALLET_WEI = 10**9 * CAI


def registry(miners):
    nodes = Registry()
    for number in range(miners):
        weight = MINER_MINIMUM // CAI * (1 + number % 10)
        nodes.put(node(miner_node(number), Role.MINER, miner_key(number).address, weight))
    return nodes


def settings():
    return CoordinatorSettings(port=0, queue_limit=20_000)


async def main(folder, miners):
    escrow = Escrow(wallet=WALLET_WEI)
    for number in range(miners):
        escrow.set(miner_node(number), balance_wei=Wei(1_000_000 * CAI))
    nodes = registry(miners)
    async with running(
        folder, registry=nodes, settings=settings(), escrow=escrow, rates=Rates(Wei(PRICE_WEI))
    ) as coordinator:
        services = [
            asyncio.create_task(coordinator.dispatch.run()),
            asyncio.create_task(coordinator.purse.run()),
        ]
        answer(origin=coordinator.origin)
        async for command in commands():
            if command["ask"] == "state":
                answer(miners=len(coordinator.dispatch.miners), parked=coordinator.parked())
        for service in services:
            service.cancel()


if __name__ == "__main__":
    configure_logging("warning")
    # One commit per write is the same code with batches of one command.
    store_module.Writer = functools.partial(Writer, batch_max=int(sys.argv[3]))
    work = main(Path(sys.argv[1]), int(sys.argv[2]))
    if len(sys.argv) > 4:
        profile = cProfile.Profile()
        profile.runcall(run, work)
        profile.dump_stats(sys.argv[4])
    else:
        run(work)
