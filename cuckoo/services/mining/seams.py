"""What mining needs from other floors, as narrow as it uses them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cuckoo.chain.escrow import EscrowAccount
from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.inference.messages import Finished
from cuckoo.inference.messages import Progress as StepDone
from cuckoo.inference.pool import Job, LoadedModel
from cuckoo.protocol.eip712 import Domain
from cuckoo.protocol.market import MissedView
from cuckoo.protocol.messages import (
    ChallengeAnswer,
    Failure,
    Poll,
    Progress,
    ProgressReply,
    ResultUpload,
    Session,
    SignedAssignment,
    SignInOffer,
    SignInProof,
    SignInRequest,
    SubmitReply,
)
from cuckoo.protocol.receipts import Assignment
from cuckoo.protocol.signing import Signer
from cuckoo.storage.records import NewReceipt, StoredReceipt
from cuckoo.storage.vouchers import StoredVoucher

_FREE = Wei(0)


@dataclass(frozen=True)
class Miner:
    """Who mines: the registered node, its operator's key, and the chain it is registered on."""

    node_id: NodeId
    signer: Signer
    domain: Domain


@dataclass(frozen=True)
class MiningOptions:
    """How a miner works. Times in seconds.

    Attributes:
        draw_period_s: coordinators are drawn anew in each of the network's draw periods.
        progress_s: longest silence about an attempt that it has.
        preview_every: denoising steps between two previews; 0 for none.
        min_rate_wei: least price of a megapixel-step.
        max_unredeemed_wei: most that one coordinator may owe, work in hand included; 0 for what is ring-fenced.
        account_holds_s: how long an escrow account that was read holds while the chain does not answer; less than
            the network's thaw time.
    """

    draw_period_s: int
    progress_s: float = 5.0
    preview_every: int = 0
    min_rate_wei: Wei = _FREE
    max_unredeemed_wei: Wei = _FREE
    account_holds_s: float = 0.0


class Pool(Protocol):
    """The worker pool; see :class:`cuckoo.inference.pool.WorkerPool`."""

    ready: asyncio.Event
    devices: tuple[str, ...]

    @property
    def at_once(self) -> int:
        """How many jobs run at the same time."""

    async def run(self, job: Job, on_progress: Callable[[StepDone], None] | None = None) -> Finished:
        """Run a job; raises JobCancelled, JobRefused, OutOfMemory, WorkerDied or WorkerFault."""

    def cancel(self, job_id: str) -> None:
        """Stop a job within one step."""

    def loaded(self) -> dict[ModelDigest, LoadedModel]:
        """Return the models in memory."""


class ReceiptStore(Protocol):
    """Receipts on disk; every method that writes returns after the commit."""

    async def record(self, receipt: NewReceipt) -> StoredReceipt:
        """Store a receipt with its upload; where there is one already, that one is returned unchanged."""

    async def get(self, assignment_hash: bytes) -> StoredReceipt | None:
        """Read a receipt."""

    async def unsettled(self) -> list[StoredReceipt]:
        """Read the receipts that no coordinator has answered yet."""

    async def result(self, receipt: StoredReceipt) -> bytes:
        """Read the upload of an unsettled receipt."""

    async def settle(self, assignment_hash: bytes, *, accepted: bool, reply: bytes) -> None:
        """Store the coordinator's answer."""

    async def earn(self, receipt: StoredReceipt, *, reply: bytes, voucher: StoredVoucher | None) -> tuple[int, int]:
        """Store the answer to an accepted result, what it earned, and the voucher, in one commit.

        Returns:
            All that this coordinator's accepted results have earned, and what the best voucher holds, in wei.
        """

    async def earn_part(
        self, assignment: Assignment, *, amount_wei: Wei, at: float, voucher: StoredVoucher | None
    ) -> tuple[int, int]:
        """Store what the steps of a cancelled attempt have earned, once, and the voucher, in one commit.

        Returns:
            As ``earn``.
        """

    async def keep(self, voucher: StoredVoucher) -> None:
        """Keep a voucher, where it is better than what is kept."""

    async def standing(self, coordinator: NodeId) -> tuple[int, int]:
        """Read what a coordinator's work has earned in all, and what its best voucher holds, in wei."""

    async def best_voucher(self, coordinator_node: NodeId) -> StoredVoucher | None:
        """Read the best voucher of a coordinator."""

    async def last_sequence(self, coordinator_node: NodeId) -> int:
        """Read the highest sequence seen from a coordinator."""

    async def note_sequence(self, coordinator_node: NodeId, sequence: int) -> int:
        """Raise it."""


class EscrowReader(Protocol):
    """What coordinators hold ready; raises TransientError when the chain does not answer."""

    async def account(self, coordinator: NodeId, miner: NodeId) -> EscrowAccount:
        """Read an account."""


class CoordinatorLink(Protocol):
    """HTTP calls to one coordinator. All raise CoordinatorUnreachable, or the PeerFault that was answered."""

    async def sign_in(self, request: SignInRequest) -> SignInOffer:
        """Ask to sign in."""

    async def open_session(self, proof: SignInProof) -> Session:
        """Prove to be the miner."""

    async def sign_out(self, token: str) -> None:
        """End a session: what is assigned and unfinished goes to others."""

    async def poll(self, token: str, poll: Poll) -> SignedAssignment | None:
        """Offer a slot; None when the long poll ended without an assignment."""

    async def progress(self, token: str, task_id: TaskId, attempt: int, progress: Progress) -> ProgressReply:
        """Report a step."""

    async def submit(self, token: str, task_id: TaskId, attempt: int, upload: ResultUpload) -> SubmitReply:
        """Upload a result."""

    async def input(self, token: str, task_id: TaskId, attempt: int, digest: bytes) -> bytes:
        """Read something that a task is made from."""

    async def answer(self, token: str, challenge: int, answer: ChallengeAnswer) -> SubmitReply:
        """Answer a challenge."""

    async def fail(self, token: str, task_id: TaskId, attempt: int, failure: Failure) -> None:
        """Report that an attempt failed."""

    async def missed(self, token: str) -> MissedView:
        """Read which tasks went to other miners, and why."""

    async def close(self) -> None:
        """Close its connections."""
