"""Books what happened on chain into a role's ledger, each movement once, whenever the process dies.

Rows and the block up to which they reach are one commit. Only final blocks are booked, so no row has to be taken back.
"""

from collections import Counter
from typing import Protocol

import structlog

from cuckoo.chain.escrow import Movement
from cuckoo.domain.errors import TransientError
from cuckoo.domain.identifiers import Role
from cuckoo.runtime.clock import Clock
from cuckoo.services.bookkeeping.rows import Sums, rows_of
from cuckoo.storage.books import adopt_earned
from cuckoo.storage.ledger import ESCROW, THAWING
from cuckoo.storage.records import Cursor
from cuckoo.storage.store import Store

log = structlog.get_logger(__name__)


class MovementsOnChain(Protocol):
    """What Escrow holds about this node. All raise TransientError when the chain does not answer."""

    @property
    def first_block(self) -> int:
        """No movement is older."""

    async def genesis(self) -> str:
        """Return which chain this is."""

    async def final_block(self) -> int:
        """Return the newest block that no reorganisation takes away."""

    async def movements(self, first_block: int, last_block: int) -> list[Movement]:
        """Read what moved within blocks, both included, in the order of the chain."""


class Booking:
    """Keeps a ledger level with the final blocks of the chain."""

    def __init__(self, role: Role, store: Store, chain: MovementsOnChain, *, interval_s: float, clock: Clock) -> None:
        """Take what it works with.

        Args:
            role: whose ledger.
            store: holds it.
            chain: the escrow.
            interval_s: how often it looks, in seconds.
            clock: time.
        """
        self._role = role
        self._store = store
        self._chain = chain
        self._interval_s = interval_s
        self._clock = clock
        self._told_other_chain = False

    async def run(self) -> None:
        """Book until cancelled."""
        while True:
            try:
                await self.advance()
            except TransientError as error:
                log.warning("chain not booked yet", reason=str(error))
            await self._clock.sleep(self._interval_s)

    async def advance(self) -> int:
        """Book all final blocks that are not booked yet; returns how many rows that made. Raises TransientError."""
        ledger, genesis = self._store.ledger, await self._chain.genesis()
        cursor = await ledger.cursor()
        if cursor is not None and cursor.genesis != genesis:
            if not self._told_other_chain:
                log.error(
                    "this ledger is of another run of the chain: nothing is booked; move its folder away",
                    folder=str(self._store.writer.directory),
                )
            self._told_other_chain = True
            return 0
        first = self._chain.first_block if cursor is None else cursor.block + 1
        last, rows = await self._chain.final_block(), []
        if last >= first:
            movements = await self._chain.movements(first, last)
            sums: Sums = Counter()
            for account in (ESCROW, THAWING):
                sums.update({(account, node): wei for node, wei in (await ledger.cumulatives(account)).items()})
            rows = rows_of(self._role, movements, sums)
            await self._store.writer.execute(ledger.book(rows, Cursor(genesis=genesis, block=last)))
        if self._role is Role.MINER:
            await self._store.writer.execute(adopt_earned(self._clock.now()))
        return len(rows)
