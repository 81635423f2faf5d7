"""Which coordinators a miner serves: drawn by their weight, with the draw that coordinators use for miners."""

from collections.abc import Collection

import msgspec

from cuckoo.domain.identifiers import NodeId
from cuckoo.scheduler.draw import draw
from cuckoo.scheduler.fenwick import SumTree

WITHOUT_WORK_S = 60.0
"""After so long without an assignment the choice is made anew."""


class CoordinatorOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A coordinator that a miner could serve.

    Attributes:
        weight_wei: recorded weight on chain.
        open_tasks: how many tasks it said it has, for models that this miner serves; 0 when it is idle or unreachable.
    """

    node: NodeId
    weight_wei: int
    open_tasks: int


def choose(offers: Collection[CoordinatorOffer], slots: int, seed: bytes, first_draw: int = 0) -> tuple[NodeId, ...]:
    """Draw coordinators by weight, without putting them back.

    Only those with open tasks take part; when there are none, all with weight do, so that the first task finds a miner.

    Args:
        offers: at most one for each coordinator.
        slots: how many at most, >= 1.
        seed: 32 random bytes of this miner's own.
        first_draw: index of the first draw; must differ between choices under the same seed.

    Returns:
        Coordinators in the order drawn, ``slots`` of them or as many as there are. The miner offers slot j to number
        ``j % len``; none when no coordinator has weight.
    """
    serious = [offer for offer in offers if offer.weight_wei > 0]
    candidates = [offer for offer in serious if offer.open_tasks > 0] or serious
    tree = SumTree()
    by_rank = sorted(offer.node for offer in candidates)
    weights = {offer.node: offer.weight_wei for offer in candidates}
    for rank, node in enumerate(by_rank, 1):
        tree.set(rank, weights[node])
    chosen: list[NodeId] = []
    while len(chosen) < slots:
        drawn = draw(tree, seed, first_draw + len(chosen))
        if drawn is None:
            break
        chosen.append(by_rank[drawn.node - 1])
        tree.set(drawn.node, 0)
    return tuple(chosen)


class CoordinatorChoice:
    """A miner's present choice, and when to make it anew."""

    def __init__(self, seed: bytes, slots: int) -> None:
        """Start without a choice.

        Args:
            seed: 32 random bytes of this miner's own.
            slots: how many coordinators to serve at most, >= 1.
        """
        self._seed = seed
        self._slots = slots
        self._draws = 0
        self._period = -1
        self._worked_at = 0.0
        self.chosen: tuple[NodeId, ...] = ()

    def due(self, period: int, now: float) -> bool:
        """Tell whether to choose anew: another draw period began, nothing is chosen, or 60 s brought no work."""
        return period != self._period or not self.chosen or now - self._worked_at >= WITHOUT_WORK_S

    def renew(self, offers: Collection[CoordinatorOffer], period: int, now: float) -> tuple[NodeId, ...]:
        """Choose anew and return the coordinators in order; see ``choose``."""
        self.chosen = choose(offers, self._slots, self._seed, self._draws)
        self._draws += self._slots
        self._period, self._worked_at = period, now
        return self.chosen

    def worked(self, now: float) -> None:
        """Note that an assignment came."""
        self._worked_at = now
