"""What a staker's stake has earned lately, a year.

``yield = rewards of the span / average active stake / span * 365 days``: rewards are what could be claimed at the end
of the span, less what could be at its beginning, plus what was claimed meanwhile; the average is over time, at the
present share price. The state of the chain at the beginning of the span says what could be claimed then. Where its node
has forgotten that, the span begins at the nearest moment when it certainly was nothing: when the stake was put there,
or after a claim.
"""

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from cuckoo.chain.contracts import OWN, StakingContract
from cuckoo.chain.events import Event, StakingEvents
from cuckoo.chain.rpc import Block, ChainClient
from cuckoo.chain.seedblocks import last_block_before
from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import TransientError
from cuckoo.domain.identifiers import Address
from cuckoo.services.staking.wallet import Stake

DAY_S = 86_400
YEAR_S = 365 * DAY_S
SPANS_S = (7 * DAY_S, 30 * DAY_S)


class Yield(msgspec.Struct, frozen=True, kw_only=True):
    """What a position has earned over a span.

    Attributes:
        since: when the span that is covered began, unix seconds: not always as long ago as was asked for.
        span_s: its length.
        rewards_wei: what was earned in it; an owner's commission is part of that.
        average_wei: active stake, averaged over it.
    """

    since: int
    span_s: int
    rewards_wei: Wei
    average_wei: Wei

    @property
    def yearly(self) -> Fraction | None:
        """Rewards of a year by stake; None where there was no stake, or no time."""
        stake_time = self.average_wei * self.span_s
        return Fraction(self.rewards_wei * YEAR_S, stake_time) if stake_time else None


class Yields:
    """Reads yields of one staker from the chain."""

    def __init__(self, client: ChainClient, staker: Address) -> None:
        """Bind to a network and a staker."""
        self._client = client
        self._staker = staker
        self._staking = StakingContract(client)
        self._events = StakingEvents(client)
        self._times: dict[int, int] = {}

    async def read(self, stakes: Sequence[Stake], at: Block, spans_s: Sequence[int] = SPANS_S) -> list[list[Yield]]:
        """Read the yields of positions over spans that end at a block.

        Args:
            stakes: the positions, as of that block.
            at: the block.
            spans_s: lengths, in seconds.

        Raises:
            TransientError: the chain does not answer.
        """
        starts = [(await last_block_before(self._client, at.timestamp - span_s, at)).number for span_s in spans_s]
        mine = await self._events.of_staker(self._staker, at.number)
        found = []
        for stake in stakes:
            begin, events = await self._history(stake, mine, at)
            found.append([await self._yield(stake, max(start, begin), begin, events, at) for start in starts])
        return found

    async def _history(self, stake: Stake, mine: Sequence[Event], at: Block) -> tuple[int, list[Event]]:
        """Return the block in which a position began, with nothing to claim, and what happened to it afterwards."""
        node_id, tranche = stake.node.node_id, stake.tranche
        if tranche == OWN:
            begins = await self._events.owners(node_id, at.number)
            events = await self._events.of_tranche(node_id, tranche, at.number)
        else:
            events = [one for one in mine if (one.node_id, one.arguments.get("tranche")) == (node_id, tranche)]
            begins = [one for one in events if one.name == "Voted"][:1]
        begin = begins[-1].block_number if begins else self._client.network.deploy_block
        return begin, [one for one in events if one.block_number > begin]

    async def _yield(self, stake: Stake, start: int, begin: int, events: Sequence[Event], at: Block) -> Yield:
        """Read what a position has earned since a block, or since the nearest one of which enough is known."""
        before = 0
        if start > begin:
            try:
                before = await self._staking.claimable(stake.node.node_id, stake.tranche, self._staker, start)
            except TransientError:  # the node of the chain has forgotten that block
                start = await self._nearest(start, begin, events)
        since = await self._time(start)
        later = [one for one in events if one.block_number > start]
        claimed = sum(int(one.arguments["amount"]) for one in later if one.name == "Claimed")
        tokens, shares = await self._staking.share_price(stake.node.node_id, stake.tranche, at.number)
        share_time = await self._share_time(stake.active_shares, later, since, at.timestamp)
        span_s = at.timestamp - since
        return Yield(
            since=since,
            span_s=span_s,
            rewards_wei=Wei(max(0, stake.rewards_wei + claimed - before)),
            average_wei=Wei(share_time * tokens // (shares * span_s) if shares and span_s else 0),
        )

    async def _nearest(self, start: int, begin: int, events: Sequence[Event]) -> int:
        """Return the block nearest to ``start`` in time at whose end there was nothing to claim."""
        nothing = [begin, *(one.block_number for one in events if one.name == "Claimed")]
        around = {
            max(one for one in nothing if one <= start),
            min((one for one in nothing if one > start), default=begin),
        }
        wanted = await self._time(start)
        distances = {abs(await self._time(one) - wanted): one for one in around}
        return distances[min(distances)]

    async def _share_time(self, shares: int, later: Sequence[Event], since: int, until: int) -> int:
        """Sum up active shares times seconds, going back from what they are at the end."""
        total, upper = 0, until
        for event in reversed(later):
            if event.name in ("Voted", "Revoted", "Unvoted"):
                at = await self._time(event.block_number)
                total += shares * (upper - at)
                upper = at
                shares += event.arguments["shares"] * (1 if event.name == "Unvoted" else -1)
        return total + shares * (upper - since)

    async def _time(self, block: int) -> int:
        if block not in self._times:
            self._times[block] = (await self._client.block(block)).timestamp
        return self._times[block]
