"""A miner's receipts: written before a signature leaves, so that no restart makes it sign twice."""

from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.blobs import Blobs
from cuckoo.storage.records import NewReceipt, StoredReceipt
from cuckoo.storage.writer import Command, Reader


class Receipts:
    """Receipts by assignment hash, the coordinator's replies, and results that wait for one."""

    def __init__(self, reader: Reader, blobs: Blobs) -> None:
        """Read through ``reader``; keep uploads in ``blobs``."""
        self._reader = reader
        self._blobs = blobs

    def record(self, receipt: NewReceipt) -> Command[StoredReceipt]:
        """Store a receipt with its upload, and raise the coordinator's mark; send nothing before this has resolved.

        Returns (from the command):
            What holds for this assignment hash: when there was a receipt already, that one, unchanged (send it instead).
        """
        raise NotImplementedError

    def note_sequence(self, coordinator_node: NodeId, sequence: int) -> Command[int]:
        """Raise the highest sequence seen from a coordinator; the command returns the mark that then holds."""
        raise NotImplementedError

    def settle(self, assignment_hash: bytes, *, accepted: bool, reply: bytes) -> Command[None]:
        """Store the coordinator's reply and let go of the upload; a repeat changes nothing.

        Raises (from the command):
            NotFound: no receipt over this assignment.
        """
        raise NotImplementedError

    async def get(self, assignment_hash: bytes) -> StoredReceipt | None:
        """Read the receipt over an assignment, None where nothing was signed."""
        raise NotImplementedError

    async def unsettled(self) -> list[StoredReceipt]:
        """Read the receipts that no coordinator has answered yet, oldest first: to be sent again after a restart."""
        raise NotImplementedError

    async def result(self, receipt: StoredReceipt) -> bytes:
        """Read the upload of an unsettled receipt; raises NotFound once it is settled."""
        raise NotImplementedError

    async def last_sequence(self, coordinator_node: NodeId) -> int:
        """Read the highest sequence seen from a coordinator; 0 where there was none."""
        raise NotImplementedError

    def forget_before(self, at: float) -> Command[int]:
        """Delete settled receipts signed before ``at`` (unix seconds); the command returns how many."""
        raise NotImplementedError
