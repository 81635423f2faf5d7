"""What a miner earns: vouchers, checked before they are kept and shown at sign-ins."""

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import PeerFault
from cuckoo.protocol.eip712 import Hasher
from cuckoo.protocol.messages import SignedVoucher
from cuckoo.protocol.receipts import Voucher
from cuckoo.protocol.signing import check_signed_by
from cuckoo.services.mining.coordinators import Coordinator
from cuckoo.services.mining.seams import Miner
from cuckoo.storage.vouchers import StoredVoucher


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
