"""What miners may ask a coordinator for."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import (
    Conflict,
    InvalidField,
    NotFound,
    NotSignedIn,
    PeerFault,
    TransientError,
    Unavailable,
)
from cuckoo.domain.identifiers import Address, NodeId, TaskId
from cuckoo.domain.node import Node
from cuckoo.protocol.messages import (
    MODELS_PER_MINER,
    ChallengeAnswer,
    Failure,
    ModelOffer,
    Poll,
    Progress,
    ProgressReply,
    ResultUpload,
    SignedAssignment,
    SignedVoucher,
    SubmitReply,
    decode_binary,
    encode_binary,
)
from cuckoo.protocol.pictures import check_pictures, check_preview, most_bytes
from cuckoo.protocol.receipts import Receipt
from cuckoo.protocol.signing import check_signed_by
from cuckoo.protocol.views import EventKind, TaskEvent
from cuckoo.runtime.clock import Clock
from cuckoo.runtime.metrics import CoordinatorMetrics
from cuckoo.scheduler.decisions import CompleteTask
from cuckoo.scheduler.events import (
    AttemptFailed,
    AttemptProgressed,
    Capability,
    EscrowChanged,
    FailureKind,
    MinerParked,
    MinerSeen,
    MinerSignedIn,
    MinerSignedOut,
    MinerUnparked,
    ResultVerified,
    WeightChanged,
)
from cuckoo.services.dispatch.catalogue import Catalogue
from cuckoo.services.dispatch.engine import RETRY_AFTER_S, Completion, Engine
from cuckoo.services.dispatch.live import LiveAttempt, LiveTask, read_reason, sentence, task_of
from cuckoo.services.dispatch.seams import Audits, Purse
from cuckoo.storage.audits import AuditState
from cuckoo.storage.proofs import SecondReceipt
from cuckoo.storage.records import AttemptState, StoredAttempt
from cuckoo.storage.store import Store

log = structlog.get_logger(__name__)

SLOTS_MAX = 256
_INLINE_PIXELS = 32_768
"""Up to so many pixels are decoded at once: handing them to a thread would take longer."""

_PROFILE_TEXT_MAX = 128
"""Bytes. Whoever accuses a miner pays for every byte of its receipt on chain; megabytes would put it out of reach."""

_RECEIPT_BYTES = 16_384
"""Of a result besides its pictures."""

_REASON_MAX = 500
_SHUTTING_DOWN = "shutting_down"


class Registry(Protocol):
    """The registered nodes, as the chain shows them."""

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node; None when there is none."""


@dataclass(slots=True)
class SignedInMiner:
    """A miner with a session, renewed or not, since ``since`` (unix seconds); ``device`` is its own word."""

    operator: Address
    slots: int
    weight_wei: Wei
    since: float
    device: str


class MinerDesk:
    """Gives assignments out, takes progress and results in."""

    def __init__(  # noqa: PLR0913 - what the desk works with, by name
        self,
        engine: Engine,
        store: Store,
        catalogue: Catalogue,
        registry: Registry,
        purse: Purse,
        audits: Audits,
        *,
        long_poll_s: float,
        clock: Clock,
        metrics: CoordinatorMetrics,
    ) -> None:
        """Take what the use cases work with.

        Args:
            engine: the scheduler's door.
            store: where results lie.
            catalogue: told what miners serve.
            registry: the miners' weights and keys.
            purse: what miners have earned.
            audits: which results are checked before they are paid.
            long_poll_s: how long a poll waits.
            clock: time.
            metrics: counters.
        """
        self._engine = engine
        self._store = store
        self._catalogue = catalogue
        self._registry = registry
        self._purse = purse
        self._audits = audits
        self._long_poll_s = long_poll_s
        self._clock = clock
        self._metrics = metrics
        self._miners: dict[NodeId, SignedInMiner] = {}

    # Sessions.

    async def admit(self, node: NodeId, voucher: SignedVoucher | None) -> SignedVoucher | None:
        """Settle with a miner what it has earned so far, before it takes part.

        Args:
            node: who.
            voucher: the best one that it has.

        Returns:
            The one that holds now; None when it has earned nothing.

        Raises:
            SignatureInvalid: the voucher that it shows is not ours.
            Unavailable: the chain does not answer.
        """
        try:
            await self._purse.admit(node, voucher)
        except TransientError as error:
            raise Unavailable(f"sign in miner {node}: {error}", RETRY_AFTER_S) from error
        return self._purse.voucher(node)

    def escrow_changed(self, node: NodeId) -> None:
        """Tell the scheduler what is held ready for a miner now."""
        if node in self._miners:
            self._engine.apply(EscrowChanged(now=self._clock.now(), node=node, escrow_wei=self._purse.free_wei(node)))

    def sign_in(
        self, node: Node, *, slots: int, offers: tuple[ModelOffer, ...], last_sequence: int, device: str = ""
    ) -> None:
        """Let a miner take part; what it said at an earlier sign-in is replaced.

        Args:
            node: who, as sign-in proved.
            slots: running slots and the prefetch slot.
            offers: what it serves.
            last_sequence: the highest sequence number that either side remembers.
            device: what it says that it runs on.

        Raises:
            InvalidField: too many slots or models, or a model twice.
        """
        if not 1 <= slots <= SLOTS_MAX:
            raise InvalidField("slots", slots, f"must be 1 to {SLOTS_MAX}")
        if len(offers) > MODELS_PER_MINER or len({offer.digest for offer in offers}) != len(offers):
            raise InvalidField("models", f"{len(offers)} models", f"at most {MODELS_PER_MINER}, each once")
        self._catalogue.sign_in(node.node_id, offers)
        before = self._miners.get(node.node_id)
        since = before.since if before else self._clock.now()
        self._miners[node.node_id] = SignedInMiner(node.operator, slots, node.weight_wei, since, device)
        self._engine.apply(
            MinerSignedIn(
                now=self._clock.now(),
                node=node.node_id,
                weight_wei=node.weight_wei,
                running_slots=max(1, slots - 1),
                capabilities=tuple(
                    Capability(
                        model=offer.digest,
                        max_pixels=offer.max_pixels,
                        max_steps=offer.max_steps,
                        min_rate_wei=offer.min_rate_wei,
                        loras=frozenset(offer.loras),
                    )
                    for offer in offers
                ),
                last_sequence=last_sequence,
                escrow_wei=self._purse.free_wei(node.node_id),
            )
        )
        self._metrics.miners.set(len(self._miners))

    def sign_out(self, node: NodeId) -> None:
        """Let a miner go; what it still had goes to others."""
        self.forget(node)
        self._engine.apply(MinerSignedOut(now=self._clock.now(), node=node))

    def forget(self, node: NodeId) -> None:
        """Take a miner whose session is over out of every list."""
        self._engine.parking.close(node)
        self._catalogue.sign_out(node)
        self._miners.pop(node, None)
        self._metrics.miners.set(len(self._miners))

    def signed_in(self, node: NodeId) -> bool:
        """Tell whether a miner has a session."""
        return node in self._miners

    def device(self, node: NodeId) -> str:
        """Return what a miner says that it runs on; "" while it has no session."""
        miner = self._miners.get(node)
        return "" if miner is None else miner.device

    def since(self, node: NodeId) -> float:
        """Return since when a miner is signed in, unix seconds; raises NotSignedIn."""
        return self._miner(node).since

    def __len__(self) -> int:
        """Return how many miners have a session."""
        return len(self._miners)

    def follow_weights(self) -> None:
        """Tell the scheduler which signed-in miners have another weight on chain than it knows."""
        for node_id, miner in list(self._miners.items()):
            node = self._registry.node(node_id)
            weight_wei = node.weight_wei if node is not None else Wei(0)
            if weight_wei != miner.weight_wei:
                miner.weight_wei = weight_wei
                self._engine.apply(WeightChanged(now=self._clock.now(), node=node_id, weight_wei=weight_wei))

    def _miner(self, node: NodeId) -> SignedInMiner:
        miner = self._miners.get(node)
        if miner is None:
            raise NotSignedIn(f"serve miner {node}: its session is over, sign in again")
        return miner

    # Work.

    async def poll(self, node: NodeId, poll: Poll) -> SignedAssignment | None:
        """Wait for an assignment to a free slot; None when none came in time.

        A poll that is cancelled (its connection closed) is no longer parked; an assignment that was on its way to it
        waits for the slot's next poll.

        Raises:
            Unavailable, Overloaded: come again later.
            InvalidField: no such slot.
        """
        miner = self._miner(node)
        if not 0 <= poll.slot < miner.slots:
            raise InvalidField("slot", poll.slot, f"must be 0 to {miner.slots - 1}: {miner.slots} slots were signed in")
        self._engine.refuse_when_full()
        kept = self._engine.parking.kept(node, poll.slot)
        if kept is not None and self._engine.state.is_live(kept.assignment.task_id, kept.assignment.attempt, node):
            return kept
        waiter = self._engine.parking.park(node, poll.slot)
        arrived = False
        try:
            self._engine.apply(MinerParked(now=self._clock.now(), node=node, slot=poll.slot, models=poll.models))
            try:
                async with asyncio.timeout(self._long_poll_s):
                    await waiter
            except TimeoutError:
                log.debug("poll ran out", miner=node, slot=poll.slot)
            arrived = True
            return waiter.result() if not waiter.cancelled() else None
        finally:
            if self._engine.parking.leave(node, poll.slot, waiter):
                self._engine.apply(MinerUnparked(now=self._clock.now(), node=node, slot=poll.slot))
            if not arrived and not waiter.cancelled() and waiter.done():
                self.undelivered(poll.slot, waiter.result())

    def undelivered(self, slot: int, signed: SignedAssignment | None) -> None:
        """Keep an assignment whose answer could not be written for the slot's next poll."""
        if signed is not None:
            self._engine.parking.keep(slot, signed)

    async def progress(self, node: NodeId, task_id: TaskId, number: int, progress: Progress) -> ProgressReply:
        """Note how far an attempt is; the reply says whether to stop.

        Raises:
            InvalidField: a step that the task does not have, or a preview that is no small PNG.
            FatalError: what was decided can not be made durable.
        """
        self._miner(node)
        now = self._clock.now()
        task = self._engine.tasks.get(task_id)
        attempt = task.find(number) if task else None
        if task is None or attempt is None or not self._engine.state.is_live(task_id, number, node):
            self._engine.apply(MinerSeen(now=now, node=node))
            await self._engine.settled()
            earned_wei = await self._purse.earned_wei(node, task_id, number)
            voucher = self._purse.voucher(node) if earned_wei else None
            return ProgressReply(cancelled=True, earned_wei=earned_wei, voucher=voucher)
        if not 0 <= progress.step <= task.steps:
            raise InvalidField("step", progress.step, f"must be 0 to {task.steps}, the steps of all pictures")
        if progress.preview:
            check_preview(progress.preview)
        self._engine.apply(
            AttemptProgressed(now=now, task_id=task_id, attempt=number, node=node, step=progress.step, steps=task.steps)
        )
        if attempt is task.attempts[-1] and attempt.state is AttemptState.RUNNING:
            task.step = progress.step
            self._engine.watchers.publish(
                TaskEvent(
                    kind=EventKind.PROGRESS,
                    task_id=task_id,
                    step=progress.step,
                    steps=task.steps,
                    preview=progress.preview,
                )
            )
        return ProgressReply(cancelled=False)

    async def result(self, node: NodeId, task_id: TaskId, number: int, upload: ResultUpload) -> SubmitReply:
        """Check a result, make it durable, then acknowledge it; a repeat gets the same reply.

        Raises:
            NotFound: no such attempt, or it is another miner's.
            Conflict: the attempt does not count any more; says why.
            SignatureInvalid, InvalidField: the result is wrong: the attempt has failed.
        """
        miner = self._miner(node)
        task = self._engine.tasks.get(task_id)
        attempt = task.find(number) if task else None
        if task is None or attempt is None or not self._engine.state.is_live(task_id, number, node):
            return await self._stored_reply(node, task_id, number, upload)
        try:
            blank = await self._verify(miner, task, attempt, upload)
        except PeerFault as fault:
            self._fail(node, task_id, number, FailureKind.BAD_RESULT, str(fault))
            await self._engine.settled()
            raise
        completion = Completion(encode_binary(upload.receipt), upload.signature, upload.pictures, blank)
        verified = ResultVerified(now=self._clock.now(), task_id=task_id, attempt=number, node=node)
        decisions = self._engine.apply(verified, completion)
        if any(isinstance(decision, CompleteTask) for decision in decisions):
            await self._engine.settled()
            if self._audits.waits(task_id, number):
                return await self._accepted(node, task_id, number)
            return SubmitReply(voucher=self._purse.voucher(node))
        return await self._stored_reply(node, task_id, number, upload)

    async def most_bytes(self, node: NodeId, task_id: TaskId, number: int) -> int:
        """Return how many bytes the result of an attempt takes at most; nothing larger needs to be read.

        Raises:
            NotFound: no such attempt, or it is another miner's.
        """
        task = self._engine.tasks.get(task_id)
        attempt = task.find(number) if task else None
        if task is None or attempt is None:
            await self._engine.settled()
            task = task_of(await self._store.tasks.get(task_id))
            attempt = task.find(number)
        if attempt is None or attempt.node != node:
            raise _not_given(node, task_id, number)
        one = most_bytes(task.parameters.width_px, task.parameters.height_px)
        return task.parameters.pictures * one + _RECEIPT_BYTES

    async def input(self, node: NodeId, task_id: TaskId, number: int, digest: bytes) -> bytes:
        """Read what a miner needs for an attempt that it has, by its hash.

        Raises:
            NotFound: no such attempt, it is another miner's, or its task names no such input.
        """
        self._miner(node)
        task = self._engine.tasks.get(task_id)
        attempt = task.find(number) if task else None
        if task is None or attempt is None or not self._engine.state.is_live(task_id, number, node):
            raise NotFound(f"read an input: miner {node} does not have attempt {number} of task {task_id}")
        if digest not in task.parameters.inputs:
            raise NotFound(f"read an input: task {task_id} names none with the sha256 {digest.hex()}")
        return await self._store.blobs.get(digest)

    async def _verify(self, miner: SignedInMiner, task: LiveTask, attempt: LiveAttempt, upload: ResultUpload) -> bool:
        """Check all that costs little; returns whether a picture is blank."""
        receipt, parameters = upload.receipt, task.parameters
        if receipt.assignment_hash != attempt.assignment_hash:
            raise InvalidField(
                "receipt.assignment_hash", receipt.assignment_hash.hex(), f"must be {attempt.assignment_hash.hex()}"
            )
        for field, value in (("receipt.latents_root", receipt.latents_root), *_numbered(receipt.picture_hashes)):
            if len(value) != 32:
                raise InvalidField(field, value.hex(), "must be 32 bytes")
        _check_ranges(upload)
        digest = self._engine.coordinator.hasher.digest(receipt.struct_hash())
        check_signed_by(digest, upload.signature, miner.operator, "the receipt's signature")
        width_px, height_px, count = parameters.width_px, parameters.height_px, parameters.pictures

        def check() -> bool:
            hashes = receipt.picture_hashes
            return check_pictures(upload.pictures, hashes, count=count, width_px=width_px, height_px=height_px)

        return check() if width_px * height_px * count <= _INLINE_PIXELS else await asyncio.to_thread(check)

    async def _stored_reply(self, node: NodeId, task_id: TaskId, number: int, upload: ResultUpload) -> SubmitReply:
        """Answer a result that is not expected: the stored reply where it is a repeat, or why it does not count."""
        await self._engine.settled()
        stored = await self._store.tasks.get(task_id)
        attempt = next((one for one in stored.attempts if one.attempt == number), None)
        if attempt is None or attempt.miner_node != node:
            raise _not_given(node, task_id, number)
        if attempt.state is AttemptState.DONE and attempt.receipt == encode_binary(upload.receipt):
            return await self._accepted(node, task_id, number)
        await self._note_second(node, attempt, upload)
        why = f": {sentence(*read_reason(attempt.reason))}" if attempt.reason else ""
        raise Conflict(f"take a result: attempt {number} of task {task_id} is {attempt.state.value}{why}")

    async def _note_second(self, node: NodeId, attempt: StoredAttempt, upload: ResultUpload) -> None:
        """Keep a receipt that contradicts the accepted one, where the miner's own key signed it: it proves a fault."""
        receipt, miner = upload.receipt, self._miner(node)
        if attempt.state is not AttemptState.DONE or attempt.receipt is None:
            return
        first = decode_binary(attempt.receipt, Receipt)
        same = (first.picture_hashes, first.latents_root) == (receipt.picture_hashes, receipt.latents_root)
        if same or receipt.assignment_hash != attempt.assignment_hash:
            return
        try:
            _check_ranges(upload)
            digest = self._engine.coordinator.hasher.digest(receipt.struct_hash())
            check_signed_by(digest, upload.signature, miner.operator, "the receipt's signature")
        except (PeerFault, ValueError, OverflowError):
            return
        second = SecondReceipt(
            task_id=attempt.task_id,
            attempt=attempt.attempt,
            miner_node=node,
            receipt=encode_binary(receipt),
            signature=upload.signature,
            at=self._clock.now(),
        )
        if await self._store.writer.execute(self._store.proofs.add(second)):
            log.warning(
                "a miner signed two results for one assignment",
                task=attempt.task_id,
                attempt=attempt.attempt,
                miner=node,
            )

    async def _accepted(self, node: NodeId, task_id: TaskId, number: int) -> SubmitReply:
        audit = await self._store.audits.of_attempt(task_id, number)
        if audit is not None and audit.state is AuditState.FAILED:
            raise Conflict(f"pay for a result: it was checked, and is wrong: {audit.detail}")
        waits = audit is not None and audit.state is AuditState.OPEN
        asked = audit.challenge if audit is not None and waits and audit.answer is None else None
        return SubmitReply(voucher=self._purse.voucher(node), audited=waits, challenge=asked)

    async def answer(self, node: NodeId, audit_id: int, answer: ChallengeAnswer) -> SubmitReply:
        """Take the answer to a challenge in; a repeat gets the reply that holds by then.

        Raises:
            NotFound: this miner was not asked that.
            Conflict: too late, or the result is wrong.
        """
        self._miner(node)
        return await self._accepted(node, *await self._audits.answer(node, audit_id, answer))

    async def failure(self, node: NodeId, task_id: TaskId, number: int, failure: Failure) -> None:
        """Note that a miner could not finish an attempt; without effect when it is not expected any more."""
        self._miner(node)
        kind = FailureKind.HANDED_BACK if failure.kind == _SHUTTING_DOWN else FailureKind.REPORTED
        reason = f"{failure.kind}: {failure.reason}" if failure.reason else failure.kind
        self._fail(node, task_id, number, kind, "".join(c if c.isprintable() else " " for c in reason[:_REASON_MAX]))
        await self._engine.settled()

    def _fail(self, node: NodeId, task_id: TaskId, number: int, kind: FailureKind, reason: str) -> None:
        self._engine.apply(
            AttemptFailed(now=self._clock.now(), task_id=task_id, attempt=number, node=node, kind=kind, reason=reason)
        )


def _not_given(node: NodeId, task_id: TaskId, number: int) -> NotFound:
    return NotFound(f"take a result: attempt {number} of task {task_id} was not given to miner {node}")


def _numbered(hashes: tuple[bytes, ...]) -> list[tuple[str, bytes]]:
    return [(f"receipt.picture_hashes[{number}]", value) for number, value in enumerate(hashes)]


def _check_ranges(upload: ResultUpload) -> None:
    """Check that the receipt's numbers fit the types that are hashed, and its texts into a transaction."""
    profile = upload.receipt.profile
    for name in ("device", "dtype", "torch", "attention", "isa"):
        text = getattr(profile, name)
        if len(text.encode()) > _PROFILE_TEXT_MAX:
            raise InvalidField(f"receipt.profile.{name}", text, f"must be at most {_PROFILE_TEXT_MAX} bytes")
    for field, value, most in (
        ("receipt.profile.threads", profile.threads, 2**16 - 1),
        ("receipt.profile.batch_bucket", profile.batch_bucket, 2**16 - 1),
        ("receipt.finished_at", upload.receipt.finished_at, 2**64 - 1),
    ):
        if not 0 <= value <= most:
            raise InvalidField(field, value, f"must be 0 to {most}")
