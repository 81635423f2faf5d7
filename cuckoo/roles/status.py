"""What each role tells of itself: gathered from its services, for ``cuckoo status`` and for Prometheus."""

import math

from cuckoo.domain import status
from cuckoo.domain.amounts import CAI, Wei, format_cai, parse_cai
from cuckoo.domain.errors import TransientError
from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.node import Node
from cuckoo.inference.pool import WorkerPool
from cuckoo.roles.chain import Chain, why_not_eligible
from cuckoo.runtime.metrics import MinerMetrics
from cuckoo.services import purse as purses
from cuckoo.services.dispatch.service import Dispatch
from cuckoo.services.mining import DurableReceipts, Mining
from cuckoo.services.purse import Purse
from cuckoo.services.redeeming import MinerEscrow, Redeeming
from cuckoo.services.staking.wallet import Portfolio, Wallet
from cuckoo.storage.verdicts import Verdicts
from cuckoo.storage.vouchers import Vouchers

ACCOUNTS_MOST = 1_000
VERDICTS_SHOWN = 5
CHAIN_SILENT_S = 120.0
WARNINGS = {"no_weight": "the node carries no weight", "chain": "the chain does not answer", **purses.WARNINGS}


def chain_warnings(chain: Chain, node_id: NodeId) -> tuple[Node | None, dict[str, str]]:
    """Return a node as the registry shows it, and what is wrong with it or with the chain."""
    node = chain.registry.node(node_id)
    problem = why_not_eligible(node, chain.clock.now()) if node else f"node {node_id} is gone from the registry"
    warnings = {"no_weight": problem} if problem else {}
    return node, warnings | silence(chain)


def silence(chain: Chain) -> dict[str, str]:
    """Warn of a chain whose newest known block is old."""
    block = chain.registry.block
    age_s = chain.clock.now() - block.timestamp if block else 0.0
    if age_s <= CHAIN_SILENT_S:
        return {}
    return {"chain": f"the newest known block is {age_s / 60:.0f} minutes old: does the RPC endpoint answer?"}


def _text(wei: int | None) -> str | None:
    return None if wei is None else format_cai(wei, grouped=False)


def _cai(text: str | None) -> float:
    return math.nan if text is None else parse_cai(text) / CAI


def _plain(wei: int) -> str:
    return format_cai(wei, grouped=False)


class CoordinatorStatus:
    """Reads a coordinator's state."""

    def __init__(self, chain: Chain, node_id: NodeId, dispatch: Dispatch, purse: Purse) -> None:
        """Take its services."""
        self._chain = chain
        self._node_id = node_id
        self._dispatch = dispatch
        self._purse = purse

    async def read(self) -> status.CoordinatorState:
        """Read the state, and set the metrics that are not counted elsewhere."""
        node, warnings = chain_warnings(self._chain, self._node_id)
        dispatch, purse, now = self._dispatch, self._purse, self._chain.clock.now()
        accounts = sorted(purse.accounts(), key=lambda one: (one.free_wei, one.miner))
        lasts_s = purse.lasts_s
        state = status.CoordinatorState(
            node=self._node_id,
            weight=_plain(node.weight_wei if node else 0),
            not_eligible=warnings.get("no_weight", ""),
            miners=len(dispatch.miners),
            queued=dispatch.engine.tasks.queued,
            running=dispatch.engine.tasks.running,
            done_today=dispatch.metrics.today.count("done", now),
            failed_today=dispatch.metrics.today.count("failed", now),
            owed=_plain(sum(one.owed_wei for one in accounts)),
            redeemed=_plain(sum(one.redeemed_wei for one in accounts)),
            free=_plain(sum(one.free_wei for one in accounts)),
            free_least=_text(accounts[0].free_wei) if accounts else None,
            wallet=_text(purse.wallet_wei),
            gas=_text(purse.native_wei),
            lasts_s=None if lasts_s is None else int(lasts_s),
            accounts_known=len(accounts),
            accounts=tuple(
                status.Account(
                    miner=one.miner,
                    signed_in=dispatch.miners.signed_in(one.miner),
                    owed=_plain(one.owed_wei),
                    redeemed=_plain(one.redeemed_wei),
                    free=_plain(one.free_wei),
                )
                for one in accounts[:ACCOUNTS_MOST]
            ),
            warnings=warnings | purse.warnings,
        )
        self._measure(state)
        return state

    def _measure(self, state: status.CoordinatorState) -> None:
        metrics = self._dispatch.metrics
        metrics.weight.set(_cai(state.weight))
        metrics.owed.set(_cai(state.owed))
        metrics.redeemed.set(_cai(state.redeemed))
        metrics.free.set(_cai(state.free))
        metrics.free_least.set(_cai(state.free_least))
        metrics.wallet.set(_cai(state.wallet))
        metrics.wallet_gas.set(_cai(state.gas))
        metrics.wallet_lasts_s.set(math.inf if state.lasts_s is None else state.lasts_s)
        metrics.warn(state.warnings, WARNINGS)


class MinerStatus:
    """Reads a miner's state."""

    def __init__(  # noqa: PLR0913 - what a miner is made of
        self,
        chain: Chain,
        node_id: NodeId,
        *,
        mining: Mining,
        pool: WorkerPool,
        receipts: DurableReceipts,
        vouchers: Vouchers,
        redeeming: Redeeming,
        escrow: MinerEscrow,
        metrics: MinerMetrics,
        verdicts: Verdicts,
    ) -> None:
        """Take its services."""
        self._verdicts = verdicts
        self._chain = chain
        self._node_id = node_id
        self._mining = mining
        self._pool = pool
        self._receipts = receipts
        self._vouchers = vouchers
        self._redeeming = redeeming
        self._escrow = escrow
        self._metrics = metrics
        self._native_wei: int | None = None

    async def read(self) -> status.MinerState:
        """Read the state, and set the metrics."""
        node, warnings = chain_warnings(self._chain, self._node_id)
        try:
            self._native_wei = await self._escrow.native_wei()
        except TransientError as error:
            warnings.setdefault("chain", str(error))
        cumulative = {one.coordinator_node: one.cumulative_wei for one in await self._vouchers.all()}
        signed_in = self._mining.signed_in()
        nodes = sorted({*cumulative, *signed_in, *self._mining.backing.standings})
        state = status.MinerState(
            node=self._node_id,
            weight=_plain(node.weight_wei if node else 0),
            not_eligible=warnings.get("no_weight", ""),
            models=tuple(loaded.model.name for loaded in self._pool.loaded().values()),
            devices=self._pool.devices,
            running=len(self._mining.in_flight),
            done_today=self._receipts.today.count("accepted", self._chain.clock.now()),
            gas=_text(self._native_wei),
            backing=tuple(self._backing(one, cumulative.get(one, Wei(0)), one in signed_in) for one in nodes),
            warnings=warnings,
            judged=tuple(
                status.Judged(
                    dispute=one.dispute,
                    round=one.round + 1,
                    accused=one.miner,
                    seats=one.seats,
                    outcome=one.outcome,
                )
                for one in await self._verdicts.newest(VERDICTS_SHOWN)
            ),
        )
        self._measure(state)
        return state

    def _backing(self, node: NodeId, cumulative_wei: Wei, signed_in: bool) -> status.Backing:
        standing = self._mining.backing.standings.get(node)
        account = (standing.account if standing else None) or self._redeeming.accounts.get(node)
        in_flight_wei = self._mining.in_flight_wei(node)
        redeemed_wei = account.redeemed_wei if account else 0
        return status.Backing(
            coordinator=node,
            signed_in=signed_in,
            unredeemed=_plain(max(0, cumulative_wei - redeemed_wei)),
            in_flight=_plain(in_flight_wei),
            free=_plain(max(0, account.free_wei(cumulative_wei) - in_flight_wei)) if account else None,
            redeemed=_text(account.redeemed_wei if account else None),
            stopped=self._mining.backing.reason(node),
        )

    def _measure(self, state: status.MinerState) -> None:
        metrics = self._metrics
        metrics.weight.set(_cai(state.weight))
        metrics.running.set(state.running)
        metrics.done_today.set(state.done_today)
        metrics.signed_in.set(sum(one.signed_in for one in state.backing))
        metrics.stopped.set(sum(bool(one.stopped) for one in state.backing))
        metrics.unredeemed.set(sum(_cai(one.unredeemed) for one in state.backing))
        metrics.in_flight.set(sum(_cai(one.in_flight) for one in state.backing))
        metrics.redeemed.set(sum(_cai(one.redeemed) for one in state.backing if one.redeemed is not None))
        metrics.gas.set(_cai(state.gas))


class StakerStatus:
    """Reads a staker's state; what was read before holds while the chain does not answer."""

    def __init__(self, chain: Chain, wallet: Wallet) -> None:
        """Take the chain and the wallet."""
        self._chain = chain
        self._wallet = wallet
        self._portfolio: Portfolio | None = None

    async def read(self) -> status.StakerState:
        """Read the positions; raises TransientError when they never were read."""
        warnings = silence(self._chain)
        try:
            self._portfolio = await self._wallet.portfolio()
        except TransientError as error:
            if self._portfolio is None:
                raise
            warnings.setdefault("chain", str(error))
        portfolio = self._portfolio
        idle = [one.node.node_id for one in portfolio.stakes if not one.node.eligible]
        if idle:
            warnings["no_weight"] = f"without weight, earning nothing: node {', '.join(str(one) for one in idle)}"
        return status.StakerState(
            address=portfolio.staker,
            wallet=_plain(portfolio.wallet_wei),
            gas=_plain(portfolio.native_wei),
            idle=_plain(portfolio.idle_wei),
            nodes=len({one.node.node_id for one in portfolio.stakes}),
            active=_plain(sum(one.active_wei for one in portfolio.stakes)),
            rewards=_plain(sum(one.rewards_wei for one in portfolio.stakes)),
            unbonding=_plain(sum(one.wei for one in portfolio.unbonding)),
            releasable=_plain(sum(one.wei for one in portfolio.unbonding if one.free_at <= portfolio.time)),
            warnings=warnings,
        )
