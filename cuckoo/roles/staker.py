"""The staker role: follows its owner's positions, releases matured stake, reports slashes and commission rises."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cuckoo.chain.transactions import Sender
from cuckoo.domain.settings import StakerSettings
from cuckoo.roles.chain import Chain
from cuckoo.runtime.service import Service
from cuckoo.services.staking.wallet import Wallet
from cuckoo.services.staking.watch import StakeWatch


@asynccontextmanager
async def open_staker(chain: Chain, private_key: bytes, settings: StakerSettings) -> AsyncIterator[Sequence[Service]]:
    """Open a staker's wallet and watch over it.

    Args:
        chain: connected; its registry view tells what happens to nodes.
        private_key: the owner's, for releases.
        settings: see there.
    """
    sender = Sender(chain.client, private_key)
    watch = StakeWatch(Wallet(chain.client, sender.address, sender), chain.clock, interval_s=settings.interval_s)
    chain.registry.subscribe(watch.on_events)
    yield [Service("stake", watch.run)]
