"""Highest sequence number per (coordinator, miner): kept by both sides, exchanged at sign-in."""

from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.writer import Command, Reader


class SequenceMarks:
    """High-water marks, which only rise."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def raise_to(self, coordinator_node: NodeId, miner_node: NodeId, sequence: int) -> Command[int]:
        """Raise a mark to at least ``sequence``; the command returns the mark that then holds."""
        raise NotImplementedError

    async def highest(self, coordinator_node: NodeId, miner_node: NodeId) -> int:
        """Read a mark; 0 where there is none."""
        raise NotImplementedError

    async def of_coordinator(self, coordinator_node: NodeId) -> dict[NodeId, int]:
        """Read a coordinator's marks by miner."""
        raise NotImplementedError
