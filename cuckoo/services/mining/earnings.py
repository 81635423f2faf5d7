"""What a miner earns: vouchers checked and kept, and work refused that nothing on chain backs."""

from cuckoo.chain.escrow import EscrowAccount
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import PeerFault
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.eip712 import Hasher
from cuckoo.protocol.messages import SignedVoucher
from cuckoo.protocol.receipts import Assignment, Voucher
from cuckoo.protocol.signing import check_signed_by
from cuckoo.runtime.clock import Clock
from cuckoo.services.mining.coordinators import Coordinator
from cuckoo.services.mining.seams import EscrowReader, Miner, ReceiptStore
from cuckoo.storage.vouchers import StoredVoucher

FRESH_S = 5.0
"""So old may be what is known of an account: a thaw takes days, 30 seconds on the devnet."""


class VoucherWrong(PeerFault):
    """A voucher that is not what the coordinator owes."""

    code = "voucher_wrong"


def check_voucher(signed: SignedVoucher, coordinator: Coordinator, miner: Miner, now: float) -> StoredVoucher:
    """Check whose voucher it is.

    Args:
        signed: as it came.
        coordinator: who must have signed it.
        miner: whom it must be for.
        now: unix seconds.

    Returns:
        What is kept of it.

    Raises:
        VoucherWrong: it is of or for others.
        SignatureInvalid: the coordinator's operator did not sign it.
    """
    voucher = signed.voucher
    if (voucher.coordinator_node, voucher.miner_node) != (coordinator.node_id, miner.node_id):
        raise VoucherWrong(
            f"take a voucher: it is of coordinator {voucher.coordinator_node} for miner {voucher.miner_node}, not of "
            f"{coordinator.node_id} for {miner.node_id}"
        )
    digest = Hasher(miner.domain).digest(voucher.struct_hash())
    check_signed_by(digest, signed.signature, coordinator.operator, "the voucher's signature")
    return StoredVoucher(
        coordinator_node=coordinator.node_id,
        cumulative_wei=Wei(voucher.cumulative),
        signature=signed.signature,
        received_at=now,
    )


def shown(stored: StoredVoucher | None, miner: Miner) -> SignedVoucher | None:
    """Return a kept voucher as it is shown at a sign-in."""
    if stored is None:
        return None
    voucher = Voucher(
        coordinator_node=stored.coordinator_node, miner_node=miner.node_id, cumulative=stored.cumulative_wei
    )
    return SignedVoucher(voucher=voucher, signature=stored.signature)


class Backing:
    """Whether what coordinators offer is ring-fenced for this miner."""

    def __init__(self, miner: Miner, receipts: ReceiptStore, escrow: EscrowReader, clock: Clock) -> None:
        """Take what it reads."""
        self._miner = miner
        self._receipts = receipts
        self._escrow = escrow
        self._clock = clock
        self._accounts: dict[NodeId, tuple[float, EscrowAccount]] = {}

    async def refusal(self, assignment: Assignment, in_flight_wei: int) -> str:
        """Say why an assignment is not backed, or "" when it is.

        Args:
            assignment: with its price.
            in_flight_wei: what other attempts for the same coordinator will earn.

        Raises:
            TransientError: the chain does not answer.
        """
        if not assignment.price:
            return ""
        coordinator = assignment.coordinator_node
        account = await self._account(coordinator)
        best = await self._receipts.best_voucher(coordinator)
        free = account.free_wei(best.cumulative_wei if best else 0) - in_flight_wei
        if free >= assignment.price:
            return ""
        return (
            f"{format_cai(assignment.price)} CAI are offered, and coordinator {coordinator} holds "
            f"{format_cai(Wei(max(0, free)))} ready beyond what it owes this miner"
        )

    async def _account(self, coordinator: NodeId) -> EscrowAccount:
        now = self._clock.monotonic()
        known = self._accounts.get(coordinator)
        if known is not None and now - known[0] < FRESH_S:
            return known[1]
        account = await self._escrow.account(coordinator, self._miner.node_id)
        self._accounts[coordinator] = now, account
        return account
