"""A miner's redeeming with one voucher, on a real chain."""

from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.redeeming import MinerEscrow, Redeeming, RedeemRules
from cuckoo.storage.vouchers import StoredVoucher

STUCK_S = 0.3


class Kept:
    def __init__(self, coordinator, cumulative, signature):
        self.voucher = StoredVoucher(
            coordinator_node=NodeId(coordinator), cumulative_wei=Wei(cumulative), signature=signature, received_at=0.0
        )

    async def all(self):
        return [self.voucher]


def redeeming(client, key, miner, voucher, **rules):
    """Make what a miner role makes, for one voucher: (coordinator, cumulative, signature)."""
    escrow = MinerEscrow(client, Sender(client, key, stuck_s=STUCK_S), NodeId(miner))
    rules = RedeemRules(**({"at_wei": Wei(1)} | rules))
    return Redeeming(Kept(*voucher), escrow, rules, interval_s=1.0, clock=SystemClock())


async def look(client, key, miner, voucher, **rules):
    """Look once; returns the coordinators that paid."""
    return await redeeming(client, key, miner, voucher, **rules).look()
