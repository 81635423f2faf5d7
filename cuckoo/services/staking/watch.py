"""The staker role's loop: releases matured stake, and says when something happens to a node one stands behind."""

import asyncio
from collections.abc import Sequence

import structlog

from cuckoo.chain.events import Event
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.errors import ConfigError, Conflict, TransientError
from cuckoo.domain.identifiers import NodeId
from cuckoo.runtime.clock import Clock
from cuckoo.services.staking.compounding import Compounding
from cuckoo.services.staking.rewards import RewardBook
from cuckoo.services.staking.wallet import Wallet

log = structlog.get_logger(__name__)


class StakeWatch:
    """Looks after a staker's positions until cancelled."""

    def __init__(
        self,
        wallet: Wallet,
        rewards: RewardBook,
        compounding: Compounding | None,
        clock: Clock,
        *,
        interval_s: float,
    ) -> None:
        """Take what it works with.

        Args:
            wallet: with its key, for releases.
            rewards: where claims are booked.
            compounding: puts rewards to work; None to leave them.
            clock: time.
            interval_s: how often to look, in seconds.
        """
        self._wallet = wallet
        self._rewards = rewards
        self._compounding = compounding
        self._clock = clock
        self._interval_s = interval_s
        self._behind: set[NodeId] = set()
        self._weights: dict[NodeId, int] = {}
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Look, release, wait."""
        while True:
            try:
                await self.look()
            except TransientError as error:
                log.warning("chain does not answer; looking again later", reason=str(error))
            await self._clock.sleep(self._interval_s)

    async def look(self) -> None:
        """Read the positions once and release what is free."""
        async with self._lock:
            portfolio = await self._wallet.portfolio()
            self._behind = {stake.node.node_id for stake in portfolio.stakes}
            self._behind |= {item.node_id for item in portfolio.unbonding}
            for stake in portfolio.stakes:
                self._note_weight(stake.node.node_id, stake.node.weight_wei)
            if any(item.free_at <= portfolio.time for item in portfolio.unbonding):
                try:
                    for answer in await self._wallet.release():
                        log.info("released", detail=answer.detail, transaction=answer.transaction)
                except ConfigError as error:
                    log.warning("release not possible", reason=str(error))
            try:
                await self._rewards.advance()
            except Conflict as error:
                log.warning("nothing is booked or compounded: move this staker's folder away", reason=str(error))
                return
            if self._compounding is not None:
                await self._compounding.look(portfolio)

    def on_events(self, events: Sequence[Event]) -> None:
        """Report what happened to nodes this staker stands behind; a listener of the follower."""
        for event in events:
            node_id = NodeId(event.node_id)
            if node_id not in self._behind:
                continue
            arguments = event.arguments
            match event.name:
                case "Slashed":
                    log.error(
                        "SLASHED: a node you stand behind was convicted",
                        node=node_id,
                        own_loss=format_cai(arguments["ownLoss"]),
                        votes_loss=format_cai(arguments["votesLoss"]),
                        jailed_until=arguments["jailedUntil"],
                    )
                case "CommissionAnnounced":
                    log.warning(
                        "commission will rise",
                        node=node_id,
                        percent=arguments["commissionBps"] / 100,
                        holds_from=arguments["effectiveAt"],
                    )
                case "Weighed":
                    self._note_weight(node_id, arguments["weight"])
                case _:
                    pass

    def _note_weight(self, node_id: NodeId, weight_wei: int) -> None:
        before = self._weights.get(node_id)
        self._weights[node_id] = weight_wei
        if weight_wei == 0 and before != 0:
            log.warning("a node you stand behind carries no weight: it earns nothing now", node=node_id)
        elif weight_wei and before == 0:
            log.info("a node you stand behind carries weight again", node=node_id, weight=format_cai(weight_wei))
