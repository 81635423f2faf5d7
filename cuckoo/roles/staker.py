"""The staker role: follows its owner's positions, releases matured stake, reports slashes and commission rises."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cuckoo.chain.transactions import Sender
from cuckoo.domain.settings import StakerSettings
from cuckoo.roles.chain import Chain
from cuckoo.roles.status import StakerStatus
from cuckoo.runtime.service import Service
from cuckoo.services.reporting import Reporting
from cuckoo.services.staking.wallet import Wallet
from cuckoo.services.staking.watch import StakeWatch
from cuckoo.storage.lock import DirectoryLock


@asynccontextmanager
async def open_staker(
    chain: Chain, private_key: bytes, data_dir: Path, settings: StakerSettings
) -> AsyncIterator[Sequence[Service]]:
    """Open a staker's wallet and watch over it.

    Args:
        chain: connected; its registry view tells what happens to nodes.
        private_key: the owner's, for releases.
        data_dir: of this user; the staker's state is written into a folder of its own inside.
        settings: see there.

    Raises:
        ConfigError: another process watches over this wallet with the same data folder.
    """
    sender, network = Sender(chain.client, private_key), chain.network.name
    wallet = Wallet(chain.client, sender.address, sender)
    watch = StakeWatch(wallet, chain.clock, interval_s=settings.interval_s)
    chain.registry.subscribe(watch.on_events)
    folder = data_dir / network / f"staker-{sender.address}"
    folder.mkdir(parents=True, exist_ok=True)
    status = StakerStatus(chain, wallet)
    reporting = Reporting(folder, network, status.read, clock=chain.clock, every_s=settings.interval_s)
    with DirectoryLock(folder):
        yield [Service("stake", watch.run), Service("reporting", reporting.run)]
