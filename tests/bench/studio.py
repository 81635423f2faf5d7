"""Child: a coordinator and a miner with real workers, as their roles put them together, over HTTP on loopback.

``python -m tests.bench.studio FOLDER MODELS_TOML DEVICES BUCKET``; registry and escrow are not on a chain.
"""

import asyncio
import secrets
import sys
from pathlib import Path

import msgspec

from cuckoo.cli.serving import run
from cuckoo.client.coordinator import CoordinatorClient
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.inference.models import load_registry
from cuckoo.inference.pool import PoolOptions, WorkerPool
from cuckoo.protocol.signing import Signer
from cuckoo.roles.coordinator import model_info
from cuckoo.runtime.clock import SystemClock
from cuckoo.runtime.logging import configure_logging
from cuckoo.services.mining import DurableReceipts, KeptLatents, Miner, Mining, MiningOptions
from cuckoo.storage.store import open_store
from tests.bench.children import answer, commands
from tests.support.coordinating import COORDINATOR, COORDINATOR_KEY, DOMAIN, Escrow, Registry, node, running

MINER = NodeId(2)
MINER_KEY = Signer(b"\x33" * 32)
DRAW_PERIOD_S = 3_600


class MinersEscrow(Escrow):
    """The accounts as the miner asks for them."""

    async def account(self, coordinator, miner):
        return await super().account(miner)


async def main(folder, registry_file, devices, bucket):
    models = list(load_registry(registry_file).values())
    registry = Registry()
    registry.put(node(MINER, Role.MINER, MINER_KEY.address))
    options = PoolOptions(devices=devices, batch_bucket=bucket, digest_cache=str(folder / "digests.json"))
    clock = SystemClock()
    async with (
        running(
            folder / "coordinator",
            registry=registry,
            settings=CoordinatorSettings(port=0),
            models=[model_info(model) for model in models],
        ) as coordinator,
        open_store(folder / "miner") as store,
        WorkerPool(models, options) as pool,
    ):
        introduction = msgspec.json.encode({"name": "bench", "url": coordinator.origin}).decode()
        listed = node(COORDINATOR, Role.COORDINATOR, COORDINATOR_KEY.address, 2_000_000)
        listed = msgspec.structs.replace(listed, introduction=introduction)
        receipts = DurableReceipts(store)
        await receipts.open(clock.now())
        mining = Mining(
            Miner(MINER, MINER_KEY, DOMAIN),
            pool=pool,
            receipts=receipts,
            latents=KeptLatents(folder / "latents"),
            escrow=MinersEscrow(),
            coordinators=lambda: [listed],
            connect=CoordinatorClient,
            seed=secrets.token_bytes(32),
            clock=clock,
            options=MiningOptions(draw_period_s=DRAW_PERIOD_S),
        )
        services = [
            asyncio.create_task(coordinator.dispatch.run()),
            asyncio.create_task(coordinator.purse.run()),
            asyncio.create_task(mining.run()),
        ]
        await pool.ready.wait()
        answer(origin=coordinator.origin, devices=list(pool.devices))
        async for _ in commands():
            answer(profiles=[msgspec.to_builtins(one.profile) for one in pool.loaded().values()])
        await mining.drain()
        for service in services:
            service.cancel()


if __name__ == "__main__":
    configure_logging("warning")
    run(main(Path(sys.argv[1]), Path(sys.argv[2]), tuple(sys.argv[3].split(",")), int(sys.argv[4])))
