"""Whether everybody got the work that stake says: for each node, draws won against the sum of its odds.

A draw changes the sums of every node that takes part in it. Instead of walking over all of them, each model keeps
``1/W`` and ``1/W²`` summed over its draws; a node's share is its weight times what was added while it took part.
"""

import math
from collections.abc import Iterable, Mapping
from statistics import NormalDist

import msgspec

from cuckoo.domain.identifiers import NodeId


class Share(msgspec.Struct, frozen=True):
    """What a node won, and what its stake gave it reason to expect.

    Attributes:
        won: draws won.
        expected: sum of its probabilities over the draws it took part in.
        variance: sum of p(1 - p) over the same draws.
    """

    node: NodeId
    won: int
    expected: float
    variance: float

    def chance_range(self, sigmas: float) -> tuple[int, int]:
        """Return the least and the most wins that lie within ``sigmas`` standard deviations, rounded outwards."""
        reach = sigmas * math.sqrt(self.variance)
        return max(0, math.floor(self.expected - reach)), math.ceil(self.expected + reach)


def allowed_sigmas(nodes: int, alpha: float = 0.001) -> float:
    """Return the normal quantile at 1 - alpha/2n: how far one of n fair nodes strays with chance ``alpha`` only."""
    return NormalDist().inv_cdf(1 - alpha / (2 * max(1, nodes)))


class OddsTally:
    """Wins and odds of the nodes of one model."""

    __slots__ = ("_inverse", "_inverse_squares", "_since", "_totals")

    def __init__(self) -> None:
        """Start before the first draw."""
        self._inverse = 0.0
        self._inverse_squares = 0.0
        self._since: dict[NodeId, tuple[int, float, float]] = {}
        self._totals: dict[NodeId, list[float]] = {}

    def weigh(self, node: NodeId, weight_wei: int) -> None:
        """Note the weight with which a node takes part from now on; 0 when it leaves."""
        self._settle(node)
        if weight_wei:
            self._since[node] = (weight_wei, self._inverse, self._inverse_squares)
        else:
            self._since.pop(node, None)

    def drawn(self, winner: NodeId, total_wei: int, excluded: Iterable[NodeId]) -> None:
        """Note a draw over all present nodes but the excluded; ``total_wei`` is the weight of those left."""
        inverse = 1.0 / total_wei
        self._inverse += inverse
        self._inverse_squares += inverse * inverse
        for node in excluded:
            odds = self._since[node][0] * inverse
            total = self._total(node)
            total[1] -= odds
            total[2] -= odds * odds
        self._total(winner)[0] += 1

    def add_to(self, sums: dict[NodeId, list[float]]) -> None:
        """Add (wins, sum of p, sum of p²) of every node that ever took part."""
        for node in self._totals.keys() | self._since.keys():
            total = self._totals.get(node, (0.0, 0.0, 0.0))
            odds, squares = self._unsettled(node)
            into = sums.setdefault(node, [0.0, 0.0, 0.0])
            for i, value in enumerate((total[0], total[1] + odds, total[2] + squares)):
                into[i] += value

    def _total(self, node: NodeId) -> list[float]:
        return self._totals.setdefault(node, [0.0, 0.0, 0.0])

    def _settle(self, node: NodeId) -> None:
        if node in self._since:
            odds, squares = self._unsettled(node)
            total = self._total(node)
            total[1] += odds
            total[2] += squares

    def _unsettled(self, node: NodeId) -> tuple[float, float]:
        if node not in self._since:
            return 0.0, 0.0
        weight, inverse, squares = self._since[node]
        return weight * (self._inverse - inverse), weight * weight * (self._inverse_squares - squares)


def shares(tallies: Iterable[OddsTally]) -> Mapping[NodeId, Share]:
    """Return the share of every node over several models, in order of node id."""
    sums: dict[NodeId, list[float]] = {}
    for tally in tallies:
        tally.add_to(sums)
    return {
        node: Share(node, round(won), max(0.0, odds), max(0.0, odds - squares))
        for node, (won, odds, squares) in sorted(sums.items())
    }
