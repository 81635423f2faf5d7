"""A miner's relation to one coordinator: mutual sign-in, a session that is renewed, back-off, sequence numbers."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import msgspec
import structlog

from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import (
    CoordinatorUnreachable,
    CuckooError,
    NotSignedIn,
    Overloaded,
    PeerFault,
    TransientError,
)
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol.eip712 import Hasher, hash_sign_in
from cuckoo.protocol.inputs import input_hash
from cuckoo.protocol.market import MissedView
from cuckoo.protocol.messages import (
    ChallengeAnswer,
    Failure,
    ModelOffer,
    Poll,
    Progress,
    ProgressReply,
    ResultUpload,
    Session,
    SignedAssignment,
    SignedVoucher,
    SignInOffer,
    SignInProof,
    SignInRequest,
    SubmitReply,
    encode_json,
)
from cuckoo.protocol.receipts import Assignment
from cuckoo.protocol.signing import check_signed_by, recover
from cuckoo.runtime.clock import Clock
from cuckoo.runtime.retry import backoff_s
from cuckoo.services.mining.coordinators import Coordinator
from cuckoo.services.mining.earnings import VoucherWrong, check_voucher, shown
from cuckoo.services.mining.seams import CoordinatorLink, Miner, ReceiptStore
from cuckoo.storage.records import StoredReceipt
from cuckoo.storage.vouchers import StoredVoucher

log = structlog.get_logger(__name__)

T = TypeVar("T")

BACKOFF_CAP_S = 15.0
DISTRUST_S = 60.0
RENEW_BEFORE_S = 300.0
SIGN_IN_MAX_S = 600.0
SIGN_OUT_S = 3.0
_REMEMBERED = 4_096


class Connection:
    """One coordinator, as long as its address and key stay what they are.

    Attributes:
        coordinator: who it is, from the chain.
        open_tasks: how many tasks it has for us, as far as is known: at sign-in, then from what polls bring.
        in_use: polls and attempts that go through it now.
        on_paid: called when a result is accepted on disk, with what the best voucher then holds, in wei.
        debt: what is missing in its vouchers, "" when nothing is, or nobody has looked yet.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        link: CoordinatorLink,
        miner: Miner,
        receipts: ReceiptStore,
        offers: Callable[[], tuple[int, tuple[ModelOffer, ...], str]],
        clock: Clock,
    ) -> None:
        """Take what the connection works with; nothing is sent before the first call.

        Args:
            coordinator: who is called.
            link: calls to its origin.
            miner: who signs in.
            receipts: where sequence marks are kept.
            offers: gives slots, models and device as they are now.
            clock: time.
        """
        self.coordinator = coordinator
        self.open_tasks = 0
        self.in_use = 0
        self.on_paid: Callable[[StoredReceipt, int], None] = lambda *_: None
        self.debt = ""
        self._even = False
        self._link = link
        self._miner = miner
        self._hasher = Hasher(miner.domain)
        self._receipts = receipts
        self._offers = offers
        self._clock = clock
        self._signing_in = asyncio.Lock()
        self._session: Session | None = None
        self._offered: tuple[int, tuple[ModelOffer, ...], str] | None = None
        self._failures = 0
        self._usable_at = clock.monotonic()
        self._floor: int | None = None
        self._seen: dict[int, bytes] = {}

    # Health of the connection.

    @property
    def signed_in(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    @property
    def wait_s(self) -> float:
        """Seconds until it may be called again after failures; 0 when it may now."""
        return max(0.0, self._usable_at - self._clock.monotonic())

    def distrust(self, fault: PeerFault) -> None:
        """Leave a coordinator alone for a while that signed what is not its own, or answers nonsense."""
        log.warning("coordinator broke the protocol", coordinator=self.coordinator.node_id, reason=str(fault))
        self._usable_at = self._clock.monotonic() + DISTRUST_S

    def _wait(self, fault: Overloaded) -> None:
        self._usable_at = self._clock.monotonic() + min(max(fault.retry_after_s, 0.0), BACKOFF_CAP_S)

    def _failed(self, error: CuckooError) -> None:
        wait_s = backoff_s(self._failures, cap_s=BACKOFF_CAP_S, draw=random.random)
        self._failures += 1
        self._usable_at = self._clock.monotonic() + wait_s
        log.info(
            "coordinator not reached",
            coordinator=self.coordinator.node_id,
            origin=self.coordinator.origin,
            reason=str(error),
            again_in_s=round(wait_s, 2),
        )

    # Sign-in.

    async def refresh(self) -> None:
        """Sign in anew to learn of open tasks; raises TransientError."""
        self._session = None
        await self._token()

    async def _token(self) -> str:
        async with self._signing_in:
            session = self._session
            if session is not None and not self._is_stale(session):
                return session.token
            if self.wait_s:
                raise CoordinatorUnreachable(
                    f"sign in at coordinator {self.coordinator.node_id}: again in {self.wait_s:.1f} s"
                )
            return (await self._sign_in()).token

    def _is_stale(self, session: Session) -> bool:
        """Whether it ends soon, or what it says about this miner is not so any more."""
        offers = self._offers()
        ends_soon = self._clock.now() > session.expires_at - RENEW_BEFORE_S
        return ends_soon or (bool(offers[1]) and offers != self._offered)

    async def _sign_in(self) -> Session:
        """Sign in mutually: nothing is signed before the coordinator has proved who it is and where we reached it."""
        node = self.coordinator.node_id
        offers = self._offers()
        try:
            offer, nonce = await self._ask()
            if self._floor is None:
                self._floor = await self._receipts.note_sequence(node, offer.last_sequence)
            struct_hash = hash_sign_in(
                node, self.coordinator.origin, self._miner.node_id, nonce, offer.coordinator_nonce, offer.expiry
            )
            session = await self._link.open_session(
                SignInProof(
                    origin=self.coordinator.origin,
                    miner_node=self._miner.node_id,
                    miner_nonce=nonce,
                    coordinator_nonce=offer.coordinator_nonce,
                    expiry=offer.expiry,
                    signature=self._miner.signer.sign(self._hasher.digest(struct_hash)),
                    slots=offers[0],
                    models=offers[1],
                    device=offers[2],
                    voucher=shown(await self._receipts.best_voucher(node), self._miner),
                )
            )
            if session.voucher is not None:
                await self._receipts.keep(self._checked(session.voucher))
        except TransientError as error:
            self._failed(error)
            raise
        except Overloaded as fault:
            self._wait(fault)
            raise CoordinatorUnreachable(f"sign in at coordinator {node}: {fault}") from fault
        except PeerFault as fault:
            self.distrust(fault)
            raise CoordinatorUnreachable(f"sign in at coordinator {node}: {fault}") from fault
        self._session, self._offered = session, offers
        self.open_tasks = session.open_tasks
        self._failures = 0
        log.info("signed in", coordinator=node, origin=self.coordinator.origin, open_tasks=session.open_tasks)
        return session

    async def _ask(self) -> tuple[SignInOffer, bytes]:
        """Get the coordinator's half of the sign-in, and check it; raises PeerFault or TransientError."""
        node, nonce = self.coordinator.node_id, secrets.token_bytes(32)
        offer = await self._link.sign_in(
            SignInRequest(
                origin=self.coordinator.origin,
                miner_node=self._miner.node_id,
                miner_nonce=nonce,
                last_sequence=await self._receipts.last_sequence(node),
            )
        )
        if offer.coordinator_node != node:
            raise PeerFault(f"it says it is coordinator {offer.coordinator_node}, expected {node}")
        now = self._clock.now()
        if not now < offer.expiry <= now + SIGN_IN_MAX_S:
            raise PeerFault(f"its offer ends at {offer.expiry}, now is {now:.0f}; check this machine's clock")
        if len(offer.coordinator_nonce) != len(nonce) or not 0 <= offer.last_sequence < 2**63:
            raise PeerFault("its offer has a nonce or a sequence number out of range")
        struct_hash = hash_sign_in(
            node, self.coordinator.origin, self._miner.node_id, nonce, offer.coordinator_nonce, offer.expiry
        )
        digest = self._hasher.digest(struct_hash)
        check_signed_by(digest, offer.signature, self.coordinator.operator, "the coordinator's sign-in")
        return offer, nonce

    # Calls under a session.

    async def _call(self, call: Callable[[str], Awaitable[T]]) -> T:
        token = await self._token()
        try:
            return await call(token)
        except NotSignedIn:
            if self._session is not None and self._session.token == token:
                self._session = None
        token = await self._token()
        try:
            return await call(token)
        except NotSignedIn as fault:
            self._session = None
            raise CoordinatorUnreachable(
                f"call coordinator {self.coordinator.node_id}: it forgets its sessions: {fault}"
            ) from fault

    async def poll(self, slot: int) -> SignedAssignment | None:
        """Offer a slot. Raises TransientError (with back-off taken) or PeerFault, also where it owes a voucher."""
        if not self._even:
            await self._settle()
        try:
            models = tuple(offer.digest for offer in self._offers()[1])
            signed = await self._call(lambda token: self._link.poll(token, Poll(slot=slot, models=models)))
        except Overloaded as fault:
            self._wait(fault)
            raise CoordinatorUnreachable(str(fault)) from fault
        except TransientError as error:
            if not self.wait_s:
                self._failed(error)
            raise
        self._failures = 0
        self.open_tasks = 0 if signed is None else max(1, self.open_tasks)
        return signed

    async def progress(self, task_id: TaskId, attempt: int, progress: Progress) -> ProgressReply:
        """Report a step; raises TransientError or PeerFault."""
        return await self._call(lambda token: self._link.progress(token, task_id, attempt, progress))

    async def submit(self, task_id: TaskId, attempt: int, upload: ResultUpload) -> SubmitReply:
        """Upload a result; raises TransientError, or the PeerFault with which it was refused.

        One that was signed before this miner's key was replaced is signed with the new one: the receipt says the same.
        """
        digest = self._hasher.digest(upload.receipt.struct_hash())
        if recover(digest, upload.signature) != self._miner.signer.address:
            upload = msgspec.structs.replace(upload, signature=self._miner.signer.sign(digest))
        return await self._call(lambda token: self._link.submit(token, task_id, attempt, upload))

    async def input(self, task_id: TaskId, attempt: int, digest: bytes) -> bytes:
        """Read something that a task is made from; raises TransientError or PeerFault, also where it is another."""
        payload = await self._call(lambda token: self._link.input(token, task_id, attempt, digest))
        if input_hash(payload) != digest:
            raise PeerFault(f"read an input of task {task_id}: it has not the sha256 {digest.hex()}")
        return payload

    async def answer(self, challenge: int, answer: ChallengeAnswer) -> SubmitReply:
        """Answer a challenge; raises as ``submit``."""
        return await self._call(lambda token: self._link.answer(token, challenge, answer))

    async def accept(self, stored: StoredReceipt, reply: SubmitReply) -> None:
        """Keep the answer to an accepted result, and its voucher; a coordinator that owes more is left alone."""
        voucher, fault = self._read(reply.voucher)
        earned, holds = await self._receipts.earn(stored, reply=encode_json(reply), voucher=voucher)
        self.on_paid(stored, holds)
        self._compare(earned, holds, fault)

    async def accept_part(self, assignment: Assignment, reply: ProgressReply) -> None:
        """Keep what the steps of a cancelled attempt have earned; a coordinator that owes more is left alone."""
        if not 0 < reply.earned_wei <= assignment.price:
            return
        voucher, fault = self._read(reply.voucher)
        earned, holds = await self._receipts.earn_part(
            assignment, amount_wei=reply.earned_wei, at=self._clock.now(), voucher=voucher
        )
        self._compare(earned, holds, fault)

    def _read(self, signed: SignedVoucher | None) -> tuple[StoredVoucher | None, str]:
        """Return a voucher as it is kept, and what is wrong with it."""
        try:
            return (None if signed is None else self._checked(signed)), ""
        except PeerFault as error:
            return None, str(error)

    def _checked(self, signed: SignedVoucher) -> StoredVoucher:
        return check_voucher(signed, self.coordinator, self._miner, self._clock.now())

    async def _settle(self) -> None:
        """Offer nothing while a voucher is missing; one may come with a sign-in, so each try begins with a new one."""
        if self.debt:
            self._session = None
        await self._token()
        self._compare(*await self._receipts.standing(self.coordinator.node_id), "")
        if self.debt:
            raise CoordinatorUnreachable(self.debt)

    def _compare(self, earned: int, holds: int, fault: str) -> None:
        self._even = holds >= earned
        self.debt = (
            ""
            if self._even
            else f"take a voucher: the best one holds {format_cai(Wei(holds))} CAI, this miner has earned "
            f"{format_cai(Wei(earned))}"
        )
        if fault := fault or self.debt:
            self.distrust(VoucherWrong(fault))

    async def fail(self, task_id: TaskId, attempt: int, failure: Failure) -> None:
        """Report a failed attempt; raises TransientError or PeerFault."""
        await self._call(lambda token: self._link.fail(token, task_id, attempt, failure))

    async def missed(self) -> MissedView:
        """Ask which tasks went to other miners, and why; raises TransientError or PeerFault."""
        return await self._call(self._link.missed)

    async def close(self) -> None:
        """Sign out, as far as the coordinator answers, and close the link."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(CuckooError, TimeoutError):
                await asyncio.wait_for(self._link.sign_out(session.token), SIGN_OUT_S)
        await self._link.close()

    # Sequence numbers.

    def admits(self, sequence: int, assignment_hash: bytes) -> bool:
        """Tell whether an assignment may be taken as a new one, and remember it.

        Numbers rise per coordinator and miner, but may arrive in any order: refused is what is not above the mark
        that held when this process first signed in, and a number that another assignment bore. So nothing that an
        earlier life of this miner may have signed, be it from a restored backup, is signed again.
        """
        if self._floor is None or sequence <= self._floor:
            return False
        if self._seen.setdefault(sequence, assignment_hash) != assignment_hash:
            return False
        if len(self._seen) > _REMEMBERED:
            oldest = min(self._seen)
            del self._seen[oldest]
            self._floor = max(self._floor, oldest)
        return True
