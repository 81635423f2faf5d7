"""Coordinators that cheat, each in one way: so that tests and ``make cheats`` can show what finds them.

Each takes the place of a part that an honest coordinator gives to its dispatch, and leaves all others as they are.
"""

import random
from enum import StrEnum
from typing import Any

from msgspec.structs import replace

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.domain.node import Node
from cuckoo.protocol.messages import SignedAssignment, SignedVoucher
from cuckoo.scheduler.drawlog import DrawLog, DrawRow, Row
from cuckoo.scheduler.fenwick import SumTree
from cuckoo.scheduler.pool import Pool
from cuckoo.scheduler.state import SchedulerSettings, State
from cuckoo.services.dispatch.parking import Parking, Waiter
from cuckoo.services.purse import Purse


class Crook(StrEnum):
    """What a coordinator does instead of its duty."""

    FAVOURS = "favours"
    FORGES = "forges"
    DROPS = "drops"
    OVERRATES = "overrates"
    UNPAID = "unpaid"
    STALLS = "stalls"
    ACCUSES = "accuses"

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Crook.FAVOURS: "gives tasks to its favourite, and logs whom the seed drew",
    Crook.FORGES: "gives tasks to its favourite, and logs it as drawn",
    Crook.DROPS: "lets assignments that went to others get lost, and draws again",
    Crook.OVERRATES: "lets a jailed miner take part, or one with more weight than it has",
    Crook.UNPAID: "withholds vouchers",
    Crook.STALLS: "says for ever that a result is still being checked",
    Crook.ACCUSES: "accuses an honest miner",
}


class Steering:
    """Decides which draws are steered, and towards whom.

    Attributes:
        favourite: who is to be given more.
    """

    def __init__(self, favourite: NodeId, part: float, rng: random.Random) -> None:
        """Steer ``part`` (0 to 1) of all draws that others win."""
        self.favourite = favourite
        self._part = part
        self._rng = rng

    def steers(self) -> bool:
        """Tell whether this one is steered."""
        return self._rng.random() < self._part


class _Tree(SumTree):
    """Finds the favourite instead of whom the seed decides."""

    def __init__(self, state: "CrookedState") -> None:
        super().__init__()
        self._state = state

    def find(self, x: int) -> int:
        drawn = NodeId(super().find(x))
        favourite = self._state.steering.favourite
        if drawn == favourite or not self.weight(favourite) or not self._state.steering.steers():
            return drawn
        self._state.passed_over = drawn
        return favourite


class _Log(DrawLog):
    """Writes down whom the seed decided, whoever was given the task."""

    def __init__(self, state: "CrookedState", tip: bytes) -> None:
        super().__init__(tip)
        self._state = state

    def append(self, row: Row) -> None:
        if isinstance(row, DrawRow) and self._state.passed_over is not None:
            row, self._state.passed_over = replace(row, node=self._state.passed_over), None
        super().append(row)


class CrookedState(State):
    """A scheduler's state whose draws are steered.

    Attributes:
        passed_over: who was drawn, while another is given the task.
    """

    def __init__(self, settings: SchedulerSettings, steering: Steering, crook: Crook) -> None:
        """Steer; with :attr:`Crook.FAVOURS` the log tells nothing of it."""
        self.steering = steering
        self.passed_over: NodeId | None = None
        self._hides = crook is Crook.FAVOURS
        self._log: DrawLog | None = None
        super().__init__(settings)

    @property
    def log(self) -> DrawLog | None:
        """The draw log."""
        return self._log

    @log.setter
    def log(self, log: DrawLog | None) -> None:
        self._log = _Log(self, log.tip) if log is not None and self._hides else log

    def pool(self, model: ModelDigest) -> Pool:
        """Return the pool of a model, with a tree that is steered."""
        new = model not in self.pools
        pool = super().pool(model)
        if new:
            pool.tree = _Tree(self)
        return pool


class LossyParking(Parking):
    """Loses assignments on their way to others than the favourite: what times out is drawn again."""

    def __init__(self, steering: Steering) -> None:
        """Lose as many as are steered."""
        super().__init__()
        self._steering = steering

    def deliver(self, waiter: Waiter | None, slot: int, signed: SignedAssignment) -> None:
        """Answer a poll, or let it wait for nothing."""
        if signed.assignment.miner_node == self._steering.favourite or not self._steering.steers():
            super().deliver(waiter, slot, signed)


class BlindRegistry:
    """A registry that shows a favourite with a weight which the chain does not record."""

    def __init__(self, registry: Any, favourite: NodeId, weight_wei: Wei) -> None:
        """Show ``favourite`` with ``weight_wei``, everybody else as ``registry`` does."""
        self._registry = registry
        self._favourite = favourite
        self._weight_wei = weight_wei

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node."""
        node: Node | None = self._registry.node(node_id)
        if node is None or node_id != self._favourite:
            return node
        return replace(node, weight_wei=self._weight_wei, jailed_until=0)


class EmptyPurse(Purse):
    """Owes, and signs nothing."""

    def voucher(self, miner: NodeId) -> SignedVoucher | None:  # noqa: ARG002 - whoever it is
        """Keep the voucher."""
        return None


class EndlessAudits:
    """Begins to check every result, and never ends."""

    def chosen(self, *_: object) -> bool:
        """Choose them all."""
        return True

    def challenge(self, *_: object) -> None:
        """Ask for nothing."""

    def opened(self, *_: object) -> None:
        """Do nothing about it."""

    def waits(self, *_: object) -> bool:
        """Say that it takes a while."""
        return True
