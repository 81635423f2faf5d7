"""Puts rewards back to work: claims them, deposits exactly that, and votes with it for the node that they came from.

Nothing else in the wallet is ever touched. Each step is on disk before it is sent, and bears a name of its own in the
outbox, so that a process that dies anywhere goes on where it was: what it had recorded goes out, once. A deposit or
vote that the outbox has forgotten is found on chain by its amount. What the owner claims by hand is the owner's.
"""

import structlog

from cuckoo.chain.contracts import StakingContract, TokenContract
from cuckoo.chain.events import StakingEvents
from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.node import Node
from cuckoo.runtime.clock import Clock
from cuckoo.services.staking.wallet import MIN_VOTE, Portfolio, Wallet
from cuckoo.storage.compounds import Compound, CompoundState
from cuckoo.storage.ledger import COMPOUNDED
from cuckoo.storage.records import NewEntry
from cuckoo.storage.store import Store
from cuckoo.storage.writer import together

log = structlog.get_logger(__name__)

_OPEN = (CompoundState.CLAIMING, CompoundState.CLAIMED, CompoundState.DEPOSITED)


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
        self._staking = StakingContract(client)
        self._token = TokenContract(client)
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
            place = (stake.node.node_id, stake.tranche)
            worth_it = stake.rewards_wei >= self._at_wei and stake.tranche == self._wallet.tranche(stake.node)
            if worth_it and place not in under_way and self._counts(stake.node):
                begin = self._store.compounds.begin(*place, portfolio.block, self._clock.now())
                begun.append(await self._store.writer.execute(begin))
        for compound in begun:
            try:
                await self._finish(compound)
            except ConfigError as error:
                log.warning("rewards not put to work yet", node=compound.node, reason=str(error))

    def _counts(self, node: Node) -> bool:
        """Say whether a node carries weight; tell once when it does not."""
        if node.eligible:
            self._told.discard(node.node_id)
        elif node.node_id not in self._told:
            self._told.add(node.node_id)
            log.warning("rewards are not put to work: the node carries no weight", node=node.node_id)
        return node.eligible

    async def _finish(self, compound: Compound) -> None:
        """Go step by step, as long as the node carries weight."""
        while compound.state in _OPEN:
            node = await self._staking.node(compound.node)
            if compound.tranche != self._wallet.tranche(node):
                compound = await self._keep(compound, "the node has changed hands")
            elif not self._counts(node):
                return
            elif compound.state is CompoundState.CLAIMING:
                compound = await self._claim(compound)
            elif compound.state is CompoundState.CLAIMED:
                compound = await self._deposit(compound)
            else:
                compound = await self._vote(compound)

    async def _claim(self, compound: Compound) -> Compound:
        amount_wei = await self._wallet.claim_of(compound.node, compound.tranche, once=_name(compound))
        if amount_wei < MIN_VOTE:
            return await self._keep(compound, "it is less than a vote", amount_wei)
        return await self._advance(compound, CompoundState.CLAIMED, amount_wei)

    async def _deposit(self, compound: Compound) -> Compound:
        amount_wei = _amount(compound)
        there = await self._token.balance(self._wallet.address)
        if not await self._is_done(compound, "Staked"):
            if there < amount_wei:
                return await self._keep(compound, "the owner has spent it")
            await self._wallet.deposit(amount_wei, once=_name(compound))
        return await self._advance(compound, CompoundState.DEPOSITED, amount_wei)

    async def _vote(self, compound: Compound) -> Compound:
        amount_wei = _amount(compound)
        there = await self._staking.idle_stake(self._wallet.address)
        if not await self._is_done(compound, "Voted"):
            if there < amount_wei:
                return await self._keep(compound, "the owner has put it elsewhere")
            await self._wallet.vote(compound.node, amount_wei, once=_name(compound))
        row = NewEntry(
            account=COMPOUNDED,
            kind="voted again",
            amount_wei=amount_wei,
            counterparty=compound.node,
            at=self._clock.now(),
            reference=f"compound {compound.compound_id}",
        )
        done = self._store.compounds.advance(compound, CompoundState.VOTED, amount_wei)
        compound, _ = await self._store.writer.execute(together(done, self._store.ledger.append(row)))
        log.info("rewards put to work", node=compound.node, cai=format_cai(amount_wei))
        return compound

    async def _keep(self, compound: Compound, reason: str, amount_wei: Wei | None = None) -> Compound:
        """Leave to the owner what was claimed."""
        kept = _amount(compound) if amount_wei is None else amount_wei
        log.warning("rewards are left to their owner", node=compound.node, cai=format_cai(kept), reason=reason)
        return await self._advance(compound, CompoundState.KEPT, kept)

    async def _advance(self, compound: Compound, state: CompoundState, amount_wei: Wei) -> Compound:
        return await self._store.writer.execute(self._store.compounds.advance(compound, state, amount_wei))

    async def _is_done(self, compound: Compound, name: str) -> bool:
        """Look for a step on chain, by its amount to the wei."""
        latest, place = await self._client.block(), (compound.node, compound.tranche)
        return any(
            event.name == name
            and event.arguments["amount"] == compound.amount_wei
            and (name == "Staked" or (event.node_id, event.arguments["tranche"]) == place)
            for event in await self._events.of_staker(self._wallet.address, latest.number, compound.since_block + 1)
        )


def _amount(compound: Compound) -> Wei:
    return compound.amount_wei or Wei(0)


def _name(compound: Compound) -> str:
    """Name a compound for the outbox, which outlives its row."""
    return f"compound {compound.compound_id} since block {compound.since_block}"
