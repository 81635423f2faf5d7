"""Shows jurors what they make a disputed result again with."""

from cuckoo.domain.errors import NotFound
from cuckoo.protocol.eip712 import Domain
from cuckoo.protocol.messages import ReceiptView, decode_binary
from cuckoo.protocol.receipts import Assignment, Receipt
from cuckoo.protocol.views import DisputeList, DisputeView, EvidenceView
from cuckoo.storage.accusations import StoredAccusation
from cuckoo.storage.store import Store


class Evidence:
    """The evidence of disputes that the chain knows; it is public, prompts included."""

    def __init__(self, store: Store, domain: Domain) -> None:
        """Take the store with accusations, and the chain that judges."""
        self._store = store
        self._domain = domain

    async def all(self) -> DisputeList:
        """List the disputes, the newest first."""
        return DisputeList(
            disputes=tuple(
                DisputeView(
                    dispute=one.dispute or 0,
                    task_id=decode_binary(one.assignment, Assignment).task_id,
                    miner_node=one.miner_node,
                    state=one.state.value,
                    detail=one.detail,
                    at=one.at,
                )
                for one in await self._store.accusations.disputed()
            )
        )

    async def get(self, dispute: int) -> EvidenceView:
        """Show what a dispute is about; raises NotFound."""
        found = await self._find(dispute)
        return EvidenceView(
            dispute=dispute,
            signed=ReceiptView(
                assignment=decode_binary(found.assignment, Assignment),
                assignment_signature=found.assignment_signature,
                receipt=decode_binary(found.receipt, Receipt),
                receipt_signature=found.receipt_signature,
                chain_id=self._domain.chain_id,
                staking=self._domain.staking,
            ),
            pictures=found.pictures,
        )

    async def picture(self, dispute: int, digest: bytes) -> bytes:
        """Read a picture of a dispute by its sha256; raises NotFound."""
        found = await self._find(dispute)
        if digest not in found.pictures:
            raise NotFound(f"read a picture of dispute {dispute}: none has the sha256 {digest.hex()}")
        return await self._store.blobs.get(digest)

    async def _find(self, dispute: int) -> StoredAccusation:
        found = await self._store.accusations.of_dispute(dispute)
        if found is None:
            raise NotFound(f"read dispute {dispute}: its evidence is not here")
        return found
