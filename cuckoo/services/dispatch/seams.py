"""What dispatch needs from other services, as narrow as it uses them."""

from typing import Protocol

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.pricing import Rates
from cuckoo.domain.task import TaskParameters
from cuckoo.protocol.messages import Challenge, ChallengeAnswer, SignedVoucher
from cuckoo.storage.records import Entry
from cuckoo.storage.writer import Command


class Purse(Protocol):
    """What tasks cost, what is owed to miners, and what backs it."""

    rates: Rates

    def free_wei(self, miner: NodeId) -> Wei:
        """Return what is held ready for a miner beyond what it has earned."""

    def owe(
        self, miner: NodeId, task_id: TaskId, attempt: int, kind: str, amount_wei: Wei, at: float
    ) -> Command[Entry]:
        """Owe a miner for an attempt, as part of the commit that ends it."""

    def hold(self, miner: NodeId, amount_wei: int) -> None:
        """Keep so much free for a miner, whose result is not paid before it is checked; less than 0 ends that."""

    async def earned_wei(self, miner: NodeId, task_id: TaskId, attempt: int) -> Wei:
        """Read what an attempt of a miner has earned."""

    def committed(self, miner: NodeId, amount_wei: Wei) -> None:
        """Note that what ``owe`` added is on disk."""

    def voucher(self, miner: NodeId) -> SignedVoucher | None:
        """Sign all that a miner has earned and that is on disk; None when it has earned nothing."""

    async def admit(self, miner: NodeId, shown: SignedVoucher | None) -> None:
        """Take in what chain and miner know at a sign-in; raises TransientError or PeerFault."""


class Audits(Protocol):
    """Which results are made again by somebody else before they are paid."""

    def chosen(self, miner: NodeId, receipt: bytes, health: float, suspicious: bool) -> bool:
        """Tell whether a result is to be checked; decided when its receipt is in, so that nobody can foresee it."""

    def challenge(self, parameters: TaskParameters, receipt: bytes, suspicious: bool) -> Challenge | None:
        """Return what the miner of a chosen result has to show of one step; None when all of it is made again."""

    def opened(self, task_id: TaskId, attempt: int) -> None:
        """Take note that a result waits to be checked, and that this is on disk."""

    async def answer(self, miner: NodeId, audit_id: int, answer: ChallengeAnswer) -> tuple[TaskId, int]:
        """Take an answer to a challenge in; returns the task and attempt that it is about."""

    def waits(self, task_id: TaskId, attempt: int) -> bool:
        """Tell whether a result is being checked now."""
