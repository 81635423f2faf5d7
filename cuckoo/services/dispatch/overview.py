"""What a coordinator shows of itself: the network, its miners, whether it is ready."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.node import Node
from cuckoo.protocol.market import DemandView
from cuckoo.protocol.views import Health, MinerList, MinerView, NetworkView
from cuckoo.runtime.clock import Clock
from cuckoo.services.dispatch.catalogue import Catalogue
from cuckoo.services.dispatch.demand import Demand
from cuckoo.services.dispatch.engine import Engine
from cuckoo.services.dispatch.miners import MinerDesk
from cuckoo.storage.records import MinerCounts
from cuckoo.storage.store import Store

PAGE_MAX = 1_000
_COUNTS_FOR_S = 1.0
_AUDITED_FOR_S = 10.0


class Registry(Protocol):
    """The registered nodes, as the chain shows them."""

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node; None when there is none."""

    def nodes(self, role: Role) -> list[Node]:
        """Return the nodes of a role in the order of their ids."""


class Overview:
    """Reads only."""

    def __init__(
        self,
        engine: Engine,
        miners: MinerDesk,
        catalogue: Catalogue,
        store: Store,
        registry: Registry,
        demand: Demand,
        *,
        write_odds: Callable[[], None],
        clock: Clock,
    ) -> None:
        """Take what is shown; ``write_odds`` brings the stored odds up to date."""
        self._engine = engine
        self._miners = miners
        self._catalogue = catalogue
        self._store = store
        self._registry = registry
        self._demand = demand
        self._write_odds = write_odds
        self._clock = clock
        self._counts: dict[NodeId, MinerCounts] = {}
        self._counted_at = float("-inf")
        self._audited: dict[NodeId, tuple[int, int]] = {}
        self._audited_at = float("-inf")

    def health(self) -> Health:
        """Say whether tasks would be taken and drawn for now, or what is missing."""
        waiting_for = []
        if self._engine.state.log is None:
            waiting_for.append("the first draw seed: its tip has to be committed, and a later block final")
        if self._engine.draining:
            waiting_for.append("the end: this coordinator is stopping")
        return Health(ok=not waiting_for, waiting_for=tuple(waiting_for))

    def network(self) -> NetworkView:
        """Show the network and this coordinator's place in it."""
        coordinator = self._engine.coordinator
        own = self._registry.node(coordinator.node_id)
        log = self._engine.state.log
        return NetworkView(
            chain_id=coordinator.hasher.domain.chain_id,
            staking=coordinator.hasher.domain.staking,
            coordinator_node=coordinator.node_id,
            operator=coordinator.signer.address,
            weight_wei=own.weight_wei if own else Wei(0),
            draw_period_s=coordinator.draw_period_s,
            period=log.period if log else None,
            seed_tip=log.tip if log else b"",
            miners=len(self._miners),
            queued=self._engine.tasks.queued,
            running=self._engine.tasks.running,
        )

    def demand(self) -> DemandView:
        """Show which models apps asked for, and how many miners serve them."""
        return self._demand.view(self._engine.coordinator.node_id, self._catalogue, self._engine.state)

    async def miners(self, after: NodeId, limit: int) -> MinerList:
        """Show registered miners in the order of their ids.

        Args:
            after: only ids above this one.
            limit: at most so many, up to 1,000.
        """
        counts, audited = await self._fresh_counts(), await self._fresh_audits()
        speeds = self._engine.state.estimator.speeds()
        nodes = [node for node in self._registry.nodes(Role.MINER) if node.node_id > after]
        page = nodes[:limit]
        return MinerList(
            miners=tuple(
                msgspec.structs.replace(
                    self._miner(node, counts.get(node.node_id)),
                    device=self._miners.device(node.node_id),
                    speed=speeds.get(node.node_id, 0.0),
                    audits_passed=audited.get(node.node_id, (0, 0))[0],
                    audits_failed=audited.get(node.node_id, (0, 0))[1],
                )
                for node in page
            ),
            cursor=page[-1].node_id if len(nodes) > len(page) else None,
        )

    async def _fresh_counts(self) -> dict[NodeId, MinerCounts]:
        now = self._clock.monotonic()
        if now - self._counted_at > _COUNTS_FOR_S:
            self._counted_at = now
            self._write_odds()
            await self._engine.settled()
            self._counts = await self._store.tasks.miner_counts()
        return self._counts

    async def _fresh_audits(self) -> dict[NodeId, tuple[int, int]]:
        now = self._clock.monotonic()
        if now - self._audited_at > _AUDITED_FOR_S:
            self._audited_at = now
            self._audited = await self._store.audits.found()
        return self._audited

    def _miner(self, node: Node, counts: MinerCounts | None) -> MinerView:
        counts = counts or MinerCounts(miner_node=node.node_id)
        return MinerView(
            node_id=node.node_id,
            owner=node.owner,
            operator=node.operator,
            weight_wei=node.weight_wei,
            own_wei=node.own_wei,
            votes_wei=node.votes_wei,
            signed_in=self._miners.signed_in(node.node_id),
            models=self._catalogue.models_of(node.node_id),
            introduction=node.introduction,
            assigned=counts.assigned,
            done=counts.done,
            failed=counts.failed,
            lost=counts.lost,
            expected=counts.expected,
            variance=counts.variance,
            pictures=counts.pictures,
        )
