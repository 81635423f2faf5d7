"""The best voucher of each coordinator, on the miner's disk before it takes more work."""

import sqlite3

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.writer import Command, Reader


class StoredVoucher(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher as it is redeemed. ``received_at`` in unix seconds."""

    coordinator_node: NodeId
    cumulative_wei: Wei
    signature: bytes
    received_at: float


class Vouchers:
    """One voucher a coordinator: the highest."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def keep(self, voucher: StoredVoucher) -> Command[bool]:
        """Keep a voucher; the command says whether it is the best one now (False: there is a better one, or this one).

        Of two over the same amount the later one is better: a coordinator signs with another key once that is replaced,
        and the old key's vouchers lapse.
        """

        def run(connection: sqlite3.Connection) -> bool:
            row = connection.execute(
                "SELECT cumulative_wei, signature FROM vouchers WHERE coordinator_node = ?", (voucher.coordinator_node,)
            ).fetchone()
            if row is not None and (
                int(row[0]) > voucher.cumulative_wei
                or (int(row[0]), row[1]) == (voucher.cumulative_wei, voucher.signature)
            ):
                return False
            connection.execute(
                "INSERT INTO vouchers VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET cumulative_wei = "
                "excluded.cumulative_wei, signature = excluded.signature, received_at = excluded.received_at",
                (
                    voucher.coordinator_node,
                    str(voucher.cumulative_wei),
                    voucher.signature,
                    voucher.received_at,
                ),
            )
            return True

        return run

    async def best(self, coordinator_node: NodeId) -> StoredVoucher | None:
        """Read the best voucher of a coordinator."""
        return next((one for one in await self.all() if one.coordinator_node == coordinator_node), None)

    async def all(self) -> list[StoredVoucher]:
        """Read the best voucher of every coordinator, in order of node id."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT coordinator_node, cumulative_wei, signature, received_at FROM vouchers ORDER BY 1"
            ).fetchall()
        )
        return [
            StoredVoucher(
                coordinator_node=NodeId(node), cumulative_wei=Wei(int(wei)), signature=signature, received_at=at
            )
            for node, wei, signature, at in rows
        ]
