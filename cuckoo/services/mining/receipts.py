"""The receipt store as mining uses it: every write returns after its commit."""

from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.receipts import Receipts
from cuckoo.storage.records import NewReceipt, StoredReceipt
from cuckoo.storage.writer import Writer


class DurableReceipts:
    """A data directory's receipts behind :class:`cuckoo.services.mining.seams.ReceiptStore`."""

    def __init__(self, writer: Writer, receipts: Receipts) -> None:
        """Take the parts of an open store."""
        self._writer = writer
        self._receipts = receipts

    async def record(self, receipt: NewReceipt) -> StoredReceipt:
        """Store a receipt with its upload; where there is one already, that one is returned unchanged."""
        return await self._writer.execute(self._receipts.record(receipt))

    async def get(self, assignment_hash: bytes) -> StoredReceipt | None:
        """Read a receipt."""
        return await self._receipts.get(assignment_hash)

    async def unsettled(self) -> list[StoredReceipt]:
        """Read the receipts that no coordinator has answered yet."""
        return await self._receipts.unsettled()

    async def result(self, receipt: StoredReceipt) -> bytes:
        """Read the upload of an unsettled receipt."""
        return await self._receipts.result(receipt)

    async def settle(self, assignment_hash: bytes, *, accepted: bool, reply: bytes) -> None:
        """Store the coordinator's answer."""
        await self._writer.execute(self._receipts.settle(assignment_hash, accepted=accepted, reply=reply))

    async def last_sequence(self, coordinator_node: NodeId) -> int:
        """Read the highest sequence seen from a coordinator."""
        return await self._receipts.last_sequence(coordinator_node)

    async def note_sequence(self, coordinator_node: NodeId, sequence: int) -> int:
        """Raise it; returns what then holds."""
        return await self._writer.execute(self._receipts.note_sequence(coordinator_node, sequence))
