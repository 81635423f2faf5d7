"""Replay a draw log: anybody can check every draw of a closed period."""

from collections.abc import Iterable, Mapping

import msgspec

from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.scheduler.draw import draw
from cuckoo.scheduler.drawlog import (
    DrawRow,
    LogBroken,
    ModelRow,
    ParkRow,
    PeriodRow,
    Row,
    UnparkRow,
    WeightRow,
    decode_row,
    next_head,
)
from cuckoo.scheduler.fenwick import SumTree


class ReplayedDraw(msgspec.Struct, frozen=True):
    """A draw that came out as the log says.

    Attributes:
        row: the log's row.
        period, block: of the period it falls in.
        model: digest of the model.
        weight_wei: the winner's weight.
        head: head of the log after the row, as the assignment signs it.
    """

    row: DrawRow
    period: int
    block: int
    model: ModelDigest
    weight_wei: int
    head: bytes


class Replay(msgspec.Struct, frozen=True):
    """What a replay found: the head after the last row, and every draw."""

    head: bytes
    draws: tuple[ReplayedDraw, ...]


def replay(rows: Iterable[bytes], seeds: Mapping[int, bytes], head: bytes, next_draw: int) -> Replay:
    """Check that every draw of a log has the winner that its seed decides.

    Args:
        rows: encoded rows from a period row on, without gaps.
        seeds: the seed of each period that occurs, by period number.
        head: the log's head before the first row; sha256(tip) at the beginning of a log.
        next_draw: index of the first draw in ``rows``; 0 at the beginning of a log.

    Returns:
        The head after the last row, to be compared with a signed one, and the draws.

    Raises:
        LogBroken: names the row (counted from 0 in ``rows``) and what is wrong with it.
    """
    replayer = _Replayer(seeds, next_draw)
    draws: list[ReplayedDraw] = []
    for number, data in enumerate(rows):
        try:
            row = decode_row(data)
            head = next_head(head, data)
            weight = replayer.apply(row)
        except LogBroken as error:
            raise LogBroken(f"replay row {number}: {error}") from None
        if isinstance(row, DrawRow):
            model = replayer.models[row.model_index]
            draws.append(ReplayedDraw(row, replayer.period, replayer.block, model, weight, head))
    return Replay(head, tuple(draws))


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise LogBroken(otherwise)


class _Replayer:
    """The trees as the rows so far leave them."""

    def __init__(self, seeds: Mapping[int, bytes], next_draw: int) -> None:
        self._seeds = seeds
        self._next_draw = next_draw
        self._seed: bytes | None = None
        self._trees: list[SumTree] = []
        self._counts: list[int] = []
        self.models: list[ModelDigest] = []
        self.period = -1
        self.block = 0

    def apply(self, row: Row) -> int:
        """Take one row; returns the winner's weight for a draw, else 0."""
        if not isinstance(row, PeriodRow):
            _demand(self._seed is not None, "a log begins with a period row")
        match row:
            case PeriodRow():
                self._begin(row)
            case ModelRow():
                _demand(row.index == len(self.models), f"model index {row.index} follows {len(self.models) - 1}")
                _demand(row.model not in self.models, f"model {row.model} has an index already")
                self.models.append(row.model)
                self._trees.append(SumTree())
                self._counts.append(0)
            case ParkRow():
                tree = self._tree(row.model_index)
                _demand(not tree.weight(row.node), f"node {row.node} is parked twice")
                self._set(row.model_index, row.node, row.weight_wei, "parked")
                self._counts[row.model_index] += 1
            case UnparkRow():
                _demand(
                    self._tree(row.model_index).weight(row.node) > 0, f"node {row.node} is unparked, but not parked"
                )
                self._trees[row.model_index].set(row.node, 0)
                self._counts[row.model_index] -= 1
            case WeightRow():
                indices = [i for i, tree in enumerate(self._trees) if tree.weight(row.node)]
                _demand(bool(indices), f"node {row.node} is weighed, but not parked")
                for i in indices:
                    self._set(i, row.node, row.weight_wei, "weighed")
            case DrawRow():
                return self._draw(row)
        return 0

    def _begin(self, row: PeriodRow) -> None:
        _demand(row.period > self.period, f"period {row.period} follows {self.period}")
        _demand(row.period in self._seeds, f"the seed of period {row.period} is not known")
        self._seed = self._seeds[row.period]
        self.period, self.block = row.period, row.block
        self._trees, self._counts, self.models = [], [], []

    def _tree(self, index: int) -> SumTree:
        _demand(index < len(self._trees), f"model index {index} is not known")
        return self._trees[index]

    def _set(self, index: int, node: NodeId, weight_wei: int, how: str) -> None:
        _demand(node > 0 and weight_wei > 0, f"node {node} is {how} with weight {weight_wei}")
        self._trees[index].set(node, weight_wei)

    def _draw(self, row: DrawRow) -> int:
        tree = self._tree(row.model_index)
        _demand(row.index == self._next_draw, f"draw {row.index} stands where draw {self._next_draw} belongs")
        nodes = [node for node, _ in row.excluded]
        _demand(nodes == sorted(set(nodes)), f"draw {row.index}: excluded nodes are not in order")
        _demand(all(map(tree.weight, nodes)), f"draw {row.index}: an excluded node is not parked")
        if self._seed is None:
            raise LogBroken("a log begins with a period row")
        drawn = draw(tree, self._seed, row.index, frozenset(nodes))
        _demand(drawn is not None, f"draw {row.index}: nobody was left to win")
        if drawn is None:
            return 0
        claims = (row.node, row.tries, row.total_wei, row.candidates)
        facts = (drawn.node, drawn.tries, drawn.total, self._counts[row.model_index] - len(nodes))
        _demand(
            claims == facts,
            f"draw {row.index}: the log says node, try, total weight, candidates = {claims}, the seed decides {facts}",
        )
        self._next_draw += 1
        return drawn.weight
