"""The receipt store as mining uses it: every write returns after its commit."""

import sqlite3
from contextlib import suppress
from typing import Any

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import Conflict
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.receipts import Assignment
from cuckoo.runtime.metrics import DAY_S, Today
from cuckoo.storage.ledger import EARNED
from cuckoo.storage.records import NewEntry, NewReceipt, StoredReceipt
from cuckoo.storage.store import Store
from cuckoo.storage.vouchers import StoredVoucher
from cuckoo.storage.writer import Command, together


class DurableReceipts:
    """A data directory's receipts behind :class:`cuckoo.services.mining.seams.ReceiptStore`.

    Attributes:
        today: counts results that were accepted, by the day they were signed.
    """

    def __init__(self, store: Store) -> None:
        """Take an open store."""
        self._writer = store.writer
        self._receipts = store.receipts
        self._ledger = store.ledger
        self._vouchers = store.vouchers
        self.today = Today()

    async def open(self, now: float) -> None:
        """Read how many results were accepted today."""
        self.today.add("accepted", now, await self._receipts.accepted_since(now - now % DAY_S))

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

    async def earn(self, receipt: StoredReceipt, *, reply: bytes, voucher: StoredVoucher | None) -> tuple[int, int]:
        """Store the answer to an accepted result, what it earned, and the voucher; see the seam."""
        coordinator = receipt.coordinator_node
        earned = NewEntry(
            account=EARNED,
            kind="result",
            amount_wei=receipt.price_wei,
            counterparty=coordinator,
            at=receipt.signed_at,
            task_id=receipt.task_id,
            attempt=receipt.attempt,
            model=receipt.model,
        )
        settle = self._receipts.settle(receipt.assignment_hash, accepted=True, reply=reply)

        def book(connection: sqlite3.Connection) -> None:
            if settle(connection) and receipt.price_wei:
                try:
                    self._ledger.append(earned)(connection)
                except Conflict:
                    # Task ids are the coordinator's to choose: one that it used twice is earned twice.
                    self._ledger.append(msgspec.structs.replace(earned, task_id=None, attempt=None))(connection)
            if voucher is not None:
                self._vouchers.keep(voucher)(connection)

        await self._writer.execute(book)
        self.today.add("accepted", receipt.signed_at)
        return await self.standing(coordinator)

    async def earn_part(
        self, assignment: Assignment, *, amount_wei: Wei, at: float, voucher: StoredVoucher | None
    ) -> tuple[int, int]:
        """Store what the steps of a cancelled attempt have earned, and the voucher; see the seam."""
        earned = NewEntry(
            account=EARNED,
            kind="cancelled",
            amount_wei=amount_wei,
            counterparty=assignment.coordinator_node,
            at=at,
            task_id=assignment.task_id,
            attempt=assignment.attempt,
            model=assignment.parameters.model_digest,
        )
        commands: list[Command[Any]] = [self._ledger.append(earned)]
        if voucher is not None:
            commands.append(self._vouchers.keep(voucher))
        with suppress(Conflict):  # an answer that was lost and asked for again
            await self._writer.execute(together(*commands))
        return await self.standing(assignment.coordinator_node)

    async def standing(self, coordinator: NodeId) -> tuple[int, int]:
        """Read what a coordinator's work has earned in all, and what its best voucher holds, in wei."""
        best = await self._vouchers.best(coordinator)
        return await self._ledger.cumulative(EARNED, coordinator), best.cumulative_wei if best else 0

    async def keep(self, voucher: StoredVoucher) -> None:
        """Keep a voucher, where it is better than what is kept."""
        await self._writer.execute(self._vouchers.keep(voucher))

    async def best_voucher(self, coordinator_node: NodeId) -> StoredVoucher | None:
        """Read the best voucher of a coordinator."""
        return await self._vouchers.best(coordinator_node)

    async def last_sequence(self, coordinator_node: NodeId) -> int:
        """Read the highest sequence seen from a coordinator."""
        return await self._receipts.last_sequence(coordinator_node)

    async def note_sequence(self, coordinator_node: NodeId, sequence: int) -> int:
        """Raise it; returns what then holds."""
        return await self._writer.execute(self._receipts.note_sequence(coordinator_node, sequence))
