"""The coordinator's side of sequence numbers: the highest one used per miner, exchanged at sign-in."""

import sqlite3

from cuckoo.domain.errors import Conflict
from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.writer import Command, Reader

_READ = "SELECT sequence FROM sequence_marks WHERE coordinator_node = ? AND miner_node = ?"
_RAISE = (
    "INSERT INTO sequence_marks VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence) "
    "RETURNING sequence"
)


def claim(connection: sqlite3.Connection, coordinator_node: NodeId, miner_node: NodeId, sequence: int) -> None:
    """Use a sequence number, within the transaction that records the attempt.

    Raises:
        Conflict: it is not above the mark: it may have been signed before.
    """
    mark = _mark(connection, coordinator_node, miner_node)
    if sequence <= mark:
        raise Conflict(f"assign to node {miner_node} with sequence {sequence}: numbers up to {mark} are used")
    connection.execute(_RAISE, (coordinator_node, miner_node, sequence)).fetchone()


class SequenceMarks:
    """High-water marks, which only rise; recording an attempt raises its miner's."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def raise_to(self, coordinator_node: NodeId, miner_node: NodeId, sequence: int) -> Command[int]:
        """Raise a mark to at least ``sequence``; the command returns the mark that then holds."""

        def run(connection: sqlite3.Connection) -> int:
            mark: int = connection.execute(_RAISE, (coordinator_node, miner_node, sequence)).fetchone()[0]
            return mark

        return run

    async def highest(self, coordinator_node: NodeId, miner_node: NodeId) -> int:
        """Read a mark; 0 where there is none."""
        return await self._reader.execute(lambda connection: _mark(connection, coordinator_node, miner_node))

    async def of_coordinator(self, coordinator_node: NodeId) -> dict[NodeId, int]:
        """Read a coordinator's marks by miner."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT miner_node, sequence FROM sequence_marks WHERE coordinator_node = ?", (coordinator_node,)
            ).fetchall()
        )
        return {NodeId(node): sequence for node, sequence in rows}


def _mark(connection: sqlite3.Connection, coordinator_node: NodeId, miner_node: NodeId) -> int:
    row = connection.execute(_READ, (coordinator_node, miner_node)).fetchone()
    return 0 if row is None else row[0]
