"""The draw log: every park, unpark, weight change and draw as a row of bytes, chained by ``sha256(head, row)``.

The layout is written down in docs/protocol.md. Integers are unsigned and big-endian; the first byte is the kind.
"""

import hashlib
import struct

import msgspec

from cuckoo.domain.errors import PeerFault
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.eligibility import Exclusion


class LogBroken(PeerFault):
    """A draw log that does not hold what it claims; says at which row and why."""

    code = "draw_log_broken"


class PeriodRow(msgspec.Struct, frozen=True):
    """A draw period begins: all trees are empty until the rows that follow fill them."""

    period: int
    block: int


class ModelRow(msgspec.Struct, frozen=True):
    """Later rows call this model by ``index``; indices of a period count from 0."""

    index: int
    model: ModelDigest


class ParkRow(msgspec.Struct, frozen=True):
    """A node becomes active for a model."""

    node: NodeId
    model_index: int
    weight_wei: int


class UnparkRow(msgspec.Struct, frozen=True):
    """A node is no longer active for a model."""

    node: NodeId
    model_index: int
    reason: Exclusion


class WeightRow(msgspec.Struct, frozen=True):
    """An active node has another weight, in every tree that it stands in."""

    node: NodeId
    weight_wei: int


class DrawRow(msgspec.Struct, frozen=True):
    """A draw.

    Attributes:
        index: number of the draw under the tip, without gaps.
        at_ms: unix milliseconds.
        tries: the t that decided.
        total_wei: weight of all candidates.
        candidates: nodes that could have won.
        excluded: nodes of the tree that could not, with the reason, in order of node id.
    """

    index: int
    at_ms: int
    model_index: int
    task_id: TaskId
    attempt: int
    tries: int
    node: NodeId
    total_wei: int
    candidates: int
    excluded: tuple[tuple[NodeId, Exclusion], ...] = ()


Row = PeriodRow | ModelRow | ParkRow | UnparkRow | WeightRow | DrawRow

_PERIOD, _MODEL, _PARK, _UNPARK, _WEIGHT, _DRAW = range(1, 7)
PERIOD_KIND, DRAW_KIND = _PERIOD, _DRAW
_PERIOD_LAYOUT = struct.Struct(">BQQ")
_MODEL_LAYOUT = struct.Struct(">BH32s")
_PARK_LAYOUT = struct.Struct(">BIH16s")
_UNPARK_LAYOUT = struct.Struct(">BIHB")
_WEIGHT_LAYOUT = struct.Struct(">BI16s")
_DRAW_LAYOUT = struct.Struct(">BQQH16sHII16sII")
_EXCLUDED_LAYOUT = struct.Struct(">IB")
_MODEL_AT = 17


def _wei(value: int) -> bytes:
    return value.to_bytes(16, "big")


def encode_row(row: Row) -> bytes:
    """Write a row as bytes."""
    match row:
        case ParkRow():
            return _PARK_LAYOUT.pack(_PARK, row.node, row.model_index, _wei(row.weight_wei))
        case UnparkRow():
            return _UNPARK_LAYOUT.pack(_UNPARK, row.node, row.model_index, row.reason)
        case DrawRow():
            fixed = _DRAW_LAYOUT.pack(
                _DRAW,
                row.index,
                row.at_ms,
                row.model_index,
                bytes.fromhex(row.task_id),
                row.attempt,
                row.tries,
                row.node,
                _wei(row.total_wei),
                row.candidates,
                len(row.excluded),
            )
            return fixed + b"".join(_EXCLUDED_LAYOUT.pack(node, reason) for node, reason in row.excluded)
        case WeightRow():
            return _WEIGHT_LAYOUT.pack(_WEIGHT, row.node, _wei(row.weight_wei))
        case ModelRow():
            return _MODEL_LAYOUT.pack(_MODEL, row.index, bytes.fromhex(row.model))
        case PeriodRow():
            return _PERIOD_LAYOUT.pack(_PERIOD, row.period, row.block)


def decode_row(data: bytes) -> Row:
    """Read a row; raises LogBroken when it is of no known kind, too short, too long, or names no known reason."""
    try:
        return _decode(data)
    except (struct.error, ValueError) as error:
        raise LogBroken(f"read a row of {len(data)} bytes from a draw log: {error}") from None


def _decode(data: bytes) -> Row:
    kind = data[0] if data else 0
    if kind == _PARK:
        _, node, model, weight = _PARK_LAYOUT.unpack(data)
        return ParkRow(NodeId(node), model, int.from_bytes(weight, "big"))
    if kind == _UNPARK:
        _, node, model, reason = _UNPARK_LAYOUT.unpack(data)
        return UnparkRow(NodeId(node), model, Exclusion(reason))
    if kind == _WEIGHT:
        _, node, weight = _WEIGHT_LAYOUT.unpack(data)
        return WeightRow(NodeId(node), int.from_bytes(weight, "big"))
    if kind == _MODEL:
        _, index, digest = _MODEL_LAYOUT.unpack(data)
        return ModelRow(index, ModelDigest(digest.hex()))
    if kind == _PERIOD:
        _, period, block = _PERIOD_LAYOUT.unpack(data)
        return PeriodRow(period, block)
    if kind == _DRAW:
        return _decode_draw(data)
    raise ValueError(f"no row is of kind {kind}")


def _decode_draw(data: bytes) -> DrawRow:
    fixed = _DRAW_LAYOUT.size
    _, index, at_ms, model, task, attempt, tries, node, total, candidates, count = _DRAW_LAYOUT.unpack(data[:fixed])
    if len(data) != fixed + count * _EXCLUDED_LAYOUT.size:
        raise ValueError(f"a draw row with {count} excluded nodes does not have {len(data)} bytes")
    excluded = tuple((NodeId(n), Exclusion(reason)) for n, reason in _EXCLUDED_LAYOUT.iter_unpack(data[fixed:]))
    return DrawRow(
        index=index,
        at_ms=at_ms,
        model_index=model,
        task_id=TaskId(task.hex()),
        attempt=attempt,
        tries=tries,
        node=NodeId(node),
        total_wei=int.from_bytes(total, "big"),
        candidates=candidates,
        excluded=excluded,
    )


def rows_about(node: NodeId) -> tuple[bytes, ...]:
    """Return how the rows begin that park, unpark or weigh a node."""
    return tuple(bytes((kind,)) + node.to_bytes(4, "big") for kind in (_PARK, _UNPARK, _WEIGHT))


def peek(draw_row: bytes, node: NodeId) -> tuple[int, Exclusion | None]:
    """Read from an encoded draw its model's index and why a node was excluded; None when it was not.

    The excluded nodes stand in order, so that a few of them are looked at, not all.
    """
    model = int.from_bytes(draw_row[_MODEL_AT : _MODEL_AT + 2], "big")
    start, size = _DRAW_LAYOUT.size, _EXCLUDED_LAYOUT.size
    low, high = 0, (len(draw_row) - start) // size
    while low < high:
        middle = (low + high) // 2
        found, reason = _EXCLUDED_LAYOUT.unpack_from(draw_row, start + middle * size)
        if found == node:
            return model, Exclusion(reason)
        low, high = (middle + 1, high) if found < node else (low, middle)
    return model, None


def first_head(tip: bytes) -> bytes:
    """Return the head of a log before its first row: sha256(tip)."""
    return hashlib.sha256(tip).digest()


def next_head(head: bytes, row: bytes) -> bytes:
    """Return the head after a row: sha256(head, row)."""
    return hashlib.sha256(head + row).digest()


class DrawLog:
    """The log of one tip while it is written; rows wait in it until a transition hands them out.

    Attributes:
        head: after the last row.
        rows: how many rows there are.
        draws: how many draws, which is the index of the next.
        period, block: of the last period row.
    """

    __slots__ = ("_models", "_pending", "block", "draws", "head", "period", "rows", "tip")

    def __init__(self, tip: bytes) -> None:
        """Start the log of a tip (32 bytes)."""
        self.tip = tip
        self.head = first_head(tip)
        self.rows = 0
        self.draws = 0
        self.period = 0
        self.block = 0
        self._models: dict[ModelDigest, int] = {}
        self._pending: list[bytes] = []

    def begin_period(self, period: int, block: int) -> None:
        """Write the row of a period; the models and active nodes have to be written again after it."""
        self.period, self.block = period, block
        self._models = {}
        self.append(PeriodRow(period, block))

    def model_index(self, model: ModelDigest) -> int:
        """Return the index of a model in this period, after writing its row when it is new."""
        index = self._models.get(model)
        if index is None:
            index = self._models[model] = len(self._models)
            self.append(ModelRow(index, model))
        return index

    def append(self, row: Row) -> None:
        """Write a row."""
        data = encode_row(row)
        self.head = next_head(self.head, data)
        self.rows += 1
        self._pending.append(data)
        if type(row) is DrawRow:
            self.draws += 1

    def take(self) -> tuple[bytes, ...]:
        """Return the rows written since the last call."""
        rows, self._pending = tuple(self._pending), []
        return rows
