"""Whether what coordinators would owe this miner is ring-fenced for it; where it is not, no more work is taken."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import TransientError
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.receipts import Assignment
from cuckoo.runtime.clock import Clock
from cuckoo.services.mining.seams import EscrowReader, Miner, MiningOptions, ReceiptStore

if TYPE_CHECKING:
    from cuckoo.chain.escrow import EscrowAccount

log = structlog.get_logger(__name__)

FRESH_S = 5.0
"""So old may be what is known of an account: a thaw takes days, 30 seconds on the devnet."""
READ_S = 2.0
"""So long a read may hold up work while an older one holds."""
FORGET_S = 600.0
"""After so long a coordinator whose task was too dear may show whether it has cheaper ones."""
UNANSWERED_S = 900.0
"""A result whose audit takes longer than this is not being audited: that ends after minutes."""
UNANSWERED_MOST = 3
"""So many of these end the work for a coordinator; fewer may be an accident with one of them."""
SAY_AFTER_S = 10.0
"""A shorter stop is the wait for a coordinator that tops up, and not worth a line."""


class Standing:
    """What is known of one coordinator's account.

    Attributes:
        unredeemed_wei: what its best voucher holds beyond what the chain has paid.
        free_wei: what it holds ready beyond that; what thaws does not count, nor does work in hand.
        reason: why no work is taken from it now, "" while it is.
        capped: whether it is this miner's own limit that keeps work away: then redeeming brings it back.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self.unredeemed_wei = Wei(0)
        self.free_wei = Wei(0)
        self.reason = ""
        self.capped = False
        self.said = False
        self.stopped_at = 0.0
        self.account: EscrowAccount | None = None
        self.read_at = float("-inf")
        self.tried_at = float("-inf")
        self.least_price_wei = 0
        self.refused_price_wei = 0
        self.refused_at = 0.0

    @property
    def needed_wei(self) -> int:
        """What the next task pays at least, as far as is known: one that was refused, or the cheapest there was."""
        return self.refused_price_wei or self.least_price_wei


class Backing:
    """Watches the accounts of the coordinators that give paid work."""

    def __init__(
        self, miner: Miner, receipts: ReceiptStore, escrow: EscrowReader, clock: Clock, options: MiningOptions
    ) -> None:
        """Take what it reads, and of the options how long an account holds and how much may be unpaid."""
        self._miner = miner
        self._receipts = receipts
        self._escrow = escrow
        self._clock = clock
        self._holds_s = options.account_holds_s
        self._most_wei = options.max_unredeemed_wei
        self._cumulative: dict[NodeId, int] = {}
        self.standings: dict[NodeId, Standing] = {}

    def reason(self, coordinator: NodeId) -> str:
        """Say why no work is taken from a coordinator now; "" while it is."""
        standing = self.standings.get(coordinator)
        return standing.reason if standing else ""

    def paid(self, coordinator: NodeId, cumulative_wei: int) -> None:
        """Note what a coordinator's best voucher holds, at the moment its work is in hand no more."""
        self._cumulative[coordinator] = max(cumulative_wei, self._cumulative.get(coordinator, 0))

    def capped(self, coordinator: NodeId) -> bool:
        """Tell whether this miner's own limit keeps a coordinator's work away."""
        standing = self.standings.get(coordinator)
        return bool(standing and standing.capped)

    def blind(self, coordinator: NodeId) -> bool:
        """Tell whether nothing that still holds is known of a coordinator that gives paid work."""
        standing = self.standings.get(coordinator)
        return bool(standing and standing.reason and standing.account is None)

    async def refusal(self, assignment: Assignment, in_flight_wei: Callable[[], int]) -> str:
        """Say why an assignment is not backed, or "" when it is.

        Args:
            assignment: with its price.
            in_flight_wei: tells what other attempts for the same coordinator will earn.

        Raises:
            TransientError: the chain does not answer, and has not for long.
        """
        price = assignment.price
        if not price:
            return ""
        standing = self.standings.setdefault(assignment.coordinator_node, Standing())
        await self._read(assignment.coordinator_node, standing)
        reason = self._shortfall(assignment.coordinator_node, standing, in_flight_wei(), price)
        if reason:
            standing.refused_price_wei, standing.refused_at = price, self._clock.monotonic()
            return f"{format_cai(price)} CAI are offered: {reason}"
        standing.least_price_wei = min(price, standing.least_price_wei or price)
        return ""

    async def review(self, coordinator: NodeId, in_flight_wei: Callable[[], int], waiting: Sequence[float] = ()) -> str:
        """Decide whether to offer a coordinator anything; says so once when that changes.

        Args:
            coordinator: one that may have given paid work; any other is fine.
            in_flight_wei: tells what attempts for it will earn.
            waiting: since when signed results wait for its last word, unix seconds.

        Returns:
            Why not, or "".
        """
        standing = self.standings.get(coordinator)
        if standing is None:
            return ""
        try:
            await self._read(coordinator, standing)
        except TransientError as error:
            reason = f"what coordinator {coordinator} holds ready can not be read: {error}"
        else:
            if self._clock.monotonic() - standing.refused_at >= FORGET_S:
                standing.refused_price_wei = 0
            reason = self._shortfall(coordinator, standing, in_flight_wei(), standing.needed_wei)
            if not reason:
                standing.refused_price_wei = 0
        late = sum(self._clock.now() - at >= UNANSWERED_S for at in waiting)
        if late >= UNANSWERED_MOST and not reason:
            reason = f"coordinator {coordinator} has not settled {late} results for {UNANSWERED_S / 60:g} minutes"
        standing.capped = bool(reason) and standing.account is not None and not self._short(standing, in_flight_wei())
        self._note(coordinator, standing, reason)
        return reason

    @staticmethod
    def _short(standing: Standing, in_flight_wei: int) -> bool:
        return standing.free_wei - in_flight_wei < standing.needed_wei

    def _shortfall(self, coordinator: NodeId, standing: Standing, in_flight_wei: int, price_wei: int) -> str:
        ready = standing.free_wei - in_flight_wei
        if ready < price_wei:
            thawing = standing.account.thawing_wei if standing.account else 0
            return (
                f"coordinator {coordinator} holds {format_cai(max(0, ready))} CAI ready beyond what it owes this "
                f"miner and its tasks in hand" + (f"; {format_cai(thawing)} are being withdrawn" if thawing else "")
            )
        if self._most_wei and standing.unredeemed_wei + in_flight_wei + price_wei > self._most_wei:
            return (
                f"coordinator {coordinator} owes {format_cai(standing.unredeemed_wei)} CAI, and "
                f"{format_cai(in_flight_wei)} are in hand: max_unredeemed is {format_cai(self._most_wei)}"
            )
        return ""

    async def _read(self, coordinator: NodeId, standing: Standing) -> None:
        """Bring a standing up to date.

        While the chain does not answer, an account that was read holds on: what is not announced as thawing can not
        leave before the thaw time is over.
        """
        now = self._clock.monotonic()
        if now - max(standing.read_at, standing.tried_at) >= FRESH_S or standing.account is None:
            holds = standing.account is not None and now - standing.read_at < self._holds_s
            try:
                async with asyncio.timeout(READ_S if holds else None):
                    standing.account = await self._escrow.account(coordinator, self._miner.node_id)
                standing.read_at = now
            except (TransientError, TimeoutError):
                if not holds:
                    standing.account = None
                    raise
            finally:
                standing.tried_at = self._clock.monotonic()
        if coordinator not in self._cumulative:
            best = await self._receipts.best_voucher(coordinator)
            self.paid(coordinator, best.cumulative_wei if best else 0)
        cumulative_wei = self._cumulative[coordinator]
        account = standing.account
        if account is not None:
            standing.free_wei = account.free_wei(cumulative_wei)
            standing.unredeemed_wei = Wei(max(0, cumulative_wei - account.redeemed_wei))

    def _note(self, coordinator: NodeId, standing: Standing, reason: str) -> None:
        now = self._clock.monotonic()
        if reason and not standing.reason:
            standing.stopped_at = now
        if reason and not standing.said and now - standing.stopped_at >= SAY_AFTER_S:
            standing.said = True
            log.warning("no more work is taken from a coordinator", coordinator=coordinator, reason=reason)
        elif standing.said and not reason:
            standing.said = False
            log.info("work is taken again from a coordinator", coordinator=coordinator)
        standing.reason = reason
