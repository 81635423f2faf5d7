"""A coordinator over real HTTP with a real store, and a miner that a test moves by hand."""

import hashlib
import io
import secrets
from contextlib import asynccontextmanager

import msgspec
from PIL import Image

from cuckoo.chain.escrow import EscrowAccount
from cuckoo.client.app import AppClient
from cuckoo.client.coordinator import CoordinatorClient
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import Address, ModelDigest, NodeId, Role
from cuckoo.domain.model import ModelInfo
from cuckoo.domain.node import Node
from cuckoo.domain.pricing import Rates
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.domain.task import Mode, RuntimeProfile
from cuckoo.protocol.eip712 import Domain, Hasher, hash_sign_in
from cuckoo.protocol.messages import (
    ModelOffer,
    Poll,
    Progress,
    ResultUpload,
    SignInProof,
    SignInRequest,
)
from cuckoo.protocol.receipts import Receipt, pixel_hash
from cuckoo.protocol.signing import Signer, check_signed_by
from cuckoo.roles.audits import DispatchWorkshop
from cuckoo.runtime.clock import SystemClock
from cuckoo.scheduler.events import PeriodStarted
from cuckoo.scheduler.state import SchedulerSettings, State
from cuckoo.services.auditing.service import Auditing
from cuckoo.services.dispatch.assignments import Coordinator
from cuckoo.services.dispatch.service import Dispatch
from cuckoo.services.disputing.evidence import Evidence
from cuckoo.services.disputing.passes import Passes
from cuckoo.services.keys import AppKeys
from cuckoo.services.moderation import Reports, Takedowns
from cuckoo.services.purse import Purse
from cuckoo.services.seeds import Seeds
from cuckoo.services.sessions import Sessions
from cuckoo.storage.keys import open_keys
from cuckoo.storage.records import SeedTip
from cuckoo.storage.reports import open_reports
from cuckoo.storage.store import open_store
from cuckoo.web.server import coordinator_app, listen, serving

DOMAIN = Domain(31_337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"))
HASHER = Hasher(DOMAIN)
COORDINATOR_KEY = Signer(b"\x22" * 32)
COORDINATOR = NodeId(1)
MODEL = ModelInfo(
    name="tiny",
    digest=ModelDigest("ab" * 32),
    title="A tiny model",
    width_px=64,
    height_px=64,
    steps=4,
    guidance=5.0,
    max_pixels=128 * 128,
    max_steps=50,
)
OFFER = ModelOffer(
    digest=MODEL.digest,
    name=MODEL.name,
    max_pixels=MODEL.max_pixels,
    max_steps=MODEL.max_steps,
    modes=tuple(Mode),
)
PROFILE = RuntimeProfile(
    device="cpu", dtype="float32", torch="2.13.0", attention="sdpa", threads=1, isa="AVX2", batch_bucket=1
)
SETTINGS = CoordinatorSettings(port=0, long_poll_s=5.0)
FREE = Rates()
LIMITS = SchedulerSettings(silence_s=20.0, max_attempts=3, deadline_max_s=60.0)


class ShiftedClock(SystemClock):
    """The machine's clock, which a test moves ahead."""

    ahead_s = 0.0

    def now(self):
        return super().now() + self.ahead_s

    def monotonic(self):
        return super().monotonic() + self.ahead_s


def node(node_id, role, operator, weight=20_000):
    wei = Wei(weight * CAI)
    return Node(
        node_id=NodeId(node_id),
        role=role,
        owner=operator,
        operator=operator,
        weight_wei=wei,
        own_wei=wei,
        own_active_wei=wei,
        votes_wei=Wei(0),
        votes_active_wei=Wei(0),
        floor_wei=wei,
        commission_bps=0,
        max_commission_bps=0,
    )


class Registry:
    """What the follower would show."""

    def __init__(self):
        self.rows = {}
        self.put(node(COORDINATOR, Role.COORDINATOR, COORDINATOR_KEY.address, 2_000_000))

    def put(self, row):
        self.rows[row.node_id] = row

    def node(self, node_id):
        return self.rows.get(node_id)

    def miners(self):
        return self.nodes(Role.MINER)

    def nodes(self, role):
        return [row for _, row in sorted(self.rows.items()) if row.role is role]


class NoChain:
    """Where no test looks for seeds."""

    async def commit(self, tip):
        raise AssertionError("nothing is committed here")

    async def seed_block(self, period_start, tip_block):
        raise AssertionError("no block is read here")


class Escrow:
    """What would be on chain: accounts by miner, and the operator's wallet."""

    def __init__(self, wallet=1_000 * CAI):
        self.wallet = wallet
        self.accounts = {}
        self.operators = {COORDINATOR_KEY.address}
        self.deposits = []
        self.native = 10**18
        self.gas_price = 10**9
        self.error = None

    def set(self, miner, **fields):
        known = dict.fromkeys(("balance_wei", "thawing_wei", "thawed_at", "redeemed_wei", "fees_wei"), 0)
        if miner in self.accounts:
            known = msgspec.structs.asdict(self.accounts[miner])
        self.accounts[miner] = EscrowAccount(**(known | fields))

    def _answer(self):
        if self.error is not None:
            raise self.error

    async def account(self, miner):
        self._answer()
        if miner not in self.accounts:
            self.set(miner)
        return self.accounts[miner]

    async def wallet_wei(self):
        self._answer()
        return Wei(self.wallet)

    async def native_wei(self):
        return self.native

    async def gas_price_wei(self):
        return self.gas_price

    async def deposit(self, amounts):
        self.deposits.append(amounts)
        for miner, amount in amounts:
            self.wallet -= amount
            self.set(miner, balance_wei=Wei(self.accounts[miner].balance_wei + amount))

    async def was_operator(self, signer):
        return signer in self.operators


class NoAudits:
    """Nothing is checked."""

    def chosen(self, miner, receipt, health, suspicious):
        return False

    def waits(self, task_id, attempt):
        return False


class NoDisputes:
    """Nobody is accused."""

    running = frozenset()


class Running:
    """A coordinator that serves."""

    def __init__(self, dispatch, sessions, seeds, store, registry, clock, origin):
        self.dispatch = dispatch
        self.sessions = sessions
        self.seeds = seeds
        self.store = store
        self.registry = registry
        self.clock = clock
        self.origin = origin

    async def start_period(self, period=100):
        """Give the scheduler a seed under a new tip."""
        tip = secrets.token_bytes(32)
        now = self.clock.now()
        await self.store.writer.execute(
            self.store.draws.record_tip(
                SeedTip(tip=tip, secret=secrets.token_bytes(32), created_at=now, first_period=period, block=7)
            )
        )
        self.dispatch.start_period(
            PeriodStarted(now=now, period=period, seed=hashlib.sha256(tip).digest(), tip=tip, block=7)
        )

    async def tick(self, ahead_s=0.0):
        """Let time pass."""
        self.clock.ahead_s += ahead_s
        self.dispatch._tick()
        await self.dispatch.engine.settled()

    def parked(self):
        return len(self.dispatch.engine.parking)


@asynccontextmanager
async def running(
    folder,
    *,
    registry=None,
    settings=SETTINGS,
    with_seed=True,
    clock=None,
    escrow=None,
    rates=FREE,
    audits=None,
    models=(MODEL,),
    open_access=True,
    docket=None,
    state=None,
    purse_of=Purse,
    seed_source=None,
    tls=None,
):
    """Serve on a free port, as the role does."""
    registry = registry or Registry()
    clock = clock or ShiftedClock()
    with listen(settings.host, settings.port) as listener, open_keys(folder) as book, open_reports(folder) as reported:
        origin = f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        async with open_store(folder, clock=clock.now) as store:
            sessions = Sessions(COORDINATOR, COORDINATOR_KEY, HASHER, registry, store, origins={origin}, clock=clock)
            purse = purse_of(
                COORDINATOR,
                COORDINATOR_KEY,
                HASHER,
                store,
                escrow or Escrow(),
                rates=rates,
                target_wei=Wei(10 * CAI),
                interval_s=1.0,
                warn_s=3 * 86_400.0,
                clock=clock,
            )
            await purse.open()
            workshop = DispatchWorkshop(registry)
            checks = {"device": None, "clock": clock} | (audits if isinstance(audits, dict) else {})
            auditing = audits or NoAudits()
            if isinstance(audits, dict):
                auditing = Auditing(store, workshop, purse, **checks)
                await auditing.open()
            workshop.dispatch = dispatch = Dispatch(
                state or State(LIMITS),
                store,
                Coordinator(COORDINATOR, COORDINATOR_KEY, HASHER, 10),
                registry,
                purse,
                auditing,
                models=list(models),
                settings=settings,
                clock=clock,
                end_session=sessions.end,
            )
            purse.changed = dispatch.miners.escrow_changed
            await dispatch.recover()
            source = seed_source or NoChain()
            seeds = Seeds(COORDINATOR, source, store, period_s=10, clock=clock, start_period=dispatch.start_period)
            keys = AppKeys(book, open_access=open_access, clock=clock)
            await keys.refresh()
            evidence = Evidence(store, DOMAIN, docket or NoDisputes(), passes=Passes(HASHER, registry), clock=clock)
            takedowns = Takedowns(store, reported, cancel=dispatch.apps.cancel, keep_s=7 * 86_400.0, clock=clock)
            await takedowns.look()
            reports = Reports(reported, clock=clock)
            public = coordinator_app(dispatch, sessions, seeds, keys, evidence, reports, settings)
            async with serving(public, listener, tls=tls):
                coordinator = Running(dispatch, sessions, seeds, store, registry, clock, origin)
                coordinator.purse, coordinator.auditing = purse, auditing
                coordinator.keys, coordinator.takedowns = keys, takedowns
                if with_seed:
                    await coordinator.start_period()
                yield coordinator


def png(width_px=64, height_px=64, colour=(200, 30, 40), mode="RGB"):
    """Return (PNG file, pixel hash)."""
    image = Image.new(mode, (width_px, height_px), colour)
    file = io.BytesIO()
    image.save(file, "PNG")
    rgb = image.convert("RGB").tobytes()
    return file.getvalue(), pixel_hash(height_px, width_px, rgb)


class ScriptedMiner:
    """A miner of one key; signs for real, draws one colour."""

    def __init__(self, coordinator, node_id=2, key=None, weight=20_000):
        self.coordinator = coordinator
        self.node_id = NodeId(node_id)
        self.key = key or Signer(node_id.to_bytes(32, "big"))
        coordinator.registry.put(node(node_id, Role.MINER, self.key.address, weight))
        self.client = CoordinatorClient(coordinator.origin)
        self.token = ""
        self.last_sequence = 0

    async def sign_in(self, *, slots=2, models=(OFFER,), origin=None, key=None, voucher=None):
        origin = origin or self.coordinator.origin
        nonce = secrets.token_bytes(32)
        offer = await self.client.sign_in(
            SignInRequest(origin=origin, miner_node=self.node_id, miner_nonce=nonce, last_sequence=self.last_sequence)
        )
        digest = HASHER.digest(
            hash_sign_in(offer.coordinator_node, origin, self.node_id, nonce, offer.coordinator_nonce, offer.expiry)
        )
        check_signed_by(digest, offer.signature, COORDINATOR_KEY.address, "the offer")
        self.proof = SignInProof(
            origin=origin,
            miner_node=self.node_id,
            miner_nonce=nonce,
            coordinator_nonce=offer.coordinator_nonce,
            expiry=offer.expiry,
            signature=(key or self.key).sign(digest),
            slots=slots,
            models=models,
            voucher=voucher,
        )
        session = await self.client.open_session(self.proof)
        self.token = session.token
        return session

    async def poll(self, slot=0, models=(MODEL.digest,)):
        return await self.client.poll(self.token, Poll(slot=slot, models=models))

    async def progress(self, assignment, step, **more):
        steps = assignment.parameters.denoising_steps * assignment.parameters.pictures
        return await self.client.progress(
            self.token, assignment.task_id, assignment.attempt, Progress(step=step, steps=steps, **more)
        )

    def result(self, assignment, *, pictures=None, key=None, **changes):
        """Make a signed result; ``changes`` go into the receipt before it is signed."""
        made = pictures or [
            png(assignment.parameters.width_px, assignment.parameters.height_px, (number, 90, 180))
            for number in range(assignment.parameters.pictures)
        ]
        fields = {
            "assignment_hash": assignment.struct_hash(),
            "picture_hashes": tuple(hash_ for _, hash_ in made),
            "latents_root": hashlib.sha256(b"latents").digest(),
            "profile": PROFILE,
            "finished_at": 1_700_000_000,
        }
        receipt = Receipt(**{**fields, **changes})
        signature = (key or self.key).sign(HASHER.digest(receipt.struct_hash()))
        return ResultUpload(receipt=receipt, signature=signature, pictures=tuple(file for file, _ in made))

    async def submit(self, assignment, upload):
        return await self.client.submit(self.token, assignment.task_id, assignment.attempt, upload)

    async def serve_one(self, slot=0):
        """Take one assignment and bring its result."""
        signed = await self.poll(slot)
        await self.submit(signed.assignment, self.result(signed.assignment))
        return signed.assignment


async def audit_states(coordinator):
    """Count the audits of a coordinator by miner and state."""
    query = "SELECT miner_node, state, count(*) FROM audits GROUP BY miner_node, state"
    rows = await coordinator.store.audits._reader.execute(lambda connection: connection.execute(query).fetchall())
    return {(node, state): count for node, state, count in rows}


def app(coordinator, api_key=None):
    return AppClient(coordinator.origin, api_key=api_key)
