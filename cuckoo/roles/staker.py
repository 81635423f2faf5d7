"""The staker role: follows its owner's positions, releases matured stake, reports slashes and commission rises."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from pathlib import Path

import structlog

from cuckoo.chain.transactions import Sender
from cuckoo.client.http import is_loopback
from cuckoo.domain.amounts import parse_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.settings import StakerSettings
from cuckoo.roles.chain import Chain
from cuckoo.roles.status import StakerStatus
from cuckoo.runtime.service import Service
from cuckoo.services.reporting import Reporting
from cuckoo.services.staking.acts import Acts
from cuckoo.services.staking.claims import Claims, connector
from cuckoo.services.staking.compounding import Compounding
from cuckoo.services.staking.desk import SigningDesk
from cuckoo.services.staking.history import History
from cuckoo.services.staking.rewards import RewardBook
from cuckoo.services.staking.shelf import NodeShelf
from cuckoo.services.staking.wallet import Wallet
from cuckoo.services.staking.watch import StakeWatch
from cuckoo.storage.chronicle import Chronicle, chronicle_path
from cuckoo.storage.store import open_store
from cuckoo.web.portal import portal_app
from cuckoo.web.server import listen, serving

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_staker(
    chain: Chain, private_key: bytes | None, data_dir: Path, settings: StakerSettings
) -> AsyncIterator[Sequence[Service]]:
    """Serve the staking portal; with a key, watch over its wallet too.

    Args:
        chain: connected; its registry view tells what happens to nodes.
        private_key: the owner's, for releases, for compounding, and for what the portal's pages ask to sign; None for
            a portal that signs nothing.
        data_dir: of this user; the staker's state and ledger are in a folder of its own inside.
        settings: see there.

    Raises:
        ConfigError: another process watches over this wallet with the same data folder, the port is taken, or a portal
            with a key would be open to others.
    """
    async with AsyncExitStack() as stack:
        sender = None if private_key is None else Sender(chain.client, private_key)
        services: list[Service] = []
        if sender is not None:
            services += await stack.enter_async_context(_watching(chain, sender, data_dir, settings))
        if settings.portal:
            services += await stack.enter_async_context(_portal(chain, sender, data_dir, settings))
        if not services:
            raise ConfigError("run a staker: without a key and without the portal there is nothing to do")
        yield services


@asynccontextmanager
async def _portal(
    chain: Chain, sender: Sender | None, data_dir: Path, settings: StakerSettings
) -> AsyncIterator[list[Service]]:
    """Serve the portal."""
    if sender is not None and not is_loopback(settings.host):
        raise ConfigError(
            f"serve the portal on {settings.host}: with a key it is for this machine only: leave --host away, or serve "
            "one without a key: cuckoo staker --no-key"
        )
    chronicle = Chronicle(chronicle_path(data_dir, chain.network.name))
    history = History(chain.client, chronicle)
    claims = Claims(chronicle, connector(chain.network), chain.clock, chain.network.chain_id)
    await claims.start()
    shelf = NodeShelf(chain.client, chain.registry, history, claims)
    desk = None if sender is None else SigningDesk(Acts(chain.client), sender)
    with closing(chronicle), listen(settings.host, settings.port) as listener:
        async with serving(portal_app(chain.client, shelf, history, desk), listener):
            address = f"http://{settings.host}:{listener.getsockname()[1]}"
            log.info("portal serves", address=address, signs_for=None if sender is None else sender.address)
            services = [
                Service("history", partial(history.run, chain.registry, chain.clock)),
                Service("claims", partial(claims.run, shelf.coordinators)),
            ]
            yield services if desk is None else [*services, Service("portal", desk.run)]


@asynccontextmanager
async def _watching(
    chain: Chain, sender: Sender, data_dir: Path, settings: StakerSettings
) -> AsyncIterator[list[Service]]:
    """Watch over a wallet."""
    network = chain.network.name
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
