"""The miner role: a worker pool on this host's devices, working for coordinators that it finds on chain."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from cuckoo.chain.escrow import EscrowContract, NodeEscrow
from cuckoo.chain.transactions import Sender
from cuckoo.client.app import AppClient
from cuckoo.client.coordinator import CoordinatorClient
from cuckoo.domain.amounts import Wei, parse_cai, parse_gwei
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.settings import MinerSettings
from cuckoo.inference.hub import Fetched, fetch_all
from cuckoo.inference.models import Model, load_registry
from cuckoo.inference.pool import PoolOptions, WorkerPool, resolve_devices
from cuckoo.protocol.eip712 import Domain, Hasher
from cuckoo.protocol.signing import Signer
from cuckoo.protocol.views import DrawsView
from cuckoo.roles.chain import Chain, require_node, watch_operator, why_not_eligible
from cuckoo.roles.status import MinerStatus
from cuckoo.runtime.clock import Clock
from cuckoo.runtime.metrics import MinerMetrics
from cuckoo.runtime.service import Service
from cuckoo.services.bookkeeping.booking import Booking
from cuckoo.services.disputing.court import Court
from cuckoo.services.disputing.jury import Jury
from cuckoo.services.disputing.opinion import Opinions, Pool
from cuckoo.services.disputing.passes import sign_pass
from cuckoo.services.doctor.findings import read_findings, what_passed
from cuckoo.services.mining import DurableReceipts, KeptLatents, Miner, Mining, MiningOptions
from cuckoo.services.mining.coordinators import callable_coordinators
from cuckoo.services.mining.idle import WhyIdle
from cuckoo.services.mining.seams import CoordinatorLink
from cuckoo.services.mining.seams import Pool as MiningPool
from cuckoo.services.redeeming import MinerEscrow, Redeeming, RedeemRules
from cuckoo.services.reporting import Reporting
from cuckoo.services.retention import Retention
from cuckoo.services.verifying.draws import DrawsOnChain
from cuckoo.services.verifying.share import ShareWatch
from cuckoo.storage.store import Store, open_store
from cuckoo.web.metrics import serving_metrics

log = structlog.get_logger(__name__)

STANDING_S = 10.0
MODELS_FOLDER = "models"
"""Inside the data folder, for what comes from the hub."""

DOWNLOAD_TOLD_S = 15.0
EVIDENCE_ORIGINS = 4
"""Coordinators that are asked for the evidence of a dispute: the one it is about, then the heaviest."""

KEEP_DAYS = 7
"""Receipts and uploads stay so long: a day longer than results wait for their coordinator."""


@dataclass(frozen=True)
class Disguise:
    """What stands in the place of a miner's parts.

    Attributes:
        pool: what mining sees of the worker pool.
        jury: what the jury sees of it.
        connect: calls the coordinator at an address.
    """

    pool: Callable[[MiningPool], MiningPool] = lambda pool: pool
    jury: Callable[[MiningPool], MiningPool] = lambda pool: pool
    connect: Callable[[str], CoordinatorLink] = CoordinatorClient


@asynccontextmanager
async def open_miner(
    chain: Chain,
    private_key: bytes,
    data_dir: Path,
    settings: MinerSettings,
    *,
    disguise: Disguise | None = None,
    told: Callable[[Fetched], None] | None = None,
) -> AsyncIterator[Sequence[Service]]:
    """Check the stake, open store and pool, and mine.

    Args:
        chain: connected; coordinators are found in its registry view.
        private_key: the operator's.
        data_dir: of this user; the miner keeps its receipts in a folder of its own inside.
        settings: see there.
        disguise: for a cheat; an honest miner has none.
        told: hears how downloads of models go; default the log.

    Raises:
        ConfigError: the key is not that of an eligible miner, a model or device is unknown; says what to do.
    """
    disguise = disguise or Disguise()
    signer = Signer(private_key)
    node = await require_node(chain, Role.MINER, signer.address)
    models, devices = await what_this_machine_does(find_models(settings.models), settings.devices, data_dir)
    models = await fetch_all(models, data_dir / MODELS_FOLDER, told or DownloadLog(chain.clock).told)
    options = PoolOptions(
        devices=devices,
        threads=settings.threads,
        batch_bucket=settings.batch,
        digest_cache=str(data_dir / "digests.json"),
        grace_s=settings.grace_s,
    )
    folder = data_dir / chain.network.name / f"miner-{node.node_id}"
    metrics = MinerMetrics()
    async with (
        serving_metrics(settings.metrics, metrics.render),
        open_store(folder) as store,
        WorkerPool(models, options) as pool,
    ):
        receipts = DurableReceipts(store)
        await receipts.open(chain.clock.now())
        mining = Mining(
            Miner(node.node_id, signer, Domain(chain.network.chain_id, chain.network.staking)),
            pool=disguise.pool(pool),
            receipts=receipts,
            latents=KeptLatents(folder / "latents"),
            escrow=EscrowContract(chain.client),
            coordinators=chain.registry.coordinators,
            connect=disguise.connect,
            seed=secrets.token_bytes(32),
            clock=chain.clock,
            options=MiningOptions(
                draw_period_s=chain.network.parameters.draw_period,
                progress_s=settings.progress_s,
                preview_every=settings.preview_every,
                min_rate_wei=parse_cai(settings.min_price),
                max_unredeemed_wei=parse_cai(settings.max_unredeemed),
                account_holds_s=chain.network.rules.escrow_thaw / 2,
            ),
        )
        escrow = MinerEscrow(chain.client, Sender(chain.client, private_key), node.node_id)
        redeeming = Redeeming(
            store.vouchers,
            escrow,
            RedeemRules(
                at_wei=parse_cai(settings.redeem_at),
                max_gas_price_wei=parse_gwei(settings.redeem_max_gas_gwei),
                capped=mining.backing.capped,
            ),
            interval_s=settings.redeem_interval_s,
            clock=chain.clock,
        )
        booking = Booking(
            Role.MINER,
            store,
            NodeEscrow(chain.client, Role.MINER, node.node_id),
            interval_s=settings.redeem_interval_s,
            clock=chain.clock,
        )

        async def drain() -> None:
            await mining.drain()
            if settings.redeem_on_exit:
                await redeeming.look(at_wei=Wei(1))

        status = MinerStatus(
            chain,
            node.node_id,
            mining=mining,
            pool=pool,
            receipts=receipts,
            vouchers=store.vouchers,
            redeeming=redeeming,
            escrow=escrow,
            metrics=metrics,
            verdicts=store.verdicts,
        )
        reporting = Reporting(folder, chain.network.name, status.read, clock=chain.clock)
        period_s = chain.network.parameters.draw_period
        retention = Retention(store, days=KEEP_DAYS, draw_period_s=period_s, clock=chain.clock)

        async def draws(origin: str, period: int) -> DrawsView:
            async with AppClient(origin) as app:
                return await app.draws(period)

        share = ShareWatch(
            node.node_id, mining.origins, draws, DrawsOnChain(chain.client), period_s=period_s, clock=chain.clock
        )
        mining.on_assignment = lambda signed: share.arrived(signed.assignment)
        jury = open_jury(chain, node.node_id, store, private_key, disguise.jury(pool), settings)
        yield [
            Service("mining", mining.run, drain),
            Service("workers", pool.watch),
            Service("redeeming", redeeming.run),
            Service("ledger", booking.run),
            Service("retention", retention.run),
            Service("share", share.run),
            Service("jury", jury.run),
            Service("reporting", reporting.run),
            Service("questions", WhyIdle(node.node_id, mining, folder, clock=chain.clock).run),
            Service("store", store.writer.watch),
            Service("standing", lambda: watch_standing(chain, node.node_id)),
            Service("operator", lambda: watch_operator(chain, node.node_id, signer.address)),
        ]


def open_jury(
    chain: Chain, node_id: NodeId, store: Store, private_key: bytes, pool: Pool, settings: MinerSettings
) -> Jury:
    """Name what judges others' results: evidence comes from the coordinators that this miner may call."""
    signer, hasher = Signer(private_key), Hasher(Domain(chain.network.chain_id, chain.network.staking))

    def connect(origin: str) -> CoordinatorClient:
        return CoordinatorClient(
            origin,
            passes=lambda dispute, digest: sign_pass(signer, hasher, node_id, dispute, digest, chain.clock.now()),
        )

    def origins(coordinator: NodeId) -> list[str]:
        known = callable_coordinators(chain.registry.coordinators(), chain.network.chain_id)
        order = sorted(known, key=lambda node: (node != coordinator, -known[node].weight_wei))
        return [known[node].origin for node in order[:EVIDENCE_ORIGINS]]

    opinions = Opinions(pool, origins=origins, connect=connect, clock=chain.clock)
    court = Court(chain.client, Sender(chain.client, private_key))
    return Jury(node_id, store, court, opinions, clock=chain.clock, judges=settings.juror)


def find_models(names: Sequence[str]) -> list[Model]:
    """Return registry entries by name; raises ConfigError for one that is not there."""
    known = load_registry()
    for name in names:
        if name not in known:
            raise ConfigError(f'load model "{name}": it is not in the registry; there are {", ".join(known)}')
    return [known[name] for name in names]


class DownloadLog:
    """Says in the log how a download goes: at its beginning and its end, and every so many seconds between."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock."""
        self._clock = clock
        self._model = ""
        self._at = 0.0

    def told(self, fetched: Fetched) -> None:
        """Take how far it is."""
        now, ends = self._clock.monotonic(), fetched.done >= fetched.total
        if fetched.model == self._model and not ends and now - self._at < DOWNLOAD_TOLD_S:
            return
        self._model, self._at = fetched.model, now
        done = f"{fetched.done / max(1, fetched.total):.0%}"
        log.info("downloading a model", model=fetched.model, bytes=fetched.total, done=done)


async def what_this_machine_does(
    models: Sequence[Model], names: Sequence[str], data_dir: Path
) -> tuple[Sequence[Model], tuple[str, ...]]:
    """Leave out what ``cuckoo miner doctor`` found not to work here, where it was asked.

    Args:
        models: what the operator wants to serve.
        names: of devices, as settings name them.
        data_dir: where the doctor keeps what it finds.

    Returns:
        Models to serve, and devices.

    Raises:
        ConfigError: none of the models works here.
    """
    findings = read_findings(data_dir)
    if findings is None:
        return models, tuple(names)
    devices = await resolve_devices(names)
    kept, reasons = what_passed(models, devices, findings)
    for model, reason in reasons.items():
        log.warning("cuckoo miner doctor limits a model", model=model, reason=reason)
    if not kept:
        raise ConfigError(
            f"serve {', '.join(reasons)}: cuckoo miner doctor found that nothing of it works here "
            f"({'; '.join(reasons.values())}); mend that and run it again"
        )
    return kept, devices


async def watch_standing(chain: Chain, node_id: NodeId) -> None:
    """Say when this miner stops or starts again to carry weight: without it nobody gives it work."""
    problem = ""
    while True:
        node = chain.registry.node(node_id)
        now = why_not_eligible(node, chain.clock.now()) if node else f"node {node_id} is gone from the registry"
        if now and now != problem:
            log.warning("no coordinator gives work to this miner", reason=now)
        elif problem and not now:
            log.info("this miner is eligible again")
        problem = now
        await chain.clock.sleep(STANDING_S)
