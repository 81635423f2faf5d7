"""Replay a draw log: anybody can check every draw of a closed period."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

import msgspec

from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.scheduler.draw import Drawn, draw
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
from cuckoo.scheduler.fairness import Share
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
    for number, data, row, nodes in _with_nodes(rows):
        head = next_head(head, data)
        try:
            weight = replayer.apply(row, nodes)
        except LogBroken as error:
            raise _at(number, error) from None
        if isinstance(row, DrawRow):
            model = replayer.trees[row.model_index].model
            draws.append(ReplayedDraw(row, replayer.period, replayer.block, model, weight, head))
    return Replay(head, tuple(draws))


def share_of(rows: Iterable[bytes], node: NodeId, got: Container[int] | None = None) -> Share:
    """Return what a node won in a log, and what it could expect where it took part.

    Args:
        rows: encoded rows that :func:`replay` found right.
        node: whose.
        got: indices of the draws whose assignment it was given: no other counts as won; None to believe the log.
    """
    mine: dict[int, int] = {}
    won, expected, variance = 0, 0.0, 0.0
    for row in map(decode_row, rows):
        match row:
            case PeriodRow():
                mine.clear()
            case ParkRow() if row.node == node:
                mine[row.model_index] = row.weight_wei
            case UnparkRow() if row.node == node:
                mine.pop(row.model_index, None)
            case WeightRow() if row.node == node:
                mine = dict.fromkeys(mine, row.weight_wei)
            case DrawRow() if row.model_index in mine and all(other != node for other, _ in row.excluded):
                odds = mine[row.model_index] / row.total_wei
                won += row.node == node and (got is None or row.index in got)
                expected += odds
                variance += odds * (1 - odds)
            case _:
                pass
    return Share(node, won, expected, variance)


def _at(number: int, error: LogBroken) -> LogBroken:
    return LogBroken(f"replay row {number}: {error}")


_Nodes = Mapping[int, Sequence[NodeId]]


def _with_nodes(rows: Iterable[bytes]) -> Iterator[tuple[int, bytes, Row, _Nodes]]:
    """Yield (number, bytes, row, nodes ever parked in its period by model index, in order of id)."""
    waiting: list[tuple[int, bytes, Row]] = []
    for number, data in enumerate(rows):
        try:
            row = decode_row(data)
        except LogBroken as error:
            raise _at(number, error) from None
        if isinstance(row, PeriodRow):
            yield from _one_period(waiting)
            waiting = []
        waiting.append((number, data, row))
    yield from _one_period(waiting)


def _one_period(waiting: list[tuple[int, bytes, Row]]) -> Iterator[tuple[int, bytes, Row, _Nodes]]:
    parked: dict[int, set[NodeId]] = {}
    for _, _, row in waiting:
        if isinstance(row, ParkRow):
            parked.setdefault(row.model_index, set()).add(row.node)
    nodes = {index: sorted(ids) for index, ids in parked.items()}
    for number, data, row in waiting:
        yield number, data, row, nodes


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise LogBroken(otherwise)


class _Tree:
    """The active nodes of one model.

    Positions are ranks among the nodes that the period ever parks: the order of node ids, without room for the ids
    between them, so that a forged log with huge ids costs no more memory than its own length.
    """

    def __init__(self, model: ModelDigest, nodes: Sequence[NodeId]) -> None:
        self.model = model
        self.count = 0
        self._nodes = nodes
        self._ranks = {node: rank for rank, node in enumerate(nodes, 1)}
        self._sums = SumTree()

    def weight(self, node: NodeId) -> int:
        return self._sums.weight(self._ranks.get(node, 0))

    def set(self, node: NodeId, weight_wei: int) -> None:
        self.count += (weight_wei > 0) - (self.weight(node) > 0)
        self._sums.set(self._ranks[node], weight_wei)

    def draw(self, seed: bytes, index: int, excluded: Sequence[NodeId]) -> Drawn | None:
        drawn = draw(self._sums, seed, index, frozenset(NodeId(self._ranks[node]) for node in excluded))
        return drawn and msgspec.structs.replace(drawn, node=self._nodes[drawn.node - 1])


class _Replayer:
    """The trees as the rows so far leave them."""

    def __init__(self, seeds: Mapping[int, bytes], next_draw: int) -> None:
        self._seeds = seeds
        self._next_draw = next_draw
        self._seed = b""
        self._models: set[ModelDigest] = set()
        self.trees: list[_Tree] = []
        self.period = -1
        self.block = 0

    def apply(self, row: Row, nodes: _Nodes) -> int:
        """Take one row; returns the winner's weight for a draw, else 0."""
        if isinstance(row, PeriodRow):
            self._begin(row)
            return 0
        _demand(self.period >= 0, "a log begins with a period row")
        match row:
            case ModelRow():
                self._add_model(row, nodes)
            case ParkRow():
                _demand(row.weight_wei > 0, f"node {row.node} is parked with no weight")
                _demand(not self._tree(row.model_index).weight(row.node), f"node {row.node} is parked twice")
                self.trees[row.model_index].set(row.node, row.weight_wei)
            case UnparkRow():
                _demand(self._tree(row.model_index).weight(row.node) > 0, f"node {row.node} leaves, but is not parked")
                self.trees[row.model_index].set(row.node, 0)
            case WeightRow():
                self._weigh(row)
            case DrawRow():
                return self._draw(row)
        return 0

    def _begin(self, row: PeriodRow) -> None:
        _demand(row.period > self.period, f"period {row.period} follows {self.period}")
        _demand(row.period in self._seeds, f"the seed of period {row.period} is not known")
        self._seed = self._seeds[row.period]
        self.period, self.block = row.period, row.block
        self.trees, self._models = [], set()

    def _add_model(self, row: ModelRow, nodes: _Nodes) -> None:
        _demand(row.index == len(self.trees), f"model index {row.index} stands where {len(self.trees)} belongs")
        _demand(row.model not in self._models, f"model {row.model} has an index already")
        self._models.add(row.model)
        self.trees.append(_Tree(row.model, nodes.get(row.index, ())))

    def _weigh(self, row: WeightRow) -> None:
        _demand(row.weight_wei > 0, f"node {row.node} is weighed with no weight")
        trees = [tree for tree in self.trees if tree.weight(row.node)]
        _demand(bool(trees), f"node {row.node} is weighed, but not parked")
        for tree in trees:
            tree.set(row.node, row.weight_wei)

    def _tree(self, index: int) -> _Tree:
        _demand(index < len(self.trees), f"model index {index} is not known")
        return self.trees[index]

    def _draw(self, row: DrawRow) -> int:
        tree = self._tree(row.model_index)
        _demand(row.index == self._next_draw, f"draw {row.index} stands where draw {self._next_draw} belongs")
        nodes = [node for node, _ in row.excluded]
        _demand(nodes == sorted(set(nodes)), f"draw {row.index}: excluded nodes are not in order")
        _demand(all(map(tree.weight, nodes)), f"draw {row.index}: an excluded node is not parked")
        drawn = tree.draw(self._seed, row.index, nodes)
        if drawn is None:
            raise LogBroken(f"draw {row.index}: nobody was left to win")
        claims = (row.node, row.tries, row.total_wei, row.candidates)
        facts = (drawn.node, drawn.tries, drawn.total, tree.count - len(nodes))
        _demand(
            claims == facts,
            f"draw {row.index}: the log says node, try, total weight, candidates = {claims}, the seed decides {facts}",
        )
        self._next_draw += 1
        return drawn.weight
