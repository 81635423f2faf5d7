"""What dispatch needs from other services, as narrow as it uses them."""

from typing import Protocol

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.pricing import Rates
from cuckoo.protocol.messages import SignedVoucher
from cuckoo.storage.records import Entry
from cuckoo.storage.writer import Command


class Purse(Protocol):
    """What tasks cost, what is owed to miners, and what backs it."""

    rates: Rates

    def free_wei(self, miner: NodeId) -> Wei:
        """Return what is held ready for a miner beyond what it has earned."""

    def owe(self, miner: NodeId, task_id: TaskId, attempt: int, amount_wei: Wei, at: float) -> Command[Entry]:
        """Owe a miner the price of a result, as part of the commit that accepts it."""

    def committed(self, miner: NodeId, amount_wei: Wei) -> None:
        """Note that what ``owe`` added is on disk."""

    def voucher(self, miner: NodeId) -> SignedVoucher | None:
        """Sign all that a miner has earned and that is on disk; None when it has earned nothing."""

    async def admit(self, miner: NodeId, shown: SignedVoucher | None) -> None:
        """Take in what chain and miner know at a sign-in; raises TransientError or PeerFault."""
