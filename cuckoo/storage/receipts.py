"""A miner's receipts: written before a signature leaves, so that no restart makes it sign twice."""
# ruff: noqa: S608 - the SQL is put together from this package's own column lists, never from what anybody sent

import sqlite3
from collections.abc import Sequence
from typing import Any

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import NotFound
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.blobs import Blobs
from cuckoo.storage.records import NewReceipt, ReceiptState, StoredReceipt
from cuckoo.storage.writer import Command, Reader

_COLUMNS = (
    "assignment_hash, coordinator_node, task_id, attempt, sequence, receipt, signature, result_hash, signed_at, state, "
    "reply, price_wei, model, assignment"
)
_SEEN = (
    "INSERT INTO seen_sequences VALUES (?, ?) ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence) "
    "RETURNING sequence"
)


class Receipts:
    """Receipts by assignment hash, the coordinator's replies, and results that wait for one."""

    def __init__(self, reader: Reader, blobs: Blobs) -> None:
        """Read through ``reader``; keep uploads in ``blobs``."""
        self._reader = reader
        self._blobs = blobs

    def record(self, receipt: NewReceipt) -> Command[StoredReceipt]:
        """Store a receipt with its upload, and raise the coordinator's mark; send nothing before this has resolved.

        Returns (from the command):
            What holds for this assignment: when there was a receipt already, that one, unchanged (send it instead).
        """

        def run(connection: sqlite3.Connection) -> StoredReceipt:
            earlier = _read(connection, "WHERE assignment_hash = ?", (receipt.assignment_hash,))
            if earlier:
                return earlier[0]
            result_hash = self._blobs.put(receipt.result)(connection)
            for one in receipt.inputs:
                self._blobs.put(one)(connection)
            connection.execute(
                f"INSERT INTO receipts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'signed', NULL, ?, ?, ?)",
                (
                    receipt.assignment_hash,
                    receipt.coordinator_node,
                    bytes.fromhex(receipt.task_id),
                    receipt.attempt,
                    receipt.sequence,
                    receipt.receipt,
                    receipt.signature,
                    result_hash,
                    receipt.signed_at,
                    str(receipt.price_wei),
                    receipt.model,
                    receipt.assignment,
                ),
            )
            connection.execute(_SEEN, (receipt.coordinator_node, receipt.sequence)).fetchone()
            return _read(connection, "WHERE assignment_hash = ?", (receipt.assignment_hash,))[0]

        return run

    def note_sequence(self, coordinator_node: NodeId, sequence: int) -> Command[int]:
        """Raise the highest sequence seen from a coordinator; the command returns the mark that then holds."""

        def run(connection: sqlite3.Connection) -> int:
            mark: int = connection.execute(_SEEN, (coordinator_node, sequence)).fetchone()[0]
            return mark

        return run

    def settle(self, assignment_hash: bytes, *, accepted: bool, reply: bytes) -> Command[bool]:
        """Store the coordinator's reply; a repeat changes nothing.

        The upload stays until its segment goes (``Blobs.drop_before``): a jury may ask for it.

        Returns (from the command):
            Whether this is the first reply.

        Raises (from the command):
            NotFound: no receipt over this assignment.
        """
        state = ReceiptState.ACCEPTED if accepted else ReceiptState.REFUSED

        def run(connection: sqlite3.Connection) -> bool:
            if not _read(connection, "WHERE assignment_hash = ?", (assignment_hash,)):
                raise NotFound(f"settle the receipt over assignment {assignment_hash.hex()}: there is none")
            settled = connection.execute(
                "UPDATE receipts SET state = ?, reply = ? WHERE assignment_hash = ? AND state = 'signed'",
                (state.value, reply, assignment_hash),
            )
            return settled.rowcount > 0

        return run

    async def get(self, assignment_hash: bytes) -> StoredReceipt | None:
        """Read the receipt over an assignment, None where nothing was signed."""
        found = await self._reader.execute(
            lambda connection: _read(connection, "WHERE assignment_hash = ?", (assignment_hash,))
        )
        return found[0] if found else None

    async def unsettled(self) -> list[StoredReceipt]:
        """Read the receipts that no coordinator has answered yet, oldest first: to be sent again after a restart."""
        return await self._reader.execute(
            lambda connection: _read(connection, "WHERE state = 'signed' ORDER BY signed_at", ())
        )

    async def result(self, receipt: StoredReceipt) -> bytes:
        """Read the upload of a receipt; raises NotFound when its time of keeping is over."""
        if receipt.result_hash is None:  # settled by an older version
            raise NotFound(f"read the upload for assignment {receipt.assignment_hash.hex()}: it was {receipt.state}")
        return await self._blobs.get(receipt.result_hash)

    async def inputs(self, digests: Sequence[bytes]) -> tuple[bytes, ...]:
        """Read what a result was made from, by its hashes; raises NotFound as ``result``."""
        return tuple([await self._blobs.get(digest) for digest in digests])

    async def last_sequence(self, coordinator_node: NodeId) -> int:
        """Read the highest sequence seen from a coordinator; 0 where there was none."""
        row = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT sequence FROM seen_sequences WHERE coordinator_node = ?", (coordinator_node,)
            ).fetchone()
        )
        return 0 if row is None else row[0]

    async def accepted_since(self, at: float) -> int:
        """Count the results signed at or after a unix time that were accepted."""
        row = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT count(*) FROM receipts WHERE state = 'accepted' AND signed_at >= ?", (at,)
            ).fetchone()
        )
        return int(row[0])

    def forget_before(self, at: float, *, limit: int = 500) -> Command[int]:
        """Delete settled receipts signed before ``at``.

        Args:
            at: unix seconds.
            limit: at most so many, so that no commit is held up for long.

        Returns (from the command):
            How many went: call it again until that is 0.
        """
        return lambda connection: (
            connection.execute(
                "DELETE FROM receipts WHERE assignment_hash IN "
                "(SELECT assignment_hash FROM receipts WHERE state <> 'signed' AND signed_at < ? LIMIT ?)",
                (at, limit),
            ).rowcount
        )


def _read(connection: sqlite3.Connection, clauses: str, values: tuple[object, ...]) -> list[StoredReceipt]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM receipts {clauses}", values).fetchall()
    return [_receipt(row) for row in rows]


def _receipt(row: tuple[Any, ...]) -> StoredReceipt:
    fields: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    fields["task_id"] = TaskId(fields["task_id"].hex())
    fields["state"] = ReceiptState(fields["state"])
    fields["price_wei"] = Wei(int(fields["price_wei"]))
    return StoredReceipt(**fields)
