"""Shows jurors what they make a disputed result again with, and takes it from who is accused."""

import asyncio

import structlog

from cuckoo.domain.errors import Conflict, InvalidField, NotFound
from cuckoo.protocol.eip712 import Domain
from cuckoo.protocol.inputs import input_hash
from cuckoo.protocol.messages import EvidenceUpload, ReceiptView, decode_binary, encode_binary
from cuckoo.protocol.pictures import check_pictures
from cuckoo.protocol.receipts import Assignment, Receipt
from cuckoo.protocol.views import DisputeList, DisputeView, EvidenceView
from cuckoo.runtime.clock import Clock
from cuckoo.services.disputing.court import Docket
from cuckoo.services.disputing.passes import Passes
from cuckoo.storage.accusations import NewAccusation, StoredAccusation
from cuckoo.storage.blobs import blob_hash
from cuckoo.storage.store import Store
from cuckoo.storage.writer import together

log = structlog.get_logger(__name__)


class Evidence:
    """The evidence of disputes that the chain knows; it is public, prompts included."""

    def __init__(self, store: Store, domain: Domain, docket: Docket, *, passes: Passes, clock: Clock) -> None:
        """Take the store with accusations, the chain that judges, the disputes on it, what tells jurors, and time."""
        self._store = store
        self._domain = domain
        self._docket = docket
        self._passes = passes
        self._clock = clock
        self._shown: set[int] = set()
        self._taking: set[int] = set()

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

    async def picture(self, dispute: int, digest: bytes, shown: str = "") -> bytes:
        """Read a picture of a dispute by its sha256.

        Args:
            dispute: which.
            digest: the sha256.
            shown: a juror's pass; needed where it was taken down.

        Raises:
            NotFound: it is not here.
            TakenDown: it is withheld from this caller, or gone.
        """
        found = await self._find(dispute)
        if digest not in found.pictures:
            raise NotFound(f"read a picture of dispute {dispute}: none has the sha256 {digest.hex()}")
        return await self._read(dispute, digest, shown)

    async def input(self, dispute: int, digest: bytes, shown: str = "") -> bytes:
        """Read what the disputed result was made from, by its sha256; raises as ``picture``."""
        found = await self._find(dispute)
        if digest not in decode_binary(found.assignment, Assignment).parameters.inputs:
            raise NotFound(f"read an input of dispute {dispute}: none has the sha256 {digest.hex()}")
        return await self._read(dispute, digest, shown)

    async def _read(self, dispute: int, digest: bytes, shown: str) -> bytes:
        juror = bool(shown) and self._passes.holds(shown, dispute, digest, self._clock.now())
        return await self._store.blobs.get(digest, withheld=juror)

    # From who is accused.

    def check_wanted(self, dispute: int) -> None:
        """Refuse evidence before a byte of it is read.

        Raises:
            NotFound: no such dispute is open.
            Conflict: its evidence is here.
        """
        if dispute not in self._docket.running:
            raise NotFound(f"take evidence of dispute {dispute}: no such dispute is open")
        if dispute in self._shown or dispute in self._taking:
            raise Conflict(f"take evidence of dispute {dispute}: it is here already")

    async def file(self, dispute: int, upload: EvidenceUpload) -> None:
        """Take the evidence of a dispute, when it is what the chain has the hashes of.

        Raises:
            InvalidField: it is not; says what differs.
            Conflict: it is here already.
        """
        self.check_wanted(dispute)
        self._taking.add(dispute)
        try:
            if await self._store.accusations.of_dispute(dispute) is None:
                await self._take(dispute, upload)
            self._shown.add(dispute)
        finally:
            self._taking.discard(dispute)

    async def _take(self, dispute: int, upload: EvidenceUpload) -> None:
        accused = await self._docket.accusation(dispute)
        assignment, receipt = upload.assignment.assignment, upload.result.receipt
        try:
            hashes = assignment.struct_hash(), receipt.struct_hash()
        except (ValueError, OverflowError) as error:
            raise InvalidField("assignment", "its numbers", f"must be such as can be signed: {error}") from error
        if hashes != (accused.assignment_hash, accused.receipt.struct_hash()):
            raise InvalidField("assignment", hashes[0].hex(), f"must be {accused.assignment_hash.hex()}")
        for field, signature in (("assignment", upload.assignment.signature), ("result", upload.result.signature)):
            if len(signature) != 65:
                raise InvalidField(f"{field}.signature", f"{len(signature)} bytes", "must be 65 bytes")
        parameters, pictures = assignment.parameters, upload.result.pictures
        await asyncio.to_thread(
            check_pictures,
            pictures,
            receipt.picture_hashes,
            count=parameters.pictures,
            width_px=parameters.width_px,
            height_px=parameters.height_px,
        )
        named = tuple(input_hash(one) for one in upload.inputs)
        if named != parameters.inputs:
            raise InvalidField("inputs", f"{len(named)} inputs", "must be what the assignment names")
        accusation = NewAccusation(
            assignment_hash=hashes[0],
            miner_node=assignment.miner_node,
            assignment=encode_binary(assignment),
            assignment_signature=upload.assignment.signature,
            receipt=encode_binary(receipt),
            receipt_signature=upload.result.signature,
            pictures=tuple([blob_hash(picture) for picture in pictures]),
            at=self._clock.now(),
        )
        await self._store.writer.execute(
            together(
                *(self._store.blobs.put(one) for one in (*pictures, *upload.inputs)),
                self._store.accusations.record(accusation),
                self._store.accusations.opened(hashes[0], dispute),
            )
        )
        log.info(
            "the accused shows its task",
            task=assignment.task_id,
            attempt=assignment.attempt,
            miner=assignment.miner_node,
            dispute=dispute,
        )

    async def _find(self, dispute: int) -> StoredAccusation:
        found = await self._store.accusations.of_dispute(dispute)
        if found is None:
            raise NotFound(f"read dispute {dispute}: its evidence is not here")
        return found
