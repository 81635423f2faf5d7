"""A coordinator in a process of its own, whose CPU time and memory a test reads from outside.

``python -m tests.integration.coordinator_child DIRECTORY`` prints its origin. Miners 10 to 99 are registered, 4 carries
no weight. A line of standard input moves its clock ahead by so many seconds; it stops when standard input closes.
"""

import asyncio
import sys
from pathlib import Path

from cuckoo.domain.identifiers import Role
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.protocol.signing import Signer
from cuckoo.runtime.logging import configure_logging
from tests.support.coordinating import node, running

MINERS = range(10, 100)
WEIGHTLESS = 4


def key_of(node_id):
    """Return the operator's key of a miner."""
    return Signer(node_id.to_bytes(32, "big"))


async def main(directory):
    """Serve until standard input closes."""
    async with running(directory, settings=CoordinatorSettings(port=0, long_poll_s=5.0)) as coordinator:
        for node_id in MINERS:
            coordinator.registry.put(node(node_id, Role.MINER, key_of(node_id).address))
        coordinator.registry.put(node(WEIGHTLESS, Role.MINER, key_of(WEIGHTLESS).address, 0))
        print(coordinator.origin, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            coordinator.clock.ahead_s += float(line)
            print("ahead", flush=True)


if __name__ == "__main__":
    configure_logging()
    asyncio.run(main(Path(sys.argv[1])))
