"""The coordinator role: an image API for apps, served by other people's GPUs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog

from cuckoo.chain.escrow import NodeEscrow
from cuckoo.chain.transactions import Sender
from cuckoo.client.http import check_origin
from cuckoo.domain.amounts import parse_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Role
from cuckoo.domain.model import ModelInfo
from cuckoo.domain.network import Network
from cuckoo.domain.node import Node
from cuckoo.domain.pricing import Rates
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.inference.models import Model, load_registry
from cuckoo.protocol.eip712 import Domain, Hasher
from cuckoo.protocol.signing import Signer
from cuckoo.roles.audits import DispatchWorkshop, open_audit_device
from cuckoo.roles.chain import Chain, require_node, watch_operator
from cuckoo.roles.status import CoordinatorStatus
from cuckoo.runtime.clock import Clock
from cuckoo.runtime.service import Service
from cuckoo.scheduler.state import SchedulerSettings, State
from cuckoo.services.auditing.service import Auditing
from cuckoo.services.bookkeeping.booking import Booking
from cuckoo.services.dispatch.assignments import Coordinator
from cuckoo.services.dispatch.service import Dispatch
from cuckoo.services.disputing.accusing import Accusing
from cuckoo.services.disputing.court import Court
from cuckoo.services.disputing.evidence import Evidence
from cuckoo.services.disputing.passes import Passes
from cuckoo.services.keys import AppKeys
from cuckoo.services.moderation import Reports, Takedowns
from cuckoo.services.proving import ChainCourt, Proving
from cuckoo.services.purse import DAY_S, CoordinatorEscrow, Purse
from cuckoo.services.reporting import Reporting
from cuckoo.services.retention import Retention
from cuckoo.services.seeds import Seeds, SeedsOnChain
from cuckoo.services.sessions import Sessions
from cuckoo.storage.keys import open_keys
from cuckoo.storage.reports import open_reports
from cuckoo.storage.store import open_store
from cuckoo.web.server import coordinator_app, listen, serving
from cuckoo.web.tls import Tls

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_coordinator(
    chain: Chain, private_key: bytes, data_dir: Path, settings: CoordinatorSettings
) -> AsyncIterator[Sequence[Service]]:
    """Check the stake, open the store, take up the open tasks, and serve.

    Args:
        chain: connected; its registry view tells who is a miner.
        private_key: the operator's.
        data_dir: of this user; the coordinator keeps its tasks in a folder of its own inside.
        settings: see there.

    Raises:
        ConfigError: the key is not that of an eligible coordinator, or the port is taken; says what to do.
    """
    signer, network, clock = Signer(private_key), chain.network, chain.clock
    node = await require_node(chain, Role.COORDINATOR, signer.address)
    hasher, period_s = Hasher(Domain(network.chain_id, network.staking)), network.parameters.draw_period
    folder = data_dir / network.name / f"coordinator-{node.node_id}"
    tls = tls_of(settings, clock)
    scheme = "https" if tls else "http"
    with listen(settings.host, settings.port) as listener, open_keys(folder) as book, open_reports(folder) as reported:
        port: int = listener.getsockname()[1]
        async with open_store(folder, clock=clock.now) as store, AsyncExitStack() as stack:
            sessions = Sessions(
                node.node_id,
                signer,
                hasher,
                chain.registry,
                store,
                origins=origins_of(node, settings, port),
                clock=clock,
            )
            limits = SchedulerSettings(
                silence_s=settings.miner_lost_s,
                max_attempts=settings.max_attempts,
                deadline_max_s=float(network.parameters.longest_deadline),
            )
            sender = Sender(chain.client, private_key)
            purse = Purse(
                node.node_id,
                signer,
                hasher,
                store,
                CoordinatorEscrow(chain.client, sender, node.node_id),
                rates=rates_of(settings),
                target_wei=parse_cai(settings.escrow),
                interval_s=settings.escrow_interval_s,
                warn_s=settings.warn_days * DAY_S,
                clock=clock,
            )
            await purse.open()
            workshop = DispatchWorkshop(chain.registry)
            device, device_services = await stack.enter_async_context(
                open_audit_device(settings.audit_device, settings.audit_threads)
            )
            auditing = Auditing(
                store,
                workshop,
                purse,
                probability=settings.audits,
                device=device,
                clock=clock,
                disputes=settings.disputes,
            )
            await auditing.open()
            workshop.dispatch = dispatch = Dispatch(
                State(limits),
                store,
                Coordinator(node.node_id, signer, hasher, period_s),
                chain.registry,
                purse,
                auditing,
                models=known_models(),
                settings=settings,
                clock=clock,
                end_session=sessions.end,
            )
            purse.changed = dispatch.miners.escrow_changed
            await dispatch.recover()
            seeds = Seeds(
                node.node_id,
                SeedsOnChain(chain.client, sender, node.node_id, clock),
                store,
                period_s=period_s,
                clock=clock,
                start_period=dispatch.start_period,
            )
            booking = Booking(
                Role.COORDINATOR,
                store,
                NodeEscrow(chain.client, Role.COORDINATOR, node.node_id),
                interval_s=settings.escrow_interval_s,
                clock=clock,
            )
            retention = Retention(store, days=settings.retention_days, draw_period_s=period_s, clock=clock)
            status = CoordinatorStatus(chain, node.node_id, dispatch, purse)
            reporting = Reporting(folder, network.name, status.read, clock=clock)
            keys = AppKeys(book, open_access=open_access(network, settings), clock=clock)
            await keys.refresh()
            court = Court(chain.client, sender)
            accusing = Accusing(node.node_id, store, court, clock=clock)
            evidence = Evidence(store, hasher.domain, court, passes=Passes(hasher, chain.registry), clock=clock)
            takedowns = Takedowns(
                store, reported, cancel=dispatch.apps.cancel, keep_s=settings.retention_days * DAY_S, clock=clock
            )
            await takedowns.look()
            app = coordinator_app(dispatch, sessions, seeds, keys, evidence, Reports(reported, clock=clock), settings)
            async with serving(app, listener, tls=tls):
                address = f"{scheme}://{settings.host}:{port}"
                log.info("coordinator serves", node=node.node_id, address=address, **_certified(tls))
                yield [
                    Service("dispatch", dispatch.run, dispatch.drain),
                    Service("keys", keys.run),
                    *([Service("certificate", tls.run)] if tls else []),
                    Service("seeds", seeds.run),
                    Service("purse", purse.run),
                    Service("ledger", booking.run),
                    Service("operator", lambda: watch_operator(chain, node.node_id, signer.address)),
                    Service("retention", retention.run),
                    Service("takedowns", takedowns.run),
                    Service("audits", auditing.run),
                    Service("proofs", Proving(store, ChainCourt(chain.client, sender), clock=clock).run),
                    Service("disputes", accusing.run),
                    *device_services,
                    Service("reporting", reporting.run),
                    Service("store", store.writer.watch),
                ]


def open_access(network: Network, settings: CoordinatorSettings) -> bool:
    """Tell whether apps need no key: as the operator says, else on the devnet only."""
    return network.is_devnet if settings.open is None else settings.open


def tls_of(settings: CoordinatorSettings, clock: Clock) -> Tls | None:
    """Load the certificate that is named, or none; raises ConfigError."""
    named = settings.tls_certificate, settings.tls_key
    if not any(named):
        return None
    if not all(named):
        raise ConfigError("serve HTTPS: name both files, --tls-certificate and --tls-key")
    return Tls(Path(named[0]).expanduser(), Path(named[1]).expanduser(), clock)


def _certified(tls: Tls | None) -> dict[str, str]:
    return {"certificate_until": tls.until} if tls else {}


def rates_of(settings: CoordinatorSettings) -> Rates:
    """Read the prices; raises AmountInvalid."""
    by_model = {model: parse_cai(price) for model, price in settings.prices.items()}
    return Rates(parse_cai(settings.price), by_model)


def known_models() -> list[ModelInfo]:
    """Return the models of this installation's registry."""
    return [model_info(model) for model in load_registry().values()]


def model_info(model: Model) -> ModelInfo:
    """Return what is offered of a model."""
    return ModelInfo(
        name=model.name,
        digest=model.digest,
        title=model.title,
        width_px=model.defaults.width_px,
        height_px=model.defaults.height_px,
        steps=model.defaults.steps,
        guidance=model.defaults.guidance,
        scheduler=model.defaults.scheduler,
        max_pixels=model.limits.max_pixels,
        max_steps=model.limits.max_steps,
        schedulers=model.limits.schedulers,
        loras={name: lora.digest for name, lora in model.loras.items()},
    )


def origins_of(node: Node, settings: CoordinatorSettings, port: int) -> set[str]:
    """Return the addresses under which miners may sign in: those that are named, and loopback.

    Raises:
        ConfigError: --public-url is no address that may be called.
    """
    scheme = "https" if settings.tls_certificate else "http"
    origins = {f"{scheme}://{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")}
    if settings.public_url:
        origins.add(check_origin(settings.public_url))
    try:
        origins.add(check_origin(node.url))
    except ConfigError as error:
        log.warning(
            "miners can not find this coordinator: its introduction names no address they may call",
            reason=str(error),
            mend=f"cuckoo stake introduce {node.node_id} --url https://HOST",
        )
    return origins
