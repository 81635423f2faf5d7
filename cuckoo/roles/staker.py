"""The staker role: follows its owner's positions, releases matured stake, reports slashes and commission rises."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import parse_cai
from cuckoo.domain.settings import StakerSettings
from cuckoo.roles.chain import Chain
from cuckoo.roles.status import StakerStatus
from cuckoo.runtime.service import Service
from cuckoo.services.reporting import Reporting
from cuckoo.services.staking.compounding import Compounding
from cuckoo.services.staking.rewards import RewardBook
from cuckoo.services.staking.wallet import Wallet
from cuckoo.services.staking.watch import StakeWatch
from cuckoo.storage.store import open_store


@asynccontextmanager
async def open_staker(
    chain: Chain, private_key: bytes, data_dir: Path, settings: StakerSettings
) -> AsyncIterator[Sequence[Service]]:
    """Open a staker's wallet and watch over it.

    Args:
        chain: connected; its registry view tells what happens to nodes.
        private_key: the owner's, for releases and for compounding.
        data_dir: of this user; the staker's state and ledger are in a folder of its own inside.
        settings: see there.

    Raises:
        ConfigError: another process watches over this wallet with the same data folder.
    """
    sender, network = Sender(chain.client, private_key), chain.network.name
    wallet = Wallet(chain.client, sender.address, sender)
    folder = data_dir / network / f"staker-{sender.address}"
    async with open_store(folder, clock=chain.clock.now) as store:
        compounding = None
        if settings.auto_compound:
            at_wei = parse_cai(settings.compound_at)
            compounding = Compounding(chain.client, wallet, store, at_wei=at_wei, clock=chain.clock)
        rewards = RewardBook(chain.client, sender.address, store)
        watch = StakeWatch(wallet, rewards, compounding, chain.clock, interval_s=settings.interval_s)
        chain.registry.subscribe(watch.on_events)
        status = StakerStatus(chain, wallet)
        reporting = Reporting(folder, network, status.read, clock=chain.clock, every_s=settings.interval_s)
        yield [
            Service("stake", watch.run),
            Service("reporting", reporting.run),
            Service("store", store.writer.watch),
        ]
