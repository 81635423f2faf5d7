"""The mining loop: choose coordinators, offer slots to them, run what they assign, deliver what is signed."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import structlog

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import FatalError, PeerFault, TransientError
from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.domain.node import Node
from cuckoo.inference.pool import LoadedModel
from cuckoo.protocol.messages import Failure, ModelOffer, SignedAssignment
from cuckoo.runtime.clock import Clock
from cuckoo.scheduler.miner_choice import CoordinatorChoice, CoordinatorOffer
from cuckoo.services.mining.attempt import Attempt, FailureKind, check_signature, refusal
from cuckoo.services.mining.backing import Backing
from cuckoo.services.mining.connection import Connection
from cuckoo.services.mining.coordinators import Coordinator, callable_coordinators
from cuckoo.services.mining.delivery import deliver
from cuckoo.services.mining.latents import KeptLatents
from cuckoo.services.mining.seams import CoordinatorLink, EscrowReader, Miner, MiningOptions, Pool, ReceiptStore
from cuckoo.services.mining.slots import Slots
from cuckoo.services.mining.waiting import wait_for
from cuckoo.storage.records import StoredReceipt

log = structlog.get_logger(__name__)

TICK_S = 1.0
PROBES = 8
SHORTEST_POLL_S = 0.5
IN_FLIGHT_PER_SLOT = 2
"""So many attempts may be in hand for each slot: what a worker is done with waits for decoding, or for a slow line."""


class Mining:
    """Works for coordinators until cancelled.

    Attributes:
        in_flight: attempts under way, by assignment hash.
        backing: what coordinators hold ready for this miner.
        on_assignment: called with each genuine assignment that arrives.
    """

    def __init__(  # noqa: PLR0913 - what mining works with, by name
        self,
        miner: Miner,
        *,
        pool: Pool,
        receipts: ReceiptStore,
        latents: KeptLatents,
        escrow: EscrowReader,
        coordinators: Callable[[], Sequence[Node]],
        connect: Callable[[str], CoordinatorLink],
        seed: bytes,
        clock: Clock,
        options: MiningOptions,
    ) -> None:
        """Take what mining works with.

        Args:
            miner: who mines.
            pool: runs jobs; open, and watched by somebody else.
            receipts: the durable store.
            latents: keeps those of results that no coordinator has settled yet.
            escrow: what coordinators hold ready.
            coordinators: the registered coordinators as the chain shows them now.
            connect: makes the calls to an origin.
            seed: 32 random bytes, for the draws of coordinators.
            clock: time.
            options: see there.
        """
        self.in_flight: dict[bytes, Attempt] = {}
        self.on_assignment: Callable[[SignedAssignment], None] = lambda _: None
        self._miner = miner
        self._pool = pool
        self._receipts = receipts
        self._latents = latents
        self.backing = Backing(miner, receipts, escrow, clock, options)
        self._coordinators = coordinators
        self._connect = connect
        self._seed = seed
        self._clock = clock
        self._options = options
        self._known: dict[NodeId, Coordinator] = {}
        self._connections: dict[NodeId, Connection] = {}
        self._retired: list[Connection] = []
        self._choice = CoordinatorChoice(seed, 1)
        self._drawn_at = clock.monotonic()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        self._slots: Slots | None = None
        self._offering: list[asyncio.Task[None]] = []
        self._parked: dict[asyncio.Task[SignedAssignment | None], NodeId] = {}
        self._models: dict[ModelDigest, LoadedModel] = {}
        self._undelivered: dict[bytes, StoredReceipt] = {}
        self._settled: set[bytes] = set()
        self._drawn: set[bytes] = set()

    @property
    def chosen(self) -> tuple[NodeId, ...]:
        """The coordinators that slots are offered to now."""
        return self._choice.chosen

    @property
    def connections(self) -> Mapping[NodeId, Connection]:
        """The coordinators that are known, and how it stands with each."""
        return self._connections

    def origins(self) -> dict[NodeId, str]:
        """Return where the coordinators with a session are."""
        return {node: self._connections[node].coordinator.origin for node in self.signed_in()}

    def signed_in(self) -> set[NodeId]:
        """Return the coordinators with a session."""
        return {node for node, connection in self._connections.items() if connection.signed_in}

    # The service.

    async def run(self) -> None:
        """Mine until cancelled.

        Raises:
            FatalError: a receipt could not be written.
        """
        log.info("loading models", miner=self._miner.node_id, devices=list(self._pool.devices))
        await self._pool.ready.wait()
        slots = self._slots = Slots(self._pool.at_once)
        self._choice = CoordinatorChoice(self._seed, slots.total)
        names = [loaded.model.name for loaded in self._pool.loaded().values()]
        log.info("ready to mine", miner=self._miner.node_id, models=names, slots=slots.total)
        try:
            async with asyncio.TaskGroup() as group:
                unsettled = await self._receipts.unsettled()
                self._latents.drop_all_but({stored.assignment_hash for stored in unsettled})
                for stored in unsettled:
                    log.info("delivering again", task=stored.task_id, attempt=stored.attempt)
                    group.create_task(self._deliver_again(stored))
                group.create_task(self._keep_choosing(), name="choose coordinators")
                for slot in range(slots.total):
                    task = group.create_task(self._offer(slot, group), name=f"slot {slot}")
                    self._offering.append(task)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            await asyncio.gather(*(link.close() for link in (*self._connections.values(), *self._retired)))

    async def _deliver_again(self, stored: StoredReceipt) -> None:
        self._undelivered[stored.assignment_hash] = stored
        try:
            await deliver(stored, self._receipts, self._latents, self._connections.get, self._clock)
        finally:
            del self._undelivered[stored.assignment_hash]
            self._settled.discard(stored.assignment_hash)

    async def drain(self) -> None:
        """Take no new work, and return when everything under way is delivered or given back."""
        self._draining = True
        for offering in self._offering:
            offering.cancel()
        if self.in_flight:
            log.info("finishing attempts", count=len(self.in_flight))
        await self._idle.wait()

    # Which coordinators.

    async def _keep_choosing(self) -> None:
        while True:
            await self._follow_registry()
            await self._withdraw_unready()
            await self._follow_backing()
            if self._redraw_is_due():
                await self._redraw()
            await self._clock.sleep(TICK_S)

    async def _follow_registry(self) -> None:
        """Make connections for new coordinators and those that moved; close those that nobody uses any more."""
        self._known = callable_coordinators(self._coordinators(), self._miner.domain.chain_id)
        for node, connection in list(self._connections.items()):
            now, was = self._known.get(node), connection.coordinator
            if now is None or (now.origin, now.operator) != (was.origin, was.operator):
                self._retired.append(self._connections.pop(node))
            else:
                connection.coordinator = now
        for node, coordinator in self._known.items():
            if node not in self._connections:
                link = self._connect(coordinator.origin)
                self._connections[node] = Connection(
                    coordinator, link, self._miner, self._receipts, self._offers, self._clock
                )
                self._connections[node].on_paid = self._paid
        for connection in [connection for connection in self._retired if not connection.in_use]:
            self._retired.remove(connection)
            await connection.close()

    def _redraw_is_due(self) -> bool:
        if not self._known:
            return bool(self.chosen)
        now = self._clock.monotonic()
        if self.in_flight:
            self._choice.worked(now)
        if any(node not in self._known for node in self.chosen) or self._choice.due(self._period, now):
            return True
        fails = any(self._connections[node].wait_s or self.backing.reason(node) for node in self.chosen)
        return fails and now - self._drawn_at >= self._options.progress_s

    @property
    def _period(self) -> int:
        return int(self._clock.now()) // self._options.draw_period_s

    async def _redraw(self) -> None:
        """Draw coordinators by weight among those with open tasks, or among all when none is known to have any."""
        usable = [self._connections[node] for node in self._known if not self._connections[node].wait_s]
        if len(usable) > 1:
            probes = asyncio.Semaphore(PROBES)
            await asyncio.gather(*(self._probe(one, probes) for one in usable if not one.in_use))
            usable = [one for one in usable if not one.wait_s]
        usable = usable or [self._connections[node] for node in self._known]
        usable = [one for one in usable if not self.backing.reason(one.coordinator.node_id)] or usable
        offers = [
            CoordinatorOffer(
                node=one.coordinator.node_id, weight_wei=one.coordinator.weight_wei, open_tasks=one.open_tasks
            )
            for one in usable
        ]
        self._drawn_at = self._clock.monotonic()
        before = self.chosen
        if self._choice.renew(offers, self._period, self._drawn_at) != before:
            log.info("coordinators chosen", chosen=list(self.chosen), among=len(offers))
        self._notify()

    @staticmethod
    async def _probe(connection: Connection, probes: asyncio.Semaphore) -> None:
        async with probes:
            with suppress(TransientError):
                await connection.refresh()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _offers(self) -> tuple[int, tuple[ModelOffer, ...], str]:
        """What a sign-in says about this miner."""
        loaded = self._known_models()
        models = tuple(
            ModelOffer(
                digest=digest,
                name=entry.model.name,
                max_pixels=entry.max_pixels,
                max_steps=entry.model.limits.max_steps,
                min_rate_wei=self._options.min_rate_wei,
                modes=entry.modes,
                loras=tuple(lora.digest for lora in entry.model.loras.values()),
            )
            for digest, entry in sorted(loaded.items())
        )
        devices = sorted({entry.profile.device for entry in loaded.values()})
        return (self._slots.total if self._slots else 1), models, ", ".join(devices)

    def _known_models(self) -> dict[ModelDigest, LoadedModel]:
        """The models of this miner: also while a worker starts again and has none in memory for the moment."""
        self._models.update(self._pool.loaded())
        return self._models

    # Slots.

    async def _offer(self, slot: int, group: asyncio.TaskGroup) -> None:
        """Offer one slot, to one coordinator at a time, whenever it is free."""
        slots = self._slots
        if slots is None:
            raise FatalError("offering a slot: mining has not started")
        while True:
            changed = self._changed
            connection = self._connection_for(slot)
            if connection is None or not slots.is_free(slot):
                await changed.wait()
                continue
            if connection.wait_s:
                await wait_for(changed, self._clock, connection.wait_s)
                continue
            if await self._review(connection.coordinator.node_id):
                await wait_for(changed, self._clock, TICK_S)
                continue
            await self._pool.ready.wait()
            connection.in_use += 1
            asked_at = self._clock.monotonic()
            try:
                signed = await self._poll(slot, connection)
                if signed is not None:
                    self._take(signed, slot, connection, group)
                elif self._pool.ready.is_set() and self._clock.monotonic() - asked_at < SHORTEST_POLL_S:
                    await self._clock.sleep(SHORTEST_POLL_S)
            except TransientError as error:
                log.debug("poll failed", slot=slot, reason=str(error))
            except PeerFault as fault:
                connection.distrust(fault)
            finally:
                connection.in_use -= 1

    async def _poll(self, slot: int, connection: Connection) -> SignedAssignment | None:
        parked = asyncio.create_task(connection.poll(slot))
        self._parked[parked] = connection.coordinator.node_id
        try:
            await asyncio.wait({parked})
        finally:
            parked.cancel()
            self._parked.pop(parked, None)
        return None if parked.cancelled() else parked.result()

    async def _withdraw_unready(self) -> None:
        """Take back what is offered while no worker can begin anything: others serve sooner."""
        if self._pool.ready.is_set() or not self._parked:
            return
        log.info("slots withdrawn until a worker is ready", count=len(self._parked))
        parked = set(self._parked)
        for poll in parked:
            poll.cancel()
        await asyncio.wait(parked)

    async def _follow_backing(self) -> None:
        """See who may be served again, and take back what is offered where nobody knows whether it would be paid."""
        stopped = {node for node in self.backing.standings if self.backing.reason(node)}
        for node in stopped | set(self._parked.values()):
            await self._review(node)
        for poll in [poll for poll, node in self._parked.items() if self.backing.blind(node)]:
            poll.cancel()

    def _connection_for(self, slot: int) -> Connection | None:
        chosen = self.chosen
        return self._connections.get(chosen[slot % len(chosen)]) if chosen else None

    def _take(self, signed: SignedAssignment, slot: int, connection: Connection, group: asyncio.TaskGroup) -> None:
        """Start an attempt, or give it back with the reason; raises PeerFault for what nobody is to answer."""
        assignment = signed.assignment
        assignment_hash = check_signature(signed, connection.coordinator, self._miner)
        self.on_assignment(signed)
        self._choice.worked(self._clock.monotonic())
        if assignment_hash in self.in_flight:
            return
        attempt = Attempt(
            signed,
            assignment_hash,
            connection,
            miner=self._miner,
            pool=self._pool,
            receipts=self._receipts,
            latents=self._latents,
            connection_of=self._connections.get,
            worker_died=self._withdraw_unready,
            drawn=lambda: self._note_drawn(assignment_hash),
            delayed=lambda: self._release(assignment_hash),
            clock=self._clock,
            options=self._options,
        )
        if self._slots is not None:
            self._slots.take(slot, assignment_hash)
        self.in_flight[assignment_hash] = attempt
        self._idle.clear()
        connection.in_use += 1
        group.create_task(self._attend(attempt, connection), name=f"attempt {assignment.task_id}")

    async def _attend(self, attempt: Attempt, connection: Connection) -> None:
        """See one attempt through, and free its slot."""
        try:
            await self._attempt(attempt, connection)
        finally:
            connection.in_use -= 1
            self._choice.worked(self._clock.monotonic())
            del self.in_flight[attempt.assignment_hash]
            self._settled.discard(attempt.assignment_hash)
            if not self.in_flight:
                self._idle.set()
            self._drawn.discard(attempt.assignment_hash)
            self._release(attempt.assignment_hash)
            self._make_room()

    def _note_drawn(self, assignment_hash: bytes) -> None:
        self._drawn.add(assignment_hash)
        self._make_room()

    def _make_room(self) -> None:
        """Free the slots of attempts that are decoded, encoded and delivered beside the next, unless many are."""
        if self._slots is not None and len(self.in_flight) <= IN_FLIGHT_PER_SLOT * self._slots.total:
            for assignment_hash in self._drawn:
                self._release(assignment_hash)

    def _release(self, assignment_hash: bytes) -> None:
        """Free an attempt's slot: it is over, or its result waits for its coordinator and needs no worker any more."""
        if self._slots is not None:
            self._slots.release(assignment_hash)
        self._notify()

    async def _attempt(self, attempt: Attempt, connection: Connection) -> None:
        assignment = attempt.assignment
        stored = await self._receipts.get(attempt.assignment_hash)
        if stored is not None:
            await deliver(stored, self._receipts, self._latents, self._connections.get, self._clock)
            return
        if not connection.admits(assignment.sequence, attempt.assignment_hash):
            failure: Failure | None = Failure(
                kind=FailureKind.INVALID,
                reason=f"sequence number {assignment.sequence} is used or below the mark of this miner: sign in again",
            )
        else:
            failure = refusal(assignment, self._known_models(), self._clock.now())
            if failure is None and connection.debt:
                failure = Failure(kind=FailureKind.NOT_BACKED, reason=connection.debt)
            failure = failure or await self._unbacked(attempt)
        if failure is not None:
            await attempt.give_back(failure.kind, failure.reason)
            return
        await attempt.run()

    # Who owes what.

    def in_flight_wei(self, coordinator: NodeId, *, without: Attempt | None = None) -> Wei:
        """Return what work in hand for a coordinator will earn: attempts under way, and results not answered yet."""
        prices = {
            key: (one.assignment.coordinator_node, one.assignment.price)
            for key, one in self.in_flight.items()
            if one is not without
        }
        prices |= {key: (one.coordinator_node, one.price_wei) for key, one in self._undelivered.items()}
        return Wei(sum(wei for key, (node, wei) in prices.items() if node == coordinator and key not in self._settled))

    def _paid(self, stored: StoredReceipt, cumulative_wei: int) -> None:
        """Count a result as unredeemed instead of in hand, in one step: never twice, never not at all."""
        self._settled.add(stored.assignment_hash)
        self.backing.paid(stored.coordinator_node, cumulative_wei)

    async def _review(self, coordinator: NodeId) -> str:
        return await self.backing.review(
            coordinator, lambda: self.in_flight_wei(coordinator), self._waiting(coordinator)
        )

    def _waiting(self, coordinator: NodeId) -> list[float]:
        """Return since when signed results for a coordinator wait for its last word."""
        since = {key: one.signed_at for key, one in self._undelivered.items() if one.coordinator_node == coordinator}
        for key, one in self.in_flight.items():
            if one.signed_at is not None and one.assignment.coordinator_node == coordinator:
                since[key] = one.signed_at
        return [at for key, at in since.items() if key not in self._settled]

    async def _unbacked(self, attempt: Attempt) -> Failure | None:
        """Refuse work whose price is not ring-fenced for this miner, beyond what it is owed and has in hand."""
        node = attempt.assignment.coordinator_node
        try:
            in_flight_wei = partial(self.in_flight_wei, node, without=attempt)
            reason = await self.backing.refusal(attempt.assignment, in_flight_wei)
        except TransientError as error:
            reason = f"what coordinator {node} holds ready can not be read: {error}"
        return Failure(kind=FailureKind.NOT_BACKED, reason=reason) if reason else None
