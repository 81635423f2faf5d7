"""Puts rewards back to work: claims them, deposits exactly that, and votes with it for the node that they came from.

Nothing else in the wallet is ever touched. Each step is on disk before it is sent, and looked up on chain before it is
sent again, so that a process that dies anywhere goes on where it was.
"""

import structlog

from cuckoo.chain.events import Event, StakingEvents
from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.runtime.clock import Clock
from cuckoo.services.staking.wallet import MIN_VOTE, Portfolio, Wallet
from cuckoo.storage.compounds import Compound, CompoundState
from cuckoo.storage.ledger import COMPOUNDED
from cuckoo.storage.records import NewEntry
from cuckoo.storage.store import Store
from cuckoo.storage.writer import together

log = structlog.get_logger(__name__)


class Compounding:
    """Compounds what is worth it, at every look."""

    def __init__(self, client: ChainClient, wallet: Wallet, store: Store, *, at_wei: Wei, clock: Clock) -> None:
        """Take what it works with.

        Args:
            client: the chain.
            wallet: with its key.
            store: where begun ones lie.
            at_wei: what rewards must be worth; at least what a vote must have.
            clock: time.
        """
        self._client = client
        self._wallet = wallet
        self._store = store
        self._at_wei = max(at_wei, MIN_VOTE)
        self._clock = clock
        self._events = StakingEvents(client)
        self._told: set[int] = set()

    async def look(self, portfolio: Portfolio) -> None:
        """Finish what was begun, and begin what is worth it.

        Raises:
            TransientError: the chain does not answer; the next look goes on.
        """
        begun = await self._store.compounds.all_open()
        under_way = {(one.node, one.tranche) for one in begun}
        for stake in portfolio.stakes:
            node = stake.node
            if stake.rewards_wei < self._at_wei or (node.node_id, stake.tranche) in under_way:
                continue
            if not node.eligible:
                if node.node_id not in self._told:
                    log.warning(
                        "rewards are not put to work: the node carries no weight",
                        node=node.node_id,
                        rewards=format_cai(stake.rewards_wei),
                    )
                self._told.add(node.node_id)
                continue
            self._told.discard(node.node_id)
            begin = self._store.compounds.begin(node.node_id, stake.tranche, portfolio.block, self._clock.now())
            begun.append(await self._store.writer.execute(begin))
        for compound in begun:
            try:
                await self._finish(compound)
            except ConfigError as error:
                log.warning("rewards not put to work yet", node=compound.node, reason=str(error))

    async def _finish(self, compound: Compound) -> None:
        if compound.state is CompoundState.CLAIMING:
            claimed = await self._find(compound, "Claimed", None)
            if claimed is None:
                await self._wallet.claim_of(compound.node, compound.tranche)
                claimed = await self._find(compound, "Claimed", None)
            if claimed is None:
                return
            amount_wei = Wei(int(claimed.arguments["amount"]))
            state = CompoundState.CLAIMED if amount_wei >= MIN_VOTE else CompoundState.KEPT
            compound = await self._store.writer.execute(self._store.compounds.advance(compound, state, amount_wei))
        amount_wei = compound.amount_wei or Wei(0)
        if compound.state is CompoundState.CLAIMED:
            if await self._find(compound, "Staked", amount_wei) is None:
                await self._wallet.deposit(amount_wei)
            compound = await self._store.writer.execute(
                self._store.compounds.advance(compound, CompoundState.DEPOSITED, amount_wei)
            )
        if compound.state is CompoundState.DEPOSITED:
            if await self._find(compound, "Voted", amount_wei) is None:
                await self._wallet.vote(compound.node, amount_wei)
            row = NewEntry(
                account=COMPOUNDED,
                kind="voted again",
                amount_wei=amount_wei,
                counterparty=compound.node,
                at=self._clock.now(),
                reference=f"compound {compound.compound_id}",
            )
            done = self._store.compounds.advance(compound, CompoundState.VOTED, amount_wei)
            await self._store.writer.execute(together(done, self._store.ledger.append(row)))
            log.info("rewards put to work", node=compound.node, cai=format_cai(amount_wei))

    async def _find(self, compound: Compound, name: str, amount_wei: Wei | None) -> Event | None:
        """Find what a step did on chain; None when it was not done."""
        latest, place = await self._client.block(), (compound.node, compound.tranche)
        for event in await self._events.of_staker(self._wallet.address, latest.number, compound.since_block + 1):
            if event.name != name or amount_wei not in (None, event.arguments["amount"]):
                continue
            if name == "Staked" or (event.node_id, event.arguments["tranche"]) == place:
                return event
        return None
