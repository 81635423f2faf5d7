"""What stake promised each miner and what it got, between two looks at the coordinator's list of miners."""

from collections.abc import Sequence

import msgspec

from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.views import MinerView
from cuckoo.scheduler.fairness import Share, allowed_sigmas


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the demo's last table.

    Attributes:
        stake_wei: its weight in draws.
        expected: sum of the odds it had in the draws that it took part in.
        done: tasks it finished.
        least, most: how many tasks chance allows, in all but 1 of 1,000 fair demos.
    """

    node_id: NodeId
    stake_wei: int
    expected: float
    done: int
    least: int
    most: int

    @property
    def within(self) -> bool:
        """Whether chance explains what it got."""
        return self.least <= self.done <= self.most


def outcomes(before: Sequence[MinerView], after: Sequence[MinerView], nodes: Sequence[NodeId]) -> list[Outcome]:
    """Compare what happened between two looks, for each of ``nodes``.

    A miner's number of tasks is a sum of independent draws with the odds p it had in each (Poisson-binomial); its
    range is the mean and so many standard deviations around it that all miners together stay within, but for a
    chance of 1 in 1,000 (a normal quantile, shared out over the miners).
    """
    first = {miner.node_id: miner for miner in before}
    last = {miner.node_id: miner for miner in after}
    sigmas = allowed_sigmas(len(nodes))
    rows = []
    for node in nodes:
        then, now = first[node], last[node]
        expected = max(0.0, now.expected - then.expected)
        done = now.done - then.done
        least, most = Share(node, done, expected, max(0.0, now.variance - then.variance)).chance_range(sigmas)
        rows.append(
            Outcome(node_id=node, stake_wei=now.weight_wei, expected=expected, done=done, least=least, most=most)
        )
    return rows
