"""Books what a staker was paid: every claim of final blocks is one row, whoever sent the transaction."""

from cuckoo.chain.events import StakingEvents
from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.errors import Conflict
from cuckoo.domain.identifiers import Address, NodeId
from cuckoo.storage.ledger import REWARDS
from cuckoo.storage.records import Cursor, NewEntry
from cuckoo.storage.store import Store


class RewardBook:
    """A staker's ledger."""

    def __init__(self, client: ChainClient, staker: Address, store: Store) -> None:
        """Bind to a chain, whose rewards, and where they are booked."""
        self._client = client
        self._staker = staker
        self._store = store
        self._events = StakingEvents(client)

    async def advance(self) -> int:
        """Book the final blocks that are not booked yet; returns how many rows that made.

        Raises:
            TransientError: the chain does not answer.
            Conflict: the ledger is of another run of the chain.
        """
        cursor = await self._store.ledger.cursor()
        final = await self._client.block("finalized")
        first = self._client.network.deploy_block if cursor is None else cursor.block + 1
        genesis = await self._client.genesis()
        if cursor is not None and cursor.genesis != genesis:
            raise Conflict("book rewards: this ledger is of another run of the chain")
        if final.number < first:
            return 0
        rows = []
        for event in await self._events.of_staker(self._staker, final.number, first):
            if event.name == "Claimed" and event.arguments["amount"]:
                block = await self._client.block(event.block_number)
                rows.append(
                    NewEntry(
                        account=REWARDS,
                        kind="claimed",
                        amount_wei=event.arguments["amount"],
                        counterparty=NodeId(event.node_id),
                        at=float(block.timestamp),
                        reference=f"0x{event.transaction_hash.hex()}:{event.log_index}",
                    )
                )
        book = self._store.ledger.book(rows, Cursor(genesis=genesis, block=final.number))
        await self._store.writer.execute(book)
        return len(rows)
